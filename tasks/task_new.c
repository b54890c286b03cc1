#include "tasks/task_parts.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/memory.h"
#include "tasks/handle.h"
#include "tasks/demand.h"

#include <stdlib.h>
#include <string.h>

enum { EARLY_MS = 5000 }; /* how long a request may be on its way with our token */

/* ---- what it is begun with */

static bool
is_of(struct text purpose, const struct strings *purposes)
{
    for (size_t i = 0; i < purposes->n; i++)
        if (text_equals(purpose, text_z(purposes->at[i])))
            return true;
    return false;
}

static enum reason
purpose_find(const struct task_terms *t, struct text *out)
{
    const struct strings *purposes = &t->grant->purposes;

    *out = t->purpose;
    if (t->purpose.n == 0 && purposes->n == 1)
        *out = text_z(purposes->at[0]);
    return is_of(*out, purposes) ? REASON_OK : REASON_TASK_PURPOSE;
}

/* The ledger writes it as it is. */
static bool
id_is_sound(struct text id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.at[i] == ' ')
            return false;
    return id.n <= TASK_ID_MAX && escape_plain(id) == id.n;
}

static enum reason
terms_check(const struct task_terms *t, int64_t now_s)
{
    const struct conf_grant *g = t->grant;

    if (now_s < g->approved_at || now_s >= g->expires_at)
        return REASON_GRANT_EXPIRED;
    if (t->ttl_ms < 0 || t->ttl_ms > g->ttl_ms || t->max_requests < 0)
        return REASON_TASK_TERMS;
    if (!demand_is_within(&t->caller, &g->caller) || !id_is_sound(t->id))
        return REASON_TASK_TERMS;
    return REASON_OK;
}

/* ---- making */

static void
id_make(struct task *k, struct text given)
{
    unsigned char bytes[TASK_RANDOM];

    if (given.n > 0) {
        memcpy(k->id_room, given.at, given.n);
        k->id = text_of(k->id_room, given.n);
        return;
    }
    random_bytes(bytes, sizeof bytes);
    memcpy(k->id_room, "t-", 2);
    k->id = text_of(k->id_room,
                    2 + base64url_encode(bytes, sizeof bytes, k->id_room + 2));
}

static void
password_make(struct task *k)
{
    unsigned char bytes[TASK_RANDOM];

    random_bytes(bytes, sizeof bytes);
    (void)base64url_encode(bytes, sizeof bytes, k->password);
    explicit_bzero(bytes, sizeof bytes);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A token knows whole seconds: it is good for one more than the task, or it would be
 * over before the task is. */
static void
set_times(struct task *k, const struct conf_grant *g, int64_t now_s)
{
    int64_t whole_s = (k->ttl_ms + 999) / 1000, left_s = g->expires_at - now_s;
    int64_t lives_s = least(whole_s, left_s);
    int64_t lives_ms = least(k->ttl_ms, lives_s * 1000);
    int64_t early_ms = k->ttl_ms / 10 > EARLY_MS ? k->ttl_ms / 10 : EARLY_MS;

    early_ms = least(early_ms, lives_ms / 2);
    if (left_s <= whole_s) /* the grant ends with it: no later token can be had */
        early_ms = 0;
    k->begun_s = k->issued_s = now_s;
    k->expires_s = now_s + least(whole_s + 1, left_s);
    k->renew_s = now_s + lives_s - early_ms / 1000;
    k->deadline_ms = clock_monotonic_ms() + lives_ms;
    k->renew_ms = k->deadline_ms - early_ms;
}

static char *
copy_text(struct text t)
{
    char *copy = memory_new(t.n + 1);

    if (t.n > 0)
        memcpy(copy, t.at, t.n);
    return copy;
}

static const char *
or_empty(const char *z)
{
    return z != NULL ? z : "";
}

static struct task *
task_describe(const struct task_terms *t, struct text purpose, int64_t now_s)
{
    const struct conf_grant *g = t->grant;
    struct task *k = aligned_alloc(TASK_CACHE_LINE, sizeof *k);

    if (k == NULL)
        memory_exhausted();
    memset(k, 0, sizeof *k);
    atomic_init(&k->references, 1);
    atomic_init(&k->left, t->max_requests > 0 ? t->max_requests : -1);
    k->grant = memory_copy_z(g->name);
    k->purpose = copy_text(purpose);
    k->owner = memory_copy_z(or_empty(g->owner));
    k->approver = memory_copy_z(or_empty(g->approved_by));
    k->workload = memory_copy_z(or_empty(t->conf->workload.id));
    k->pod = copy_text(t->pod);
    k->kind = g->task;
    k->caller = demand_copy(&t->caller);
    k->ttl_ms = t->ttl_ms > 0 ? t->ttl_ms : g->ttl_ms;
    k->max_requests = t->max_requests;
    k->started_by = t->by != NULL ? (int64_t)*t->by : TASK_NOBODY;
    k->ended_by = TASK_NOBODY;
    id_make(k, t->id);
    password_make(k);
    set_times(k, g, now_s);
    return k;
}

/* Whoever uses it was found in the pod and container that are demanded. */
static struct context
context_of(const struct task *k)
{
    const char *pod = k->caller.pod != NULL ? k->caller.pod : k->pod;

    return (struct context){ .workload = text_z(k->workload),
                             .task = k->id,
                             .grant = text_z(k->grant),
                             .purpose = text_z(k->purpose),
                             .owner = text_z(k->owner),
                             .pod = text_z(pod),
                             .container = text_z(k->caller.container) };
}

static enum reason
identify(struct task *k, struct authority_key *authority)
{
    const struct context context = context_of(k);
    struct identity *made;
    enum reason why = identity_new(authority, &context, k->issued_s, k->expires_s,
                                   &made);

    atomic_init(&k->identity, made);
    return why;
}

/* ---- its handles */

static bool
has_handle(const struct task *k, const char *credential)
{
    for (size_t i = 0; i < k->n_handles; i++)
        if (strcmp(k->handles[i].credential, credential) == 0)
            return true;
    return false;
}

static char *
copy_buf(struct buf *b)
{
    char *copy = copy_text(buf_text(b));

    buf_wipe(b);
    return copy;
}

/* False: its shape is none. */
static bool
add_handle(struct task *k, const struct conf_credential *c)
{
    struct buf value = { 0 }, variable = { 0 };
    struct task_handle *h;

    if (!handle_make(handle_shape(c), &value))
        return false;
    k->handles = realloc(k->handles, (k->n_handles + 1) * sizeof *k->handles);
    if (k->handles == NULL)
        memory_exhausted();
    h = &k->handles[k->n_handles++];
    h->value.n = buf_length(&value);
    h->value.at = copy_buf(&value);
    handle_variable(c, &variable);
    h->env = copy_buf(&variable);
    h->credential = memory_copy_z(c->name);
    return true;
}

static enum reason
add_handles(struct task *k, const struct task_terms *t)
{
    const struct conf_credential *c;
    size_t i = 0;

    while ((c = handle_next_due(t->conf, t->grant, &i)) != NULL)
        if (!has_handle(k, c->name) && !add_handle(k, c))
            return REASON_TASK_TERMS;
    return REASON_OK;
}

/* ---- all of it */

enum reason
task_new(struct authority_key *authority, const struct task_terms *terms,
         struct task **out)
{
    int64_t now_s = clock_wall_s();
    enum reason why = terms_check(terms, now_s);
    struct text purpose;
    struct task *k;

    *out = NULL;
    if (why == REASON_OK)
        why = purpose_find(terms, &purpose);
    if (why != REASON_OK)
        return why;
    k = task_describe(terms, purpose, now_s);
    if (k->kind == TASK_REQUIRED)
        why = add_handles(k, terms);
    if (why == REASON_OK)
        why = identify(k, authority);
    if (why == REASON_OK)
        *out = k;
    else
        task_unref(k);
    return why;
}

/* ---- another token */

bool
task_token_is_off(const struct task *k, int64_t now_ms, int64_t now_s)
{
    int64_t left_ms = k->deadline_ms - now_ms;

    return now_s < k->issued_s || (k->expires_s - now_s) * 1000 + EARLY_MS < left_ms;
}

enum reason
task_reissue(struct task *k, struct authority_key *authority, int64_t until_s,
             struct identity **before)
{
    const struct context context = context_of(k);
    int64_t now_s = clock_wall_s(), left_ms = k->deadline_ms - clock_monotonic_ms();
    int64_t expires_s = least(now_s + (left_ms + 999) / 1000 + 1, until_s);
    struct identity *next;
    enum reason why;

    *before = NULL;
    if (now_s >= expires_s)
        return REASON_GRANT_EXPIRED;
    why = identity_reissue(k->identity, authority, &context, now_s, expires_s, &next);
    if (why != REASON_OK)
        return why;
    *before = atomic_exchange(&k->identity, next);
    k->issued_s = now_s;
    k->expires_s = expires_s;
    return REASON_OK;
}

/* One task. What it is stands in it as copies: configs come and go while it lives. What
 * changes are its budget, its counts and whether it has ended, and these are atomic. */
#include "tasks/task.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "tasks/handle.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOBODY = -1,
    RANDOM_BYTES = 16,
    PASSWORD_SIZE = BASE64URL_SIZE(RANDOM_BYTES),
    EARLY_MS = 5000, /* how long a request may be on its way with our token */
    CACHE_LINE = 64
};

struct task {
    struct text id;
    char *grant, *purpose, *owner, *approver, *workload;
    int kind;
    struct conf_caller caller;
    int64_t ttl_ms, max_requests;
    int64_t started_by;                  /* uid, or nobody's */
    int64_t deadline_ms, renew_ms;       /* monotonic */
    int64_t begun_s, renew_s, expires_s; /* wall: what the token says */
    struct identity *identity;
    struct task_handle *handles;
    size_t n_handles;
    char id_room[TASK_ID_MAX];
    char password[PASSWORD_SIZE];
    int64_t ended_by; /* likewise; no worker asks */

    /* Written by every worker: apart from what all of them read. */
    alignas(CACHE_LINE) atomic_uint references;
    atomic_int cause;
    atomic_int_fast64_t left;
    atomic_uint_fast64_t settled; /* of the budget */
    atomic_uint_fast64_t allowed, refused, cut;
};

static const char *const words[] = {
    [TASK_LIVE] = "live",       [TASK_FINISHED] = "finished",
    [TASK_EXPIRED] = "expired", [TASK_REVOKED] = "revoked",
    [TASK_SPENT] = "spent",     [TASK_WITHDRAWN] = "withdrawn",
    [TASK_RENEWED] = "renewed", [TASK_STOPPED] = "stopped",
};

const char *
task_cause_word(enum task_cause cause)
{
    return words[cause];
}

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

static bool
is_within(const struct conf_caller *asked, const struct conf_caller *granted)
{
    if (asked->any)
        return granted->any;
    return asked->uid >= 0 && (granted->any || asked->uid == granted->uid);
}

static bool
id_is_sound(struct text id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.at[i] <= ' ' || id.at[i] > '~')
            return false;
    return id.n <= TASK_ID_MAX;
}

static enum reason
terms_check(const struct task_terms *t, int64_t now_s)
{
    const struct conf_grant *g = t->grant;

    if (now_s < g->approved_at || now_s >= g->expires_at)
        return REASON_GRANT_EXPIRED;
    if (t->ttl_ms < 0 || t->ttl_ms > g->ttl_ms || t->max_requests < 0)
        return REASON_TASK_TERMS;
    if (!is_within(&t->caller, &g->caller) || !id_is_sound(t->id))
        return REASON_TASK_TERMS;
    return REASON_OK;
}

/* ---- making */

static void
id_make(struct task *k, struct text given)
{
    unsigned char bytes[RANDOM_BYTES];

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
    unsigned char bytes[RANDOM_BYTES];

    random_bytes(bytes, sizeof bytes);
    (void)base64url_encode(bytes, sizeof bytes, k->password);
    explicit_bzero(bytes, sizeof bytes);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

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
    k->begun_s = now_s;
    k->expires_s = now_s + lives_s;
    k->renew_s = k->expires_s - early_ms / 1000;
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
    struct task *k = aligned_alloc(CACHE_LINE, sizeof *k);

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
    k->kind = g->task;
    k->caller = t->caller;
    k->ttl_ms = t->ttl_ms > 0 ? t->ttl_ms : g->ttl_ms;
    k->max_requests = t->max_requests;
    k->started_by = t->by != NULL ? (int64_t)*t->by : NOBODY;
    k->ended_by = NOBODY;
    id_make(k, t->id);
    password_make(k);
    set_times(k, g, now_s);
    return k;
}

static enum reason
identify(struct task *k, struct authority_key *authority)
{
    const struct context context = { .workload = text_z(k->workload),
                                     .task = k->id,
                                     .grant = text_z(k->grant),
                                     .purpose = text_z(k->purpose),
                                     .owner = text_z(k->owner) };

    return identity_new(authority, &context, k->begun_s, k->expires_s, &k->identity);
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
    const struct conf_rule *rules = t->grant->rules.at;
    const char *last = NULL;

    for (size_t i = 0; i < t->grant->rules.n; i++) {
        const struct conf_credential *c;

        /* Rules side by side often name the same one. */
        if (rules[i].credential == NULL ||
            (last != NULL && strcmp(last, rules[i].credential) == 0))
            continue;
        last = rules[i].credential;
        c = conf_credential(t->conf, last);
        if (c != NULL && handle_is_due(c) && !has_handle(k, c->name) &&
            !add_handle(k, c))
            return REASON_TASK_TERMS;
    }
    return REASON_OK;
}

/* ---- its life */

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

void
task_ref(struct task *k)
{
    atomic_fetch_add(&k->references, 1);
}

static void
free_handles(struct task *k)
{
    for (size_t i = 0; i < k->n_handles; i++) {
        free((void *)(uintptr_t)k->handles[i].value.at);
        free((void *)(uintptr_t)k->handles[i].credential);
        free((void *)(uintptr_t)k->handles[i].env);
    }
    free(k->handles);
}

void
task_unref(struct task *k)
{
    if (k == NULL || atomic_fetch_sub(&k->references, 1) != 1)
        return;
    identity_unref(k->identity);
    free_handles(k);
    free(k->grant);
    free(k->purpose);
    free(k->owner);
    free(k->approver);
    free(k->workload);
    explicit_bzero(k->password, sizeof k->password);
    free(k);
}

void
task_end(struct task *k, enum task_cause cause)
{
    int live = TASK_LIVE;

    (void)atomic_compare_exchange_strong(&k->cause, &live, (int)cause);
}

void
task_note_ender(struct task *k, uid_t by)
{
    if (task_cause(k) == TASK_LIVE)
        k->ended_by = by;
}

bool
task_is_live(const struct task *k, int64_t now_ms)
{
    return task_cause(k) == TASK_LIVE && now_ms < k->deadline_ms;
}

enum task_cause
task_cause(const struct task *k)
{
    return (enum task_cause)atomic_load_explicit(&k->cause, memory_order_acquire);
}

bool
task_is_fresh(const struct task *k, int64_t now_ms, int64_t now_s)
{
    return now_ms < k->renew_ms && now_s < k->renew_s && now_s >= k->begun_s;
}

enum reason
task_spend(struct task *k)
{
    int_fast64_t left = atomic_load_explicit(&k->left, memory_order_relaxed);

    if (k->max_requests == 0)
        return REASON_OK;
    while (left > 0)
        if (atomic_compare_exchange_weak(&k->left, &left, left - 1))
            return REASON_OK;
    return REASON_TASK_BUDGET;
}

/* Each that was taken is settled once: the last of them is the one that settles as many
 * as there were. */
bool
task_settle(struct task *k)
{
    if (k->max_requests == 0)
        return false;
    return (int64_t)atomic_fetch_add(&k->settled, 1) + 1 == k->max_requests;
}

static void
add(atomic_uint_fast64_t *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

void
task_count(struct task *k, bool allowed)
{
    add(allowed ? &k->allowed : &k->refused, 1);
}

void
task_count_cut(struct task *k, uint64_t n)
{
    add(&k->cut, n);
}

void
task_counts(const struct task *k, struct task_counts *out)
{
    *out = (struct task_counts){ .allowed = atomic_load(&k->allowed),
                                 .refused = atomic_load(&k->refused),
                                 .cut = atomic_load(&k->cut),
                                 .left = atomic_load(&k->left) };
}

/* ---- what it is */

struct text
task_id(const struct task *k)
{
    return k->id;
}

const char *
task_grant(const struct task *k)
{
    return k->grant;
}

const char *
task_purpose(const struct task *k)
{
    return k->purpose;
}

const char *
task_owner(const struct task *k)
{
    return k->owner;
}

const char *
task_approver(const struct task *k)
{
    return k->approver;
}

const char *
task_workload(const struct task *k)
{
    return k->workload;
}

int
task_kind(const struct task *k)
{
    return k->kind;
}

const struct conf_caller *
task_caller(const struct task *k)
{
    return &k->caller;
}

int64_t
task_deadline_ms(const struct task *k)
{
    return k->deadline_ms;
}

int64_t
task_renew_ms(const struct task *k)
{
    return k->renew_ms;
}

int64_t
task_begun_s(const struct task *k)
{
    return k->begun_s;
}

int64_t
task_expires_s(const struct task *k)
{
    return k->expires_s;
}

int64_t
task_ttl_ms(const struct task *k)
{
    return k->ttl_ms;
}

int64_t
task_max_requests(const struct task *k)
{
    return k->max_requests;
}

int64_t
task_started_by(const struct task *k)
{
    return k->started_by;
}

int64_t
task_ended_by(const struct task *k)
{
    return k->ended_by;
}

struct identity *
task_identity(const struct task *k)
{
    return k->identity;
}

size_t
task_handles(const struct task *k, const struct task_handle **out)
{
    *out = k->handles;
    return k->n_handles;
}

struct text
task_password(const struct task *k)
{
    return text_of(k->password, sizeof k->password);
}

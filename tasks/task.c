/* Standing tasks, found by the name of their grant. Everything that makes two tasks
 * different is copied: configs come and go while a task lives. */
#include "tasks/task.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    ID_BYTES = 16,
    ID_SIZE = 2 + BASE64URL_SIZE(ID_BYTES),
    FIRST_BUCKETS = 64,
    EARLY_MS = 5000 /* how long a request may be on its way with our token */
};

/* A task and those that renewed it: they end together. */
struct lineage {
    unsigned references;
    bool ended;
};

struct task {
    struct task *next;
    unsigned references; /* one is the table's */
    bool marked;
    struct lineage *lineage;

    char *grant, *owner, *purpose, *workload;
    int64_t ttl_ms;

    char id[ID_SIZE];
    struct presenter *presenter;
    int64_t deadline_ms, renew_ms; /* monotonic */
    int64_t begun_s, renew_s;      /* wall: what the token says */
};

struct tasks {
    struct authority_key *authority;
    const struct conf *current;
    struct task **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;
    uint64_t issued;
};

struct tasks *
tasks_new(struct authority_key *authority)
{
    struct tasks *t = memory_new(sizeof *t);

    t->authority = authority;
    t->n_buckets = FIRST_BUCKETS;
    t->buckets = memory_new_array(t->n_buckets, sizeof(struct task *));
    return t;
}

/* ---- one task */

static const char *
purpose_of(const struct conf_grant *g)
{
    return g->purposes.n > 0 ? g->purposes.at[0] : "";
}

static const char *
workload_of(const struct conf *conf)
{
    return conf->workload.id != NULL ? conf->workload.id : "";
}

static bool
is_of(const struct task *k, const struct conf *conf, const struct conf_grant *g)
{
    return k->ttl_ms == g->ttl_ms && strcmp(k->grant, g->name) == 0 &&
           strcmp(k->owner, g->owner) == 0 && strcmp(k->purpose, purpose_of(g)) == 0 &&
           strcmp(k->workload, workload_of(conf)) == 0;
}

static struct lineage *
lineage_ref(struct lineage *l)
{
    if (l == NULL)
        l = memory_new(sizeof *l);
    l->references++;
    return l;
}

static void
lineage_unref(struct lineage *l)
{
    if (--l->references == 0)
        free(l);
}

static void
task_wipe(struct task *k)
{
    lineage_unref(k->lineage);
    presenter_free(k->presenter);
    free(k->grant);
    free(k->owner);
    free(k->purpose);
    free(k->workload);
    free(k);
}

void
task_unref(struct task *k)
{
    if (k != NULL && --k->references == 0)
        task_wipe(k);
}

static void
make_id(char id[ID_SIZE])
{
    unsigned char bytes[ID_BYTES];

    random_bytes(bytes, sizeof bytes);
    memcpy(id, "t-", 2);
    (void)base64url_encode(bytes, sizeof bytes, id + 2);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sets the times; returns when the token expires. */
static int64_t
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
    k->renew_s = now_s + lives_s - early_ms / 1000;
    k->deadline_ms = clock_monotonic_ms() + lives_ms;
    k->renew_ms = k->deadline_ms - early_ms;
    return now_s + lives_s;
}

static enum reason
task_begin(struct tasks *t, const struct conf *conf, const struct conf_grant *g,
           const struct task *renewed, int64_t now_s, struct task **out)
{
    struct task *k = memory_new(sizeof *k);
    struct context context;
    enum reason why;
    int64_t exp_s;

    *out = NULL;
    k->references = 1;
    k->lineage = lineage_ref(renewed != NULL ? renewed->lineage : NULL);
    k->grant = memory_copy_z(g->name);
    k->owner = memory_copy_z(g->owner);
    k->purpose = memory_copy_z(purpose_of(g));
    k->workload = memory_copy_z(workload_of(conf));
    k->ttl_ms = g->ttl_ms;
    make_id(k->id);
    exp_s = set_times(k, g, now_s);
    context = (struct context){ .workload = text_z(k->workload),
                                .task = task_id(k),
                                .grant = text_z(k->grant),
                                .purpose = text_z(k->purpose),
                                .owner = text_z(k->owner) };
    why = presenter_new(t->authority, &context, now_s, exp_s, &k->presenter);
    if (why != REASON_OK) {
        task_unref(k);
        return why;
    }
    t->issued++;
    *out = k;
    return REASON_OK;
}

struct text
task_id(const struct task *k)
{
    return text_of(k->id, sizeof k->id);
}

struct presenter *
task_presenter(const struct task *k)
{
    return k->presenter;
}

bool
task_is_live(const struct task *k)
{
    return !k->lineage->ended && clock_monotonic_ms() < k->deadline_ms;
}

/* The wall clock may have been set since: a token from the future, or one that others
 * take for expired, is renewed whatever the monotonic clock says. */
static bool
is_fresh(const struct task *k, int64_t now_s)
{
    return clock_monotonic_ms() < k->renew_ms && now_s < k->renew_s &&
           now_s >= k->begun_s;
}

/* ---- the table */

static size_t
hash(const char *grant)
{
    size_t h = 5381;

    for (; *grant != '\0'; grant++)
        h = h * 33 ^ (unsigned char)*grant;
    return h;
}

static struct task **
bucket_of(const struct tasks *t, const char *grant)
{
    return &t->buckets[hash(grant) & (t->n_buckets - 1)];
}

static struct task **
find(const struct tasks *t, const struct conf *conf, const struct conf_grant *g)
{
    struct task **at = bucket_of(t, g->name);

    while (*at != NULL && !is_of(*at, conf, g))
        at = &(*at)->next;
    return at;
}

static void
grow(struct tasks *t)
{
    struct task **old = t->buckets;
    size_t n = t->n_buckets;

    t->n_buckets *= 2;
    t->buckets = memory_new_array(t->n_buckets, sizeof(struct task *));
    for (size_t i = 0; i < n; i++) {
        for (struct task *k = old[i], *next; k != NULL; k = next) {
            struct task **at = bucket_of(t, k->grant);

            next = k->next;
            k->next = *at;
            *at = k;
        }
    }
    free(old);
}

static void
put(struct tasks *t, struct task *k)
{
    struct task **at;

    if (++t->n > t->n_buckets)
        grow(t);
    at = bucket_of(t, k->grant);
    k->next = *at;
    *at = k;
}

/* The table lets go of it. */
static void
drop(struct tasks *t, struct task **at)
{
    struct task *k = *at;

    *at = k->next;
    k->next = NULL;
    t->n--;
    task_unref(k);
}

static void
end(struct tasks *t, struct task **at)
{
    (*at)->lineage->ended = true;
    drop(t, at);
}

static void
end_unmarked(struct tasks *t)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        struct task **at = &t->buckets[i];

        while (*at != NULL) {
            if (!(*at)->marked) {
                end(t, at);
                continue;
            }
            (*at)->marked = false;
            at = &(*at)->next;
        }
    }
}

void
tasks_free(struct tasks *t)
{
    if (t == NULL)
        return;
    end_unmarked(t);
    free(t->buckets);
    free(t);
}

void
tasks_keep_only(struct tasks *t, const struct conf *conf)
{
    const struct conf_grant *grants = conf->grants.at;

    t->current = conf;
    for (size_t i = 0; i < conf->grants.n && t->n > 0; i++) {
        struct task *k = *find(t, conf, &grants[i]);

        if (k != NULL)
            k->marked = true;
    }
    end_unmarked(t);
}

uint64_t
tasks_issued(const struct tasks *t)
{
    return t->issued;
}

size_t
tasks_count(const struct tasks *t)
{
    return t->n;
}

/* ---- taking */

static bool
is_same_grant(const struct conf *a, const struct conf_grant *in_a, const struct conf *b,
              const struct conf_grant *in_b)
{
    return in_a->ttl_ms == in_b->ttl_ms && strcmp(in_a->name, in_b->name) == 0 &&
           strcmp(in_a->owner, in_b->owner) == 0 &&
           strcmp(purpose_of(in_a), purpose_of(in_b)) == 0 &&
           strcmp(workload_of(a), workload_of(b)) == 0;
}

/* An exchange keeps the generation it began with, but begins no task under a grant that
 * has gone since. */
static bool
is_granted_still(const struct tasks *t, const struct conf *conf,
                 const struct conf_grant *g)
{
    const struct conf_grant *grants;

    if (t->current == NULL || t->current == conf)
        return true;
    grants = t->current->grants.at;
    for (size_t i = 0; i < t->current->grants.n; i++) {
        if (is_same_grant(conf, g, t->current, &grants[i]))
            return true;
    }
    return false;
}

enum reason
tasks_take(struct tasks *t, const struct conf *conf, const struct conf_grant *grant,
           struct task **out)
{
    int64_t now_s = clock_wall_s();
    struct task **at = find(t, conf, grant);
    struct task *k;
    enum reason why;

    *out = NULL;
    if (now_s < grant->approved_at || now_s >= grant->expires_at)
        return REASON_GRANT_EXPIRED;
    if (!is_granted_still(t, conf, grant))
        return REASON_TASK_ENDED;
    if (*at == NULL || !is_fresh(*at, now_s)) {
        if ((why = task_begin(t, conf, grant, *at, now_s, &k)) != REASON_OK)
            return why;
        if (*at != NULL)
            drop(t, at);
        put(t, k);
        at = find(t, conf, grant);
    }
    (*at)->references++;
    *out = *at;
    return REASON_OK;
}

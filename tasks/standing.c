/* Standing tasks, found by the name of their grant; each with a presenter for this
 * thread. One that was renewed stays in its place behind the next until its time is
 * over, so that it ends with it. */
#include "tasks/standing.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

struct standing {
    struct standing *next;
    struct task *task;
    struct presenter *presenter; /* made at first need */
    bool marked, renewed;
};

struct tasks {
    struct authority_key *authority;
    const struct conf *current;
    struct standing **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;         /* not renewed */
    uint64_t issued;
};

struct tasks *
tasks_new(struct authority_key *authority)
{
    struct tasks *t = memory_new(sizeof *t);

    t->authority = authority;
    t->n_buckets = FIRST_BUCKETS;
    t->buckets = memory_new_array(t->n_buckets, sizeof(struct standing *));
    return t;
}

/* ---- which task is whose */

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
    return task_ttl_ms(k) == g->ttl_ms && strcmp(task_grant(k), g->name) == 0 &&
           strcmp(task_owner(k), g->owner) == 0 &&
           strcmp(task_purpose(k), purpose_of(g)) == 0 &&
           strcmp(task_workload(k), workload_of(conf)) == 0;
}

static size_t
hash(const char *grant)
{
    size_t h = 5381;

    for (; *grant != '\0'; grant++)
        h = h * 33 ^ (unsigned char)*grant;
    return h;
}

static struct standing **
bucket_of(const struct tasks *t, const char *grant)
{
    return &t->buckets[hash(grant) & (t->n_buckets - 1)];
}

/* What stands here of this grant and has not been renewed; NULL: nothing does. */
static struct standing *
find(const struct tasks *t, const struct conf *conf, const struct conf_grant *g)
{
    struct standing *p = *bucket_of(t, g->name);

    while (p != NULL && (p->renewed || !is_of(p->task, conf, g)))
        p = p->next;
    return p;
}

/* ---- the table */

static void
grow(struct tasks *t)
{
    struct standing **old = t->buckets;
    size_t n = t->n_buckets;

    t->n_buckets *= 2;
    t->buckets = memory_new_array(t->n_buckets, sizeof(struct standing *));
    for (size_t i = 0; i < n; i++) {
        for (struct standing *p = old[i], *next; p != NULL; p = next) {
            struct standing **at = bucket_of(t, task_grant(p->task));

            next = p->next;
            p->next = *at;
            *at = p;
        }
    }
    free(old);
}

static void
put(struct tasks *t, struct task *k)
{
    struct standing *p = memory_new(sizeof *p);
    struct standing **at;

    if (++t->n > t->n_buckets)
        grow(t);
    at = bucket_of(t, task_grant(k));
    p->task = k;
    p->next = *at;
    *at = p;
}

static void
drop(struct tasks *t, struct standing **at, enum task_cause cause)
{
    struct standing *p = *at;

    *at = p->next;
    t->n -= !p->renewed;
    task_end(p->task, cause);
    task_unref(p->task);
    presenter_free(p->presenter);
    free(p);
}

/* Those that were renewed and whose own time is over. */
static void
sweep(struct tasks *t, struct standing **at, int64_t now_ms)
{
    while (*at != NULL) {
        if ((*at)->renewed && !task_is_live((*at)->task, now_ms))
            drop(t, at, TASK_RENEWED);
        else
            at = &(*at)->next;
    }
}

static void
end_unmarked(struct tasks *t, enum task_cause cause)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        struct standing **at = &t->buckets[i];

        while (*at != NULL) {
            if (!(*at)->marked) {
                drop(t, at, cause);
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
    end_unmarked(t, TASK_STOPPED);
    free(t->buckets);
    free(t);
}

static void
mark(struct tasks *t, const struct conf *conf, const struct conf_grant *g)
{
    for (struct standing *p = *bucket_of(t, g->name); p != NULL; p = p->next)
        p->marked |= is_of(p->task, conf, g);
}

void
tasks_keep_only(struct tasks *t, const struct conf *conf)
{
    const struct conf_grant *grants = conf->grants.at;

    t->current = conf;
    for (size_t i = 0; i < conf->grants.n && t->n > 0; i++)
        mark(t, conf, &grants[i]);
    end_unmarked(t, TASK_WITHDRAWN);
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

static enum reason
begin(struct tasks *t, const struct conf *conf, const struct conf_grant *g,
      struct standing *before, struct task **out)
{
    const struct task_terms terms = { .conf = conf, .grant = g, .caller = g->caller };
    enum reason why = task_new(t->authority, &terms, out);

    if (why != REASON_OK)
        return why;
    t->issued++;
    if (before != NULL) {
        before->renewed = true;
        t->n--;
    }
    put(t, *out);
    return REASON_OK;
}

enum reason
tasks_take(struct tasks *t, const struct conf *conf, const struct conf_grant *grant,
           struct task **out)
{
    int64_t now_ms = clock_monotonic_ms(), now_s = clock_wall_s();
    struct standing *p;
    enum reason why;

    *out = NULL;
    if (now_s < grant->approved_at || now_s >= grant->expires_at)
        return REASON_GRANT_EXPIRED;
    if (!is_granted_still(t, conf, grant))
        return REASON_TASK_ENDED;
    sweep(t, bucket_of(t, grant->name), now_ms);
    p = find(t, conf, grant);
    if (p != NULL && task_is_fresh(p->task, now_ms, now_s))
        *out = p->task;
    else if ((why = begin(t, conf, grant, p, out)) != REASON_OK)
        return why;
    task_ref(*out);
    return REASON_OK;
}

struct presenter *
tasks_presenter(struct tasks *t, const struct task *k)
{
    struct standing *p = *bucket_of(t, task_grant(k));

    while (p != NULL && p->task != k)
        p = p->next;
    if (p == NULL)
        return NULL;
    if (p->presenter == NULL)
        p->presenter = presenter_new(task_identity(k));
    return p->presenter;
}

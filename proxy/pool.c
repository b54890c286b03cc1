#include "proxy/pool.h"

#include "base/memory.h"

#include <stdlib.h>

enum { BUCKETS = 64, SERVICES = 256 };

struct pool {
    struct loop *loop;
    size_t per_key, in_all, n;
    int64_t idle_ms;
    struct list buckets[BUCKETS];
    struct list ages;
    struct list approaches;
    /* By a hash of the key: this service was last seen to speak HTTP/1. Two that share
     * a place cost each other a connection more, or a short wait. */
    bool alone[SERVICES];
};

struct pool *
pool_new(struct loop *loop, size_t per_key, size_t in_all, int64_t idle_ms)
{
    struct pool *p = memory_new(sizeof *p);

    p->loop = loop;
    p->per_key = per_key;
    p->in_all = in_all;
    p->idle_ms = idle_ms;
    list_init(&p->ages);
    list_init(&p->approaches);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&p->buckets[i]);
    return p;
}

static struct list *
bucket(struct pool *p, const struct upstream_key *key)
{
    return &p->buckets[upstream_key_hash(key) % BUCKETS];
}

static bool *
is_alone(struct pool *p, const struct upstream_key *key)
{
    return &p->alone[upstream_key_hash(key) % SERVICES];
}

/* ---- who is idle */

void
pool_forget_idle(struct upstream *u)
{
    if (!list_is_linked(&u->age))
        return;
    list_remove(&u->age);
    alarm_clear(&u->idle_alarm);
    u->pool->n--;
}

static void
note_idle(struct pool *p, struct upstream *u)
{
    u->pool = p;
    p->n++;
    list_add_last(&p->ages, &u->age);
    alarm_set(p->loop, &u->idle_alarm, p->idle_ms);
}

/* Nobody new rides on it. */
static void
retire(struct upstream *u)
{
    list_remove(&u->kept);
    if (u->n_riders == 0)
        upstream_close(u);
}

void
pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (!list_is_empty(&p->buckets[i]))
            retire(LIST_OWNER(p->buckets[i].next, struct upstream, kept));
    while (!list_is_empty(&p->approaches))
        approach_end(p, LIST_OWNER(p->approaches.next, struct approach, member));
    free(p);
}

/* ---- taking and giving */

/* What came on one that rides alone is in the buffer before its bell is answered: not
 * to be taken for an answer. The bell closes it. */
static bool
takes_another(const struct upstream *u)
{
    if (!upstream_is_shared(u))
        return upstream_is_quiet(u);
    return u->link.state == LINK_OPEN && !u->link.read_ended && wire_may_reuse(u->wire);
}

struct upstream *
pool_take(struct pool *p, const struct upstream_key *key)
{
    struct list *head = bucket(p, key);

    for (struct list *m = head->next; m != head; m = m->next) {
        struct upstream *u = LIST_OWNER(m, struct upstream, kept);

        if (!upstream_key_equals(&u->key, key) || !takes_another(u))
            continue;
        pool_forget_idle(u);
        if (!upstream_is_shared(u))
            list_remove(&u->kept);
        u->used_before = true;
        u->n_riders++;
        return u;
    }
    return NULL;
}

bool
pool_is_full(struct pool *p, const struct upstream_key *key)
{
    struct list *head = bucket(p, key);
    bool is_shared = false;

    for (struct list *m = head->next; m != head; m = m->next) {
        struct upstream *u = LIST_OWNER(m, struct upstream, kept);

        if (!upstream_key_equals(&u->key, key))
            continue;
        if (takes_another(u))
            return false;
        is_shared |= upstream_is_shared(u) && !wire_is_over(u->wire);
    }
    return is_shared;
}

void
pool_share(struct pool *p, struct upstream *u)
{
    *is_alone(p, &u->key) = !upstream_is_shared(u);
    if (upstream_is_shared(u))
        list_add_first(bucket(p, &u->key), &u->kept);
}

static size_t
count_idle(struct list *head, const struct upstream_key *key)
{
    size_t n = 0;

    for (struct list *m = head->next; m != head; m = m->next) {
        const struct upstream *u = LIST_OWNER(m, struct upstream, kept);

        n += list_is_linked(&u->age) && upstream_key_equals(&u->key, key);
    }
    return n;
}

/* One that is shared and on no list any more has been retired. */
static bool
is_worth_keeping(struct pool *p, struct upstream *u)
{
    if (upstream_is_shared(u) ? !list_is_linked(&u->kept) : !wire_may_reuse(u->wire))
        return false;
    return takes_another(u) && count_idle(bucket(p, &u->key), &u->key) < p->per_key;
}

void
pool_give(struct pool *p, struct upstream *u)
{
    u->user = NULL;
    if (--u->n_riders > 0) {
        upstream_move(u);
        return;
    }
    if (!is_worth_keeping(p, u)) {
        upstream_close(u);
        return;
    }
    upstream_move(u);
    if (p->n >= p->in_all && p->n > 0)
        upstream_close(LIST_OWNER(p->ages.next, struct upstream, age));
    if (!list_is_linked(&u->kept))
        list_add_first(bucket(p, &u->key), &u->kept);
    note_idle(p, u);
}

void
pool_drop_task(struct pool *p, struct text task)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct list *m = p->buckets[i].next, *next; m != &p->buckets[i];
             m = next) {
            struct upstream *u = LIST_OWNER(m, struct upstream, kept);

            next = m->next;
            if (upstream_key_is_of(&u->key, task))
                retire(u);
        }
}

size_t
pool_count(const struct pool *p)
{
    return p->n;
}

bool
pool_let_go(struct pool *p)
{
    if (list_is_empty(&p->ages))
        return false;
    upstream_close(LIST_OWNER(p->ages.next, struct upstream, age));
    return true;
}

/* ---- on the way to a new one */

void
approach_begin(struct pool *p, struct approach *a, const struct upstream_key *key)
{
    a->key = *key;
    list_init(&a->followers);
    list_add_last(&p->approaches, &a->member);
}

void
approach_end(struct pool *p, struct approach *a)
{
    if (!list_is_linked(&a->member))
        return;
    list_remove(&a->member);
    while (!list_is_empty(&a->followers)) {
        struct follower *f = LIST_OWNER(a->followers.next, struct follower, member);

        list_remove(&f->member);
        wake_ring(p->loop, f->bell);
    }
}

bool
approach_follow(struct pool *p, const struct upstream_key *key, struct follower *f)
{
    if (key->http == CONF_HTTP_1 || *is_alone(p, key))
        return false;
    for (struct list *m = p->approaches.next; m != &p->approaches; m = m->next) {
        struct approach *a = LIST_OWNER(m, struct approach, member);

        if (!upstream_key_equals(&a->key, key))
            continue;
        list_add_last(&a->followers, &f->member);
        return true;
    }
    return false;
}

void
approach_leave(struct follower *f)
{
    list_remove(&f->member);
}

#include "proxy/upstream.h"

#include "base/clock.h"
#include "proxy/sessions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 64 };

struct pool {
    struct loop *loop;
    size_t per_key, in_all, n;
    int64_t idle_ms;
    struct list buckets[BUCKETS];
    struct list ages;
};

/* Nothing came: neither an end, nor an answer that nobody asked for. */
static bool
is_quiet(const struct upstream *u)
{
    return u->link.state == LINK_OPEN && !u->link.read_ended &&
           buf_length(&u->link.in) == 0 &&
           (u->link.tls == NULL || !tls_has_pending(u->link.tls));
}

/* The bell of an idle one may be its last user's, or TLS's own (a ticket). */
static void
on_bell(void *owner)
{
    struct upstream *u = owner;

    if (u->user != NULL)
        u->on_change(u->user);
    else if (!is_quiet(u))
        upstream_close(u);
}

static void
on_idle(void *owner)
{
    upstream_close(owner);
}

struct upstream *
upstream_dial(struct loop *loop, const struct upstream_key *key,
              const struct address *address, uint16_t port,
              const struct wire_limits *limits, size_t ceiling,
              void (*on_change)(void *user), void *user)
{
    struct upstream *u = calloc(1, sizeof *u);

    assert(u != NULL);
    u->bell = (struct wake){ .answer = on_bell, .owner = u };
    u->idle_alarm = (struct alarm){ .on_due = on_idle, .owner = u };
    u->key = *key;
    u->address = *address;
    u->port = port;
    u->on_change = on_change;
    u->user = user;
    u->began_us = clock_monotonic_us();
    if (link_connect(&u->link, loop, address, port, ceiling, &u->bell) != REASON_OK) {
        upstream_close(u);
        return NULL;
    }
    u->wire = wire_new(WIRE_HTTP1, WIRE_CLIENT, limits, &u->link.in, &u->link.out);
    return u;
}

static void
keep_session(void *owner, struct tls_session *session)
{
    struct upstream *u = owner;

    if (u->sessions != NULL)
        sessions_keep(u->sessions, &u->key, session);
    else
        tls_session_free(session);
}

void
upstream_forget_task(struct upstream *u)
{
    u->sessions = NULL;
}

void
upstream_begin_tls(struct upstream *u, struct tls_client *c, struct sessions *sessions)
{
    struct tls *t = tls_dial(c, u->link.fd, &u->key.target.host, ALPN_H1);
    struct tls_session *session = sessions_take(sessions, &u->key);

    u->sessions = sessions;
    tls_keep_sessions(t, keep_session, u);
    if (session != NULL) {
        tls_resume(t, session);
        tls_session_free(session);
    }
    link_dial_tls(&u->link, t);
}

static void
leave_pool(struct upstream *u)
{
    if (!list_is_linked(&u->idle))
        return;
    list_remove(&u->idle);
    list_remove(&u->age);
    alarm_clear(&u->idle_alarm);
    u->pool->n--;
}

void
upstream_close(struct upstream *u)
{
    if (u == NULL)
        return;
    leave_pool(u);
    wake_cancel(&u->bell);
    wire_free(u->wire);
    link_close(&u->link);
    free(u);
}

/* ---- the pool */

unsigned
upstream_key_hash(const struct upstream_key *key)
{
    unsigned h = 5381;

    for (size_t i = 0; i < key->target.host.n; i++)
        h = h * 33 + (unsigned char)key->target.host.name[i];
    return h + key->target.port;
}

static struct list *
bucket(struct pool *p, const struct upstream_key *key)
{
    return &p->buckets[upstream_key_hash(key) % BUCKETS];
}

bool
upstream_key_equals(const struct upstream_key *a, const struct upstream_key *b)
{
    return a->client == b->client && a->grant == b->grant &&
           a->presents == b->presents && authority_equals(&a->target, &b->target) &&
           strcmp(a->task, b->task) == 0;
}

bool
upstream_key_is_of(const struct upstream_key *key, struct text task)
{
    return text_equals(text_z(key->task), task);
}

struct pool *
pool_new(struct loop *loop, size_t per_key, size_t in_all, int64_t idle_ms)
{
    struct pool *p = calloc(1, sizeof *p);

    assert(p != NULL);
    p->loop = loop;
    p->per_key = per_key;
    p->in_all = in_all;
    list_init(&p->ages);
    p->idle_ms = idle_ms;
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&p->buckets[i]);
    return p;
}

void
pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (!list_is_empty(&p->buckets[i]))
            upstream_close(LIST_OWNER(p->buckets[i].next, struct upstream, idle));
    free(p);
}

struct upstream *
pool_take(struct pool *p, const struct upstream_key *key)
{
    struct list *head = bucket(p, key);

    for (struct list *m = head->next; m != head; m = m->next) {
        struct upstream *u = LIST_OWNER(m, struct upstream, idle);

        /* What came is in the buffer before its bell is answered: not to be taken for
         * an answer. The bell closes it. */
        if (!upstream_key_equals(&u->key, key) || !is_quiet(u))
            continue;
        leave_pool(u);
        u->used_before = true;
        return u;
    }
    return NULL;
}

static size_t
count_kept(struct list *head, const struct upstream_key *key)
{
    size_t n = 0;

    for (struct list *m = head->next; m != head; m = m->next)
        n += upstream_key_equals(&LIST_OWNER(m, struct upstream, idle)->key, key);
    return n;
}

void
pool_give(struct pool *p, struct upstream *u)
{
    struct list *head = bucket(p, &u->key);

    u->user = NULL;
    if (!wire_may_reuse(u->wire) || !is_quiet(u) ||
        count_kept(head, &u->key) >= p->per_key) {
        upstream_close(u);
        return;
    }
    if (p->n >= p->in_all && p->n > 0)
        upstream_close(LIST_OWNER(p->ages.next, struct upstream, age));
    u->pool = p;
    p->n++;
    list_add_first(head, &u->idle);
    list_add_last(&p->ages, &u->age);
    alarm_set(p->loop, &u->idle_alarm, p->idle_ms);
}

void
pool_drop_task(struct pool *p, struct text task)
{
    for (struct list *m = p->ages.next, *next; m != &p->ages; m = next) {
        struct upstream *u = LIST_OWNER(m, struct upstream, age);

        next = m->next;
        if (upstream_key_is_of(&u->key, task))
            upstream_close(u);
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

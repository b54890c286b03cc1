/* Upstream connections, and the few that wait for the next request of the same
 * identity. What was verified and judged when it was dialled stays true of a
 * connection; its address is judged again before another rule's request rides on it. */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "base/host.h"
#include "base/list.h"
#include "http/wire.h"
#include "proxy/link.h"
#include "tasks/task.h"

/* Whose a connection is: nothing else may ride on it (DESIGN.md G9). */
struct upstream_key {
    struct authority target;
    const struct tls_client *client; /* NULL: plain */
    const void *grant;               /* of this generation; a gate's door */
    bool presents;                   /* its requests leave with a credential */
    char task[TASK_ID_MAX + 1];      /* id; empty at a gate */
};

bool upstream_key_equals(const struct upstream_key *a, const struct upstream_key *b);
bool upstream_key_is_of(const struct upstream_key *key, struct text task);
unsigned upstream_key_hash(const struct upstream_key *key);

struct sessions;

struct upstream {
    struct link link;
    struct wire *wire;
    struct wake bell;
    void (*on_change)(void *user); /* the exchange that rides on it */
    void *user;
    struct upstream_key key;
    struct address address;
    uint16_t port;
    int64_t began_us; /* when it was dialled */
    bool used_before;
    const void *judged_for;    /* the rule its address was last judged by */
    struct sessions *sessions; /* where those it is given are kept; NULL: nowhere */
    struct pool *pool;
    struct list idle; /* of its bucket */
    struct list age;  /* of all that are idle, the longest first */
    struct alarm idle_alarm;
};

struct pool;
/* At most per_key idle ones of a key, and in_all; the longest idle makes way. */
struct pool *pool_new(struct loop *loop, size_t per_key, size_t in_all,
                      int64_t idle_ms);
/* Closes what is idle; connections in use are their users'. */
void pool_free(struct pool *p);

/* The freshest idle connection of this key, now `user`'s; NULL when there is none. */
struct upstream *pool_take(struct pool *p, const struct upstream_key *key);
/* Keeps it for another, or closes it when the wire may not be used again or enough are
 * kept. */
void pool_give(struct pool *p, struct upstream *u);
/* This task has ended: closes what waits for its next request. */
void pool_drop_task(struct pool *p, struct text task);
/* How many are idle. */
size_t pool_count(const struct pool *p);
/* Closes the one that has been idle longest; false: there is none. */
bool pool_let_go(struct pool *p);

/* Begins to connect; changes come by on_change. NULL, with errno, when it cannot even
 * begin. */
struct upstream *upstream_dial(struct loop *loop, const struct upstream_key *key,
                               const struct address *address, uint16_t port,
                               const struct wire_limits *limits, size_t ceiling,
                               void (*on_change)(void *user), void *user);
/* Connected: begins TLS with what its key says, resuming a session of the key if there
 * is one. `sessions` outlives the connection. */
void upstream_begin_tls(struct upstream *u, struct tls_client *c,
                        struct sessions *sessions);
/* Its task has ended: it may go on to its end, but what TLS still gives for a next
 * connection is not kept. */
void upstream_forget_task(struct upstream *u);
void upstream_close(struct upstream *u);

#endif

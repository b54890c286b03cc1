/* The upstream connections that may carry another request of the same identity: those
 * that wait for one, and those of HTTP/2 that carry some already and have room. And who
 * is on the way to a new one, so that a hundred requests at once to a service that
 * speaks HTTP/2 dial it once. */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "proxy/upstream.h"

struct pool;

/* At most per_key idle ones of a key, and in_all; the longest idle makes way. */
struct pool *pool_new(struct loop *loop, size_t per_key, size_t in_all,
                      int64_t idle_ms);
/* Closes what is idle; connections in use are their users', and carry nothing new.
 * Whoever waits for one is woken. */
void pool_free(struct pool *p);

/* The freshest connection of this key that takes a request, now `user`'s too: he rides
 * on it until pool_give. NULL when there is none. */
struct upstream *pool_take(struct pool *p, const struct upstream_key *key);
/* There is one that many ride on, but none has a place. */
bool pool_is_full(struct pool *p, const struct upstream_key *key);
/* One that was just dialled, is verified, and has its dialler for a rider: if it is of
 * HTTP/2, others find it from now on. */
void pool_share(struct pool *p, struct upstream *u);
/* A rider leaves. The last one's is kept for another, or closed when the wire may not
 * be used again or enough are kept. */
void pool_give(struct pool *p, struct upstream *u);
/* This task has ended: closes what waits for its next request, and lets nothing new
 * ride on the others. */
void pool_drop_task(struct pool *p, struct text task);
/* How many are idle. */
size_t pool_count(const struct pool *p);
/* From upstream_close. */
void pool_forget_idle(struct upstream *u);
/* Closes the one that has been idle longest; false: there is none. */
bool pool_let_go(struct pool *p);

/* ---- on the way to a new one */

/* Embedded in who dials. */
struct approach {
    struct list member;
    struct upstream_key key;
    struct list followers;
};

/* Embedded in who waits for that: his bell is rung once, when the approach is over,
 * whatever came of it. A zeroed one waits for nothing. */
struct follower {
    struct list member;
    struct wake *bell;
};

/* Others of this key may wait for us. */
void approach_begin(struct pool *p, struct approach *a, const struct upstream_key *key);
/* It is over, or was never begun. */
void approach_end(struct pool *p, struct approach *a);
/* True when somebody is on the way to what both could ride on: wait for the bell. False
 * too when this key's service is known to speak HTTP/1 alone. */
bool approach_follow(struct pool *p, const struct upstream_key *key,
                     struct follower *f);
void approach_leave(struct follower *f);

#endif

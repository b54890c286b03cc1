/* An epoch: a generation as one worker lives it, with what that worker has made under
 * it: its resolver, its upstream connections, its TLS sessions. An exchange keeps the
 * epoch it began in; the last to leave frees it. On the worker's own thread alone. */
#ifndef PROXY_EPOCH_H
#define PROXY_EPOCH_H

#include "base/list.h"
#include "proxy/generation.h"
#include "proxy/resolve.h"
#include "proxy/sessions.h"
#include "proxy/pool.h"
#include "tokens/vault.h"

struct exchange;
struct worker;

struct epoch {
    struct generation *generation;
    struct vault *vault; /* its secrets, as they are now: another one at any turn */
    struct resolver *resolver;
    struct pool *pool;
    struct sessions *sessions; /* TLS, of upstreams */
    struct list exchanges;     /* begun under it and not over */
    unsigned
        references; /* exchanges, and the worker itself while it is the current one */
    struct list older;
};

/* Takes over a reference to each; so do the next two. */
struct epoch *epoch_new(struct worker *w, struct generation *g, struct vault *secrets);
/* The worker's current one from now on. What was begun under older ones goes on; but at
 * most limits.generations live, and the oldest is cut. */
void epoch_adopt(struct worker *w, struct generation *g, struct vault *secrets);
/* Secrets of a generation that it has adopted, as they are now. */
void epoch_keep(struct worker *w, struct generation *g, struct vault *secrets);
/* An exchange of which nothing was judged yet goes over to the current one: a task that
 * was begun under narrower rules is never used under those before. */
void epoch_move(struct exchange *x);
void epoch_ref(struct epoch *e);
void epoch_unref(struct epoch *e);

#endif

/* Upstream connections. What was verified and judged when one was dialled stays true of
 * it; its address is judged again before another rule's request rides on it. Which wait
 * for a next request is pool.h's. */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "base/host.h"
#include "base/list.h"
#include "conf/conf.h"
#include "http/wire.h"
#include "proxy/link.h"
#include "tasks/task.h"

/* Whose a connection is: nothing else may ride on it (DESIGN.md G9). */
struct upstream_key {
    struct authority target;
    const struct tls_client *client;  /* NULL: plain */
    const void *grant;                /* of this generation; a gate's door */
    bool presents;                    /* its requests leave with a credential */
    char shows[PAIR_THUMBPRINT_SIZE]; /* of the certificate that the service is shown,
                                         and asked for; empty: none */
    enum conf_http http;              /* what it is offered */
    bool opaque;                      /* TLS that nobody opens here lies upon it */
    char task[TASK_ID_MAX + 1];       /* id; empty at a gate */
};

bool upstream_key_equals(const struct upstream_key *a, const struct upstream_key *b);
bool upstream_key_is_of(const struct upstream_key *key, struct text task);
unsigned upstream_key_hash(const struct upstream_key *key);

struct sessions;
struct pool;

struct upstream {
    struct link link;
    struct wire_limits limits;
    struct wire *wire; /* NULL until it is known which HTTP is spoken here */
    struct wake bell;
    void (*on_change)(void *user); /* who dials it or rides alone; of several riders */
    void *user;                    /* each is rung by his stream, and this is NULL */
    struct upstream_key key;
    struct address address;
    uint16_t port;
    int64_t began_us; /* when it was dialled */
    bool used_before;
    const void *judged_for;    /* the rule its address was last judged by */
    struct sessions *sessions; /* where those it is given are kept; NULL: nowhere */
    size_t n_riders;
    struct pool *pool; /* on whose lists it is */
    struct list kept;  /* of its bucket: it takes another rider */
    struct list age;   /* of all that are idle, the longest first */
    struct alarm idle_alarm;
};

/* Begins to connect; changes come by on_change. NULL, with errno, when it cannot even
 * begin. */
struct upstream *upstream_dial(struct loop *loop, const struct upstream_key *key,
                               const struct address *address, uint16_t port,
                               const struct wire_limits *limits, size_t ceiling,
                               void (*on_change)(void *user), void *user);
/* Connected: begins TLS with what its key says, resuming a session of the key if there
 * is one. `sessions` outlives the connection. shows: the certificate of its key; NULL
 * where that has none. False, logged: it cannot be shown. */
MUST_USE bool upstream_begin_tls(struct upstream *u, struct tls_client *c,
                                 const struct pair *shows, struct sessions *sessions);
/* Handshaken: the service knows us by the certificate of its key, or that has none. */
bool upstream_is_known(const struct upstream *u);
/* Its task has ended: it may go on to its end, but what TLS still gives for a next
 * connection is not kept. */
void upstream_forget_task(struct upstream *u);
/* At once. HTTP/2 says GOAWAY before, if its socket takes that. */
void upstream_close(struct upstream *u);

/* Open, and this is what is spoken on it: makes its wire. */
void upstream_speak(struct upstream *u, enum wire_version version);
/* Several may ride on it (HTTP/2). */
bool upstream_is_shared(const struct upstream *u);
/* After a rider wrote or read: at once where he rides alone, else when all who are
 * awake in this turn have. */
void upstream_move(struct upstream *u);
/* Nothing that nobody asked for has come, nor an end. */
bool upstream_is_quiet(const struct upstream *u);

#endif

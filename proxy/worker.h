/* A worker: one thread with its own loop, doors, pools and caches. It reads no files
 * (its resolver's own aside) and scans no directories; what it needs comes by message.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "base/list.h"
#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/doors.h"
#include "proxy/epoch.h"
#include "proxy/loop.h"
#include "proxy/metrics.h"
#include "proxy/rate.h"
#include "tasks/caller.h"
#include "tasks/ledger.h"
#include "tasks/registry.h"
#include "tasks/roll.h"
#include "tasks/spool.h"
#include "tokens/authority.h"

struct answers;
struct attest;
struct doorbell;
struct mailbox;
struct worker;

/* What the workers share on a request's path (DESIGN.md section 4), beside what locks
 * itself: the gate's replay memory, the authority. */
enum { DNS_RATES = 64, DNS_NAMES = 4096 };

struct shared {
    struct rate
        refusals[64];        /* leaves for refusals; callers that fall into one share it
                              */
    struct answers *answers; /* of issuers of access tokens */
    struct attest *attest;   /* where callers run */
    /* of dns doors, by caller: queries, and names below a wildcard that are new; and
     * the marks of those that are not */
    struct rate dns_queries[DNS_RATES], dns_new_names[DNS_RATES];
    atomic_ullong dns_names[DNS_NAMES];
};

struct worker_start {
    size_t index, n_workers;
    struct generation *generation;  /* a reference is taken */
    struct vault *vault;            /* its secrets; likewise; NULL: none are read */
    const struct bound_door *doors; /* on loan for the worker's life */
    size_t n_doors;
    struct ca *ca;                   /* NULL without a way out */
    struct authority_key *authority; /* likewise */
    struct shared *shared;
    struct ledger *ledger;   /* NULL: nothing is recorded */
    struct doorbell *bell;   /* its own, where there is a ledger */
    struct mailbox *to_main; /* MESSAGE_ADOPTED, _OBEYED, _SPENT, _WANTED and, as the
                                last of all, MESSAGE_ENDED */
};

/* Starts the thread; it accepts when worker_open says so. REASON_CONFIG, _MINT_LEAF …
 * when it cannot be set up. */
MUST_USE enum reason worker_start(const struct worker_start *start,
                                  struct worker **out);
/* Joins the thread, which must have been told to stop. */
void worker_join(struct worker *w);

/* By message, from any thread. */
/* Take over a reference to each. */
void worker_adopt(struct worker *w, struct generation *g, struct vault *secrets);
/* Secrets of a generation that it has adopted, as they are now. */
void worker_keep(struct worker *w, struct generation *g, struct vault *secrets);
/* The tasks it was told of are those that live: it accepts from now on. */
void worker_open(struct worker *w);
/* Takes references of its own. MESSAGE_OBEYED comes back. next: the generation that is
 * why, and that the worker is about to be given; or NULL. */
void worker_change_task(struct worker *w, const struct task_change *change,
                        struct generation *next);
/* What main tells of a task's token. Takes references of its own. */
void worker_tell_token(struct worker *w, struct task *k, const struct token_news *news);
/* What one of its exchanges waits for may have been answered. */
void worker_tell_answers(struct worker *w);
void worker_drain(struct worker *w); /* no new connections; ends when the last is gone,
                                        or after drain */
void worker_stop(struct worker *w);  /* cuts everything now */
void worker_dump(struct worker *w);  /* writes its state to the log */

/* Its figures; any thread, until it is joined. */
const struct metrics *worker_metrics(const struct worker *w);

/* ---- for the rest of this room, on the worker's own thread */

struct worker {
    struct loop *loop;
    struct metrics *metrics;
    struct heart *heart;
    struct worker_start start;
    struct epoch *now;
    struct list epochs; /* oldest first */
    struct list conns;
    struct list inquiring;  /* exchanges that wait for an issuer's word */
    struct list awaiting;   /* exchanges that wait for the ledger's disk */
    struct spool testimony; /* a record on its way to the ledger; kept for the next */
    size_t n_conns, n_handshakes;
    struct list handshakes; /* of conns, the oldest first */
    uint64_t next_conn;
    struct caller_lookup *callers;
    struct roll *roll;   /* NULL without a way out */
    struct list endings; /* of tasks, that main was not told of yet */
    struct leaf_cache *leaves, *refusal_leaves;
    uint64_t served, refused;
    bool draining;
    struct mailbox *mailbox;
    struct door *doors;
    struct alarm drain_alarm;
};

/* A conn came or went. */
bool worker_has_room(const struct worker *w);
void worker_conn_gone(struct worker *w);
/* May this caller be shown another refusal leaf now? (DESIGN.md section 4: 20 a second
 * each.) */
bool worker_may_refuse_inside(struct worker *w, const struct caller *caller);
/* A door of ours listens on this port of every address. */
bool worker_has_port(const struct worker *w, uint16_t port);
/* The address is one of our own doors. */
bool worker_is_own_door(const struct worker *w, const struct address *address,
                        uint16_t port);

#endif

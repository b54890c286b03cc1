/* An exchange: one request and its response, from the head to the log line. Its life is
 * a table of steps; every step ends in going on, in waiting for the bell, or in a
 * refusal. */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "filters/chain.h"
#include "http/wire.h"
#include "proxy/conn.h"
#include "proxy/pool.h"
#include "proxy/resolve.h"
#include "proxy/upstream.h"

enum step {
    STEP_HEAD,
    STEP_INQUIRE,
    STEP_JUDGE,
    STEP_COLLECT,
    STEP_OBTAIN,
    STEP_DIAL,
    STEP_PRESENT,
    STEP_ENTER,
    STEP_RELAY,
    STEP_FINISH
};

enum pace {
    GO,   /* run the step that x->step now names */
    WAIT, /* until the bell */
    DONE  /* this exchange is over */
};

struct exchange {
    struct conn *conn;
    struct worker *worker;
    struct epoch *epoch;
    struct list of_conn; /* the connection's list */
    struct list under;   /* the epoch's list */
    struct entry *entry; /* its task, from JUDGE on: a reference */
    struct list of_task; /* the entry's list */
    bool spent;          /* one of its task's budget */
    struct wake wake;
    struct alarm alarm;
    enum step step;
    enum step refused_at;
    enum reason why;        /* REASON_OK until refused */
    const char *denied_by;  /* a filter's name */
    enum reason on_timeout; /* what the alarm means now */
    struct arena *arena;
    uint64_t number;
    int64_t began_us;

    struct stream *down; /* its place on the client's wire */
    struct request request;
    struct view view;
    struct text to; /* view.target as it is told: "host:port"; empty until then */
    bool held; /* view.body is all of the request's body, read before it is forwarded */
    struct buf body; /* what of it has come and is not yet sent */

    struct lookup lookup;
    size_t next_address;
    struct approach approach; /* dialling, while others wait for what comes of it */
    struct follower follower; /* or waiting for another's */
    unsigned n_followed;      /* whoever it was may wait for us now */
    struct pair *pair; /* the service is shown this certificate: a reference, or NULL */
    struct upstream *up;
    struct stream *up_stream;  /* its place on the upstream's wire */
    uint64_t up_received;      /* of the link, when the request was sent */
    uint64_t ticket;           /* of this attempt's record in the ledger; 0: none yet */
    struct inquired *inquired; /* what was asked of an issuer; NULL: nothing */
    struct list awaiting;      /* on the worker's list, until the disk has that */
    struct list obtaining;     /* on a holding's list, until its token is there */
    bool sent;                 /* this attempt's head has gone */
    bool retried;
    bool recertified; /* begun anew with the certificate that the files hold now */
    bool challenged;  /* asked again, with a nonce that the service wanted */
    bool fresh_only;  /* retrying: no pooled connection this time */
    struct response response;
    struct { /* an answer that has to be signed: answer_proof.c */
        struct content_check *check; /* of its body; NULL: there is nothing to check */
        char last;                   /* the byte that is kept back, … */
        bool has_last;               /* … if there is one */
    } answer;
    bool answered;   /* a final head has come from the upstream */
    bool responding; /* a final head has been written to the client */
    bool
        cut; /* the response cannot be completed: the connection must not end cleanly */
    int status;      /* as the client was told it */
    int grpc_status; /* of a refusal that was told so; 0: it was not */
    uint64_t body_in, body_out;
    unsigned interims; /* answers below 200 that have come */
    uint64_t progress; /* when the alarm was last set while relaying */
};

/* Begins one on this stream of the conn's wire. */
struct exchange *exchange_new(struct conn *c, struct stream *down);
/* Something changed on either link. */
void exchange_wake(struct exchange *x);
/* Ends it without an answer: the client left, the epoch is too old, the worker stops.
 */
void exchange_abort(struct exchange *x, enum reason why);
/* Ends it with this refusal, if nothing was answered yet; otherwise cuts it. */
void exchange_refuse(struct exchange *x, enum reason why);

/* ---- the steps, one file each where they are long */

enum pace inquire(struct exchange *x);      /* inquire.c */
enum pace judge(struct exchange *x);        /* judge.c */
enum pace read_head(struct exchange *x);    /* judge.c */
enum pace collect(struct exchange *x);      /* collect.c */
enum pace obtain(struct exchange *x);       /* obtain.c */
enum pace dial(struct exchange *x);         /* dial.c */
enum pace present(struct exchange *x);      /* present.c */
enum pace enter(struct exchange *x);        /* enter.c */
enum pace relay_bodies(struct exchange *x); /* relay.c */
enum pace finish(struct exchange *x);       /* finish.c */

/* Goes to STEP_FINISH with this reason. */
enum pace refuse(struct exchange *x, enum reason why);
enum pace go(struct exchange *x, enum step next);
/* Until the bell, or the deadline, when it is refused with on_timeout. */
enum pace wait_for(struct exchange *x, int64_t ms, enum reason on_timeout);
/* The same, but a deadline that is set already stays: what drips in does not live
 * longer. */
enum pace wait_once(struct exchange *x, int64_t ms, enum reason on_timeout);
/* Reads a body small enough to be covered by a proof before it is forwarded. *ready: it
 * is whole, or is not to be held. */
enum reason hold_body(struct exchange *x, bool *ready); /* collect.c */
/* Reads what has come of a body that is not held, unless enough waits to be sent. */
enum reason read_ahead(struct exchange *x); /* collect.c */
void
present_send(struct exchange *x); /* present.c: what was presented, to the upstream */
/* Puts what was obtained into the view, for PRESENT. */
void obtain_show(struct exchange *x); /* obtain.c */
/* What signs for the token that was presented, if it is there still; NULL. */
struct dpop_signer *obtain_signer(struct exchange *x); /* obtain.c */
/* Its task is another's now: it waits for nothing of the one before. */
void obtain_leave(struct exchange *x); /* obtain.c */
/* MESSAGE_TOKEN: takes over both references. */
void obtain_hear(struct worker *w, struct task *k,
                 const struct token_news *news); /* obtain.c */
/* It was refused for this: whether it goes back to INQUIRE, as the issuer's keys may be
 * others by now. */
bool inquire_again(struct exchange *x, enum reason why); /* inquire.c */
/* It waits no more, and keeps nothing of what was answered. */
void inquire_leave(struct exchange *x); /* inquire.c */
/* MESSAGE_ANSWERED: whoever waits looks again. */
void inquire_hear(struct worker *w); /* inquire.c */
/* It waits no more for its record. */
void enter_leave(struct exchange *x); /* enter.c */
/* MESSAGE_WRITTEN: whoever waits looks again. */
void enter_hear(struct worker *w); /* enter.c */
/* The exchange is over: its refusal is entered, if it was one, and its alarm. */
void enter_refusal(struct exchange *x); /* enter.c */
/* The same of a connection on which nothing was asked. */
void enter_connection(const struct conn *c, enum reason why); /* enter.c */
void exchange_drop_upstream(struct exchange *x);
/* Takes a stream of its upstream's; false: there is none. */
bool exchange_open_stream(struct exchange *x);

const char *step_name(enum step step);
/* A connection attempt was too slow, our own or another's: true when the next judged
 * address is tried, or the first. */
bool dial_tries_next(struct exchange *x);
const struct conf_limits *exchange_limits(const struct exchange *x);
const struct conf_door *exchange_door(const struct exchange *x);

/* A gRPC call over HTTP/2. */
bool exchange_is_grpc(const struct exchange *x); /* refusal.c */
/* Writes the refusal with Proxy-Status, as problem+json or as gRPC's status, and notes
 * what was told. */
void refusal_write(struct exchange *x); /* refusal.c */
/* The same before there is an exchange. */
void refusal_bare(enum reason why, struct buf *out); /* refusal.c */
/* What the client's next proof is to hold, into the fields of an answer to it. */
void offer_nonce(const struct exchange *x, struct headers *h); /* refusal.c */

#endif

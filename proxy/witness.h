/* The witness: a place elsewhere that is sent the ledger's checkpoints, so that who can
 * change our disk cannot cut the ledger's end, or put an old state back, unseen. A
 * second anchor, beside the log: nothing waits for it, and no request is refused
 * because it is away.
 *
 * A checkpoint that is on the disk goes out by a POST from main's loop: its record as
 * `audit verify --checkpoint` takes it, and where more than one waits (OUTBOX_LINES at
 * most) a line each, the newest last. Any 2xx is an acknowledgement. Anything else is
 * tried again, ever less often, with whatever is newest then; so it may see one twice.
 * One request at a time, and one a second at most. */
#ifndef PROXY_WITNESS_H
#define PROXY_WITNESS_H

#include "proxy/generation.h"

struct event_base;
struct witness;

struct witness *witness_new(void);

/* For the ledger (ledger_settings): the owner is the witness. Any thread; does not
 * wait. */
void witness_tell(void *witness, uint64_t seq, struct text record);

/* ---- by main, on the thread of `base` */

/* From now on checkpoints are sent where this generation says, if it names a place. */
void witness_begin(struct witness *w, struct event_base *base, struct generation *g);
/* This generation is in force: another witness, none any more, one at last. */
void witness_follow(struct witness *w, struct generation *g);
/* The ledger is closed. Turns the base's loop until the last checkpoint has arrived, or
 * for the witness' `timeout`, or until somebody breaks the loop; says what came of it.
 */
void witness_finish(struct witness *w);
void witness_free(struct witness *w); /* NULL is fine */

/* For status and metrics. */
struct witness_state {
    const char *url;
    uint64_t acknowledged;   /* number of the last checkpoint it has; 0: none */
    int64_t acknowledged_ms; /* monotonic: when it said so */
    uint64_t failures;       /* requests */
    bool is_failing;         /* the last one did */
    size_t waiting;          /* checkpoints */
    int64_t since_ms;        /* monotonic: since when; 0: none waits */
    uint64_t passed_over;    /* checkpoints: newer ones took their place */
};
/* False: there is none. */
bool witness_look(const struct witness *w, struct witness_state *out);

#endif

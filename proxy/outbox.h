/* Checkpoints on their way to the witness (witness.h): put in by the ledger's thread,
 * sent by main. Each vouches for all before it, so the newest few are enough: when
 * there are more, the oldest make way, and are counted. */
#ifndef PROXY_OUTBOX_H
#define PROXY_OUTBOX_H

#include "base/buf.h"

#include <stdint.h>

struct mailbox;
struct outbox;

enum { OUTBOX_LINES = 64 };

struct outbox *outbox_new(void);
void outbox_free(struct outbox *o); /* NULL is fine */

/* The record of a checkpoint, without its newline, and its number, which ascends. Any
 * thread. */
void outbox_put(struct outbox *o, uint64_t seq, struct text record);

/* ---- by main */

/* Where it is told, by MESSAGE_CHECKPOINT, that there is something to send; NULL:
 * nobody is there to send it, and what makes way is not counted. */
void outbox_tie(struct outbox *o, struct mailbox *to);
/* The message is here: there may be another. */
void outbox_heard(struct outbox *o);

/* Appends all that waits, a line each, oldest first. The number of the newest; 0: there
 * is nothing. */
uint64_t outbox_write(struct outbox *o, struct buf *out);
/* Up to this number they have arrived. */
void outbox_settle(struct outbox *o, uint64_t seq);
/* The newest of those waits once more: somebody else is to have it. */
void outbox_offer_again(struct outbox *o);

struct outbox_state {
    size_t waiting;
    int64_t since_ms; /* monotonic: how long somebody waits already; 0: nothing does */
    uint64_t passed_over; /* made way before they were sent */
};
void outbox_look(struct outbox *o, struct outbox_state *out);

#endif

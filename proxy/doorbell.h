/* The bell of one worker: the ledger's writer rings it when records have come to the
 * disk, or cannot, and only while somebody at the worker waits for that. Made by main
 * before the worker and freed after the ledger is closed: the writer may ring at any
 * time between. */
#ifndef PROXY_DOORBELL_H
#define PROXY_DOORBELL_H

struct doorbell;
struct mailbox;

struct doorbell *doorbell_new(void);
void doorbell_free(struct doorbell *b); /* NULL is fine */

/* Where it is heard, as MESSAGE_WRITTEN; NULL: nowhere any more. */
void doorbell_tie(struct doorbell *b, struct mailbox *to);

/* For ledger_listen: the owner is the bell. Any thread. */
void doorbell_ring(void *bell);

/* ---- by the worker */

/* One more waits for its record: called before the ledger is told to hurry, or a ring
 * could be missed; and one fewer. */
void doorbell_await(struct doorbell *b);
void doorbell_leave(struct doorbell *b);
/* MESSAGE_WRITTEN is here: it may ring again. */
void doorbell_heard(struct doorbell *b);

#endif

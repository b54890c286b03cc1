/* The bell of one worker: the ledger's writer rings it when records have come to the
 * disk, or cannot, and only while somebody at the worker waits for that. Made by main
 * before the worker and freed after the ledger is closed: the writer may ring at any
 * time between. */
#ifndef PROXY_BELL_H
#define PROXY_BELL_H

struct bell;
struct mailbox;

struct bell *bell_new(void);
void bell_free(struct bell *b); /* NULL is fine */

/* Where it is heard, as MESSAGE_WRITTEN; NULL: nowhere any more. */
void bell_tie(struct bell *b, struct mailbox *to);

/* For ledger_listen: the owner is the bell. Any thread. */
void bell_ring(void *bell);

/* ---- by the worker */

/* One more waits for its record: called before the ledger is told to hurry, or a ring
 * could be missed; and one fewer. */
void bell_await(struct bell *b);
void bell_leave(struct bell *b);
/* MESSAGE_WRITTEN is here: it may ring again. */
void bell_heard(struct bell *b);

#endif

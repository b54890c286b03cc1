/* The inside of a ledger, for ledger.c, whom others call, and writer.c, the thread. */
#ifndef TASKS_WRITER_H
#define TASKS_WRITER_H

#include "tasks/batch.h"
#include "tasks/ledger.h"
#include "tasks/segment.h"

#include <pthread.h>
#include <stdatomic.h>

struct listener {
    void (*tell)(void *owner);
    void *owner;
};

struct ledger {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* the writer waits for it */
    pthread_cond_t moved; /* ledger_await does */
    pthread_t writer;

    /* Under the lock. */
    struct batch filling;
    size_t records_max, bytes_max;
    size_t records, bytes; /* in both batches */
    uint64_t entered;      /* the last ticket */
    uint64_t hurry;        /* a ticket to be synced without delay */
    uint64_t lost, untold; /* refusals; of them, no `lost` has counted so many */
    bool is_asleep, is_closing;
    struct ledger_state told;
    struct listener listeners[LEDGER_LISTENERS];
    size_t n_listeners;

    atomic_uint_fast64_t durable; /* ticket; moved under the lock */

    /* The writer's own. */
    struct segment *segment;
    struct batch draining;
    uint64_t drained;  /* the ticket of the last record that was put */
    uint64_t refusals; /* to be told by the next `lost` */
    uint64_t seq_before;
    unsigned quiet;      /* rests in a row that found nothing */
    uint64_t anchored;   /* seq of the last checkpoint that the log was told of */
    int64_t anchored_ms; /* … monotonic: when */
};

/* Under the lock: somebody waits for a ticket that is not on the disk. */
static inline bool
ledger_is_hurried(const struct ledger *l)
{
    return !ledger_is_durable(l, l->hurry);
}

/* The thread; takes a struct ledger, ends when it is closing. */
void *writer_run(void *ledger);
/* Under the lock: what is written by now, for all to see. */
void writer_tell_state(struct ledger *l, bool has_synced);

#endif

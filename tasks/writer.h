/* The inside of a ledger, for ledger.c, whom others call, and its two threads: the
 * writer, who does all of the work, and the syncer, who waits for the disk meanwhile.
 */
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

/* Of the sync that the segment has begun. */
enum sync_state {
    SYNC_NONE,
    SYNC_UNDER_WAY, /* the syncer's */
    SYNC_OVER       /* the writer's again, who has not looked yet */
};

struct ledger {
    pthread_mutex_t lock;
    pthread_cond_t work;    /* the writer waits for it */
    pthread_cond_t to_sync; /* the syncer does */
    pthread_cond_t moved;   /* ledger_await does */
    pthread_t writer, syncer;

    /* Under the lock. */
    struct batch filling;
    size_t records_max, bytes_max;
    size_t records, bytes; /* in both batches */
    uint64_t entered;      /* the last ticket */
    uint64_t hurry;        /* a ticket to be synced without delay */
    uint64_t lost, untold; /* records; of them, no `lost` has counted so many */
    bool is_asleep, is_closing;
    enum sync_state sync;
    bool is_unwatched; /* the syncer is to end */
    struct ledger_state told;
    struct listener listeners[LEDGER_LISTENERS];
    size_t n_listeners;

    atomic_uint_fast64_t durable; /* ticket; moved under the lock */

    /* The writer's own. */
    struct segment *segment;
    size_t unsynced_max; /* bytes put and not synced; past it the queue has to wait */
    struct batch draining;
    uint64_t drained;      /* the ticket of the last record that was put */
    uint64_t covered;      /* … of the last that the sync under way is for */
    uint64_t synced;       /* … and of the last that is on the disk */
    int64_t sync_began_ms; /* monotonic: the last one */
    uint64_t missing;      /* records to be told by the next `lost` */
    uint64_t seq_before;
    void (*on_checkpoint)(void *owner, uint64_t seq, struct text record);
    void *owner;
    uint64_t handed_on;  /* seq of the last checkpoint that it was told of */
    unsigned quiet;      /* rests in a row that found nothing */
    uint64_t anchored;   /* seq of the last checkpoint that the log was told of */
    int64_t anchored_ms; /* … monotonic: when */
};

/* Under the lock: the writer is to look. */
static inline void
ledger_wake(struct ledger *l)
{
    l->is_asleep = false;
    pthread_cond_signal(&l->work);
}

/* The threads; each takes a struct ledger. The writer ends when it is closing; the
 * syncer when nobody is there any more who would ask it for something. */
void *writer_run(void *ledger);
void *syncer_run(void *ledger);
/* Under the lock: what is written by now, for all to see. */
void writer_tell_state(struct ledger *l);

#endif

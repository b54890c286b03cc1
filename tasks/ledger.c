/* The queue before the ledger's writer, and its life.
 *
 * Two batches are swapped under one lock: one is filled by whoever enters a record, the
 * other is the writer's. */
#include "tasks/ledger.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "tasks/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

/* Less than this to a sync would be slow even on a fast disk. */
enum { UNSYNCED_MIN = 64 * 1024 };

/* ---- entering */

static void
add_entry(struct ledger *l, struct text kind, struct text members)
{
    struct queued e = { kind, members, clock_wall_ms() };

    batch_add(&l->filling, &e);
    l->records++;
    l->bytes += batch_size_of(kind, members);
    l->entered++;
    if (l->is_asleep)
        ledger_wake(l);
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum reason
accept_entry(struct ledger *l, struct text kind, struct text members, uint64_t *ticket)
{
    if (l->told.failed || l->is_closing)
        return REASON_LEDGER_FAILED;
    if (members.n > LEDGER_MEMBERS_MAX || l->records >= l->records_max ||
        batch_size_of(kind, members) > l->bytes_max - least(l->bytes, l->bytes_max))
        return REASON_LEDGER_FULL;
    add_entry(l, kind, members);
    if (ticket != NULL)
        *ticket = l->entered;
    return REASON_OK;
}

enum reason
ledger_enter(struct ledger *l, const char *kind, struct text members, uint64_t *ticket)
{
    struct text k = text_z(kind);
    enum reason why;

    pthread_mutex_lock(&l->lock);
    why = accept_entry(l, k, members, ticket);
    pthread_mutex_unlock(&l->lock);
    return why;
}

void
ledger_enter_refusal(struct ledger *l, const char *kind, struct text members)
{
    struct text k = text_z(kind);

    pthread_mutex_lock(&l->lock);
    if (accept_entry(l, k, members, NULL) != REASON_OK) {
        l->lost++;
        l->untold++;
    }
    pthread_mutex_unlock(&l->lock);
}

/* Requests leave this much free, however many are refused. */
static bool
has_own_room(const struct ledger *l, size_t n)
{
    return !l->is_closing && l->bytes + n <= l->bytes_max + LEDGER_OWN_BYTES;
}

void
ledger_enter_own(struct ledger *l, const char *kind, struct text members)
{
    struct text k = text_z(kind);

    pthread_mutex_lock(&l->lock);
    if (members.n <= LEDGER_MEMBERS_MAX && has_own_room(l, batch_size_of(k, members))) {
        add_entry(l, k, members);
    } else {
        l->lost++;
        l->untold++;
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- waiting for the disk */

bool
ledger_is_durable(const struct ledger *l, uint64_t ticket)
{
    return atomic_load_explicit(&l->durable, memory_order_acquire) >= ticket;
}

static void
hurry(struct ledger *l, uint64_t ticket)
{
    assert(ticket <= l->entered);
    if (ticket <= l->hurry)
        return;
    l->hurry = ticket;
    ledger_wake(l); /* also from a rest */
}

void
ledger_hurry(struct ledger *l, uint64_t ticket)
{
    pthread_mutex_lock(&l->lock);
    hurry(l, ticket);
    pthread_mutex_unlock(&l->lock);
}

enum reason
ledger_await(struct ledger *l, uint64_t ticket)
{
    enum reason why;

    pthread_mutex_lock(&l->lock);
    hurry(l, ticket);
    while (!ledger_is_durable(l, ticket) && !l->told.failed)
        pthread_cond_wait(&l->moved, &l->lock);
    why = ledger_is_durable(l, ticket) ? REASON_OK : REASON_LEDGER_FAILED;
    pthread_mutex_unlock(&l->lock);
    return why;
}

void
ledger_listen(struct ledger *l, void (*tell)(void *owner), void *owner)
{
    pthread_mutex_lock(&l->lock);
    assert(l->n_listeners < LEDGER_LISTENERS);
    l->listeners[l->n_listeners++] = (struct listener){ tell, owner };
    pthread_mutex_unlock(&l->lock);
}

void
ledger_look(const struct ledger *l, struct ledger_state *out)
{
    /* A lock is not part of what the state is. */
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&l->lock;

    pthread_mutex_lock(lock);
    *out = l->told;
    out->lost = l->lost;
    out->queued = l->records;
    pthread_mutex_unlock(lock);
}

/* ---- its life */

static void
prepare(struct ledger *l, const struct ledger_settings *s)
{
    pthread_condattr_t attributes;

    l->records_max = s->queue_records;
    l->bytes_max = s->queue_bytes;
    l->unsynced_max = s->queue_bytes > UNSYNCED_MIN ? s->queue_bytes : UNSYNCED_MIN;
    l->on_checkpoint = s->on_checkpoint;
    l->owner = s->owner;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->work, &attributes);
    pthread_cond_init(&l->to_sync, NULL);
    pthread_cond_init(&l->moved, NULL);
    pthread_condattr_destroy(&attributes);
}

static void
end_syncer(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_unwatched = true;
    pthread_cond_signal(&l->to_sync);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->syncer, NULL);
}

static bool
start_both(struct ledger *l)
{
    if (pthread_create(&l->syncer, NULL, syncer_run, l) != 0)
        return false;
    if (pthread_create(&l->writer, NULL, writer_run, l) == 0)
        return true;
    end_syncer(l);
    return false;
}

/* Signals are the main thread's. */
static bool
start(struct ledger *l)
{
    sigset_t all, before;
    bool run;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    run = start_both(l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return run;
}

static void
dismantle(struct ledger *l)
{
    segment_close(l->segment);
    batch_free(&l->filling);
    batch_free(&l->draining);
    pthread_cond_destroy(&l->moved);
    pthread_cond_destroy(&l->to_sync);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

enum reason
ledger_open(const struct ledger_settings *s, struct ledger **out)
{
    struct ledger *l = memory_new(sizeof *l);
    enum reason why;

    *out = NULL;
    prepare(l, s);
    why = segment_open(s->directory, s->segment_bytes, &l->segment);
    if (why == REASON_OK) {
        l->seq_before = l->segment->chain.seq - 1;
        writer_tell_state(l);
        if (!start(l))
            why = log_reason(REASON_INTERNAL, "the ledger's threads cannot be started");
    }
    if (why == REASON_OK)
        *out = l;
    else
        dismantle(l);
    return why;
}

void
ledger_close(struct ledger *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->is_closing = true;
    ledger_wake(l);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->writer, NULL);
    end_syncer(l);
    if (l->told.failed)
        (void)log_reason(REASON_LEDGER_FAILED,
                         "%s: closed with %" PRIu64 " records unwritten",
                         l->segment->directory, l->entered - l->synced);
    dismantle(l);
}

/* The ledger's one writer. Between two batches it rests a moment, so that records that
 * come fast find it awake and cost nobody a system call; only when nothing came for a
 * while does it sleep until it is woken. */
#include "tasks/writer.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"

#include <time.h>

enum {
    REST_MS = 2,
    RETRY_MS = 1000,
    ANCHOR_MS = 60 * 1000, /* the log is told of a checkpoint this often at most */
    NEVER_MS = 60 * 60 * 1000,
    PATIENCE = 16,             /* rests that found nothing, before it sleeps */
    UNSYNCED_MAX = 1024 * 1024 /* kept in memory until the next sync */
};

/* ---- the writer's waits, under the lock */

/* False: the time is over. */
static bool
wait_until(struct ledger *l, int64_t monotonic_ms)
{
    struct timespec at = { .tv_sec = (time_t)(monotonic_ms / 1000),
                           .tv_nsec = (long)(monotonic_ms % 1000) * 1000000 };

    return pthread_cond_timedwait(&l->work, &l->lock, &at) == 0;
}

static void
rest(struct ledger *l)
{
    int64_t end = clock_monotonic_ms() + REST_MS;

    while (!l->is_closing && !ledger_is_hurried(l) && wait_until(l, end))
        ;
}

static int64_t
checkpoint_due_ms(const struct segment *s)
{
    if (s->uncovered == 0)
        return clock_monotonic_ms() + NEVER_MS;
    return s->uncovered_ms + LEDGER_CHECKPOINT_MS;
}

static int64_t
anchor_due_ms(const struct ledger *l)
{
    if (l->segment->checkpoint == l->anchored)
        return clock_monotonic_ms() + NEVER_MS;
    return l->anchored == 0 ? 0 : l->anchored_ms + ANCHOR_MS;
}

static bool
is_quiet(const struct ledger *l)
{
    return l->filling.records == 0 && l->untold == 0 && !l->is_closing &&
           !ledger_is_hurried(l);
}

static void
sleep_if_quiet(struct ledger *l)
{
    int64_t checkpoint = checkpoint_due_ms(l->segment), anchor = anchor_due_ms(l);
    int64_t end = checkpoint < anchor ? checkpoint : anchor;

    l->quiet = is_quiet(l) ? l->quiet + 1 : 0;
    if (l->quiet < PATIENCE)
        return;
    l->is_asleep = true;
    while (l->is_asleep && wait_until(l, end))
        ;
    l->is_asleep = false;
}

/* What was entered, into `draining`; true: the ledger is closing, and this is all. */
static bool
gather(struct ledger *l)
{
    struct batch empty = l->draining;
    bool is_last;

    pthread_mutex_lock(&l->lock);
    rest(l);
    sleep_if_quiet(l);
    l->draining = l->filling;
    l->filling = empty;
    l->refusals += l->untold;
    l->untold = 0;
    is_last = l->is_closing;
    pthread_mutex_unlock(&l->lock);
    return is_last;
}

/* False: no time is left to wait. */
static bool
wait_to_retry(struct ledger *l)
{
    int64_t end = clock_monotonic_ms() + RETRY_MS;
    bool may_wait;

    pthread_mutex_lock(&l->lock);
    may_wait = !l->is_closing;
    while (!l->is_closing && wait_until(l, end))
        ;
    pthread_mutex_unlock(&l->lock);
    return may_wait;
}

/* ---- the writer's work: each of these goes on where it failed before */

static enum reason
make_room(struct segment *s)
{
    enum reason why = REASON_OK;

    if (s->uncovered >= LEDGER_CHECKPOINT_RECORDS)
        why = segment_put_checkpoint(s);
    if (why == REASON_OK && segment_is_full(s))
        why = segment_turn(s);
    return why;
}

static enum reason
put_lost(struct ledger *l)
{
    struct buf members = { 0 };
    enum reason why;

    if (l->refusals == 0)
        return REASON_OK;
    if ((why = make_room(l->segment)) != REASON_OK)
        return why;
    json_put_number(&members, "refusals", (int64_t)l->refusals);
    segment_put(l->segment, TEXT("lost"), buf_text(&members), clock_wall_ms());
    l->refusals = 0;
    buf_free(&members);
    return REASON_OK;
}

static enum reason
put_batch(struct ledger *l)
{
    struct segment *s = l->segment;
    enum reason why;
    struct entry e;

    while (batch_first(&l->draining, &e)) {
        if ((why = make_room(s)) != REASON_OK)
            return why;
        segment_put(s, e.kind, e.members, e.wall_ms);
        batch_take(&l->draining);
        l->drained++;
    }
    return put_lost(l);
}

static bool
is_checkpoint_due(const struct segment *s)
{
    return s->uncovered >= LEDGER_CHECKPOINT_RECORDS ||
           clock_monotonic_ms() >= checkpoint_due_ms(s);
}

static enum reason
put_seal(struct segment *s, bool is_last)
{
    enum reason why = REASON_OK;

    if (is_checkpoint_due(s))
        why = segment_put_checkpoint(s);
    return why == REASON_OK && is_last ? segment_put_end(s) : why;
}

static bool
must_sync(struct ledger *l)
{
    const struct segment *s = l->segment;
    bool hurried;

    pthread_mutex_lock(&l->lock);
    hurried = ledger_is_hurried(l);
    pthread_mutex_unlock(&l->lock);
    return hurried || s->checkpoint_line.n > 0 || s->unsynced.n > UNSYNCED_MAX;
}

static enum reason
carry_out(struct ledger *l, bool is_last, bool *has_synced)
{
    struct segment *s = l->segment;
    enum reason why;

    *has_synced = false;
    if ((why = put_batch(l)) != REASON_OK || (why = put_seal(s, is_last)) != REASON_OK)
        return why;
    *has_synced = is_last || must_sync(l);
    return *has_synced ? segment_sync(s) : segment_write(s);
}

void
writer_tell_state(struct ledger *l, bool has_synced)
{
    const struct segment *s = l->segment;

    /* What is left of the two is what was entered meanwhile. */
    l->records = l->filling.records;
    l->bytes = l->filling.bytes.n;
    l->told.last = s->chain.seq;
    l->told.records = s->chain.seq - l->seq_before;
    l->told.checkpoint = s->checkpoint;
    if (has_synced)
        atomic_store_explicit(&l->durable, l->drained, memory_order_release);
}

static void
log_turn(const struct ledger *l, enum reason why)
{
    if (why != REASON_OK)
        (void)log_reason(REASON_LEDGER_FAILED,
                         "%s: the ledger cannot be written: nothing is accepted until "
                         "it can",
                         l->segment->directory);
    else
        log_info("%s: the ledger is written again, with nothing lost of what was "
                 "accepted",
                 l->segment->directory);
}

/* Tells what came of it. */
static void
report(struct ledger *l, enum reason why, bool has_synced)
{
    uint64_t before = atomic_load(&l->durable);
    bool failed = why != REASON_OK, has_turned;
    size_t n;

    pthread_mutex_lock(&l->lock);
    has_turned = l->told.failed != failed;
    l->told.failed = failed;
    if (!failed)
        writer_tell_state(l, has_synced);
    n = l->n_listeners;
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    if (!failed)
        batch_clear(&l->draining);
    if (has_turned)
        log_turn(l, why);
    if (has_turned || before != atomic_load(&l->durable))
        for (size_t i = 0; i < n; i++)
            l->listeners[i].tell(l->listeners[i].owner);
}

/* Whoever keeps the log keeps a checkpoint, too. */
static void
anchor(struct ledger *l, bool is_last)
{
    const struct segment *s = l->segment;
    struct log_line *line;

    if (s->checkpoint_line.n > 0 || s->anchor.n == 0 || s->checkpoint == l->anchored ||
        (!is_last && clock_monotonic_ms() < anchor_due_ms(l)))
        return;
    l->anchored = s->checkpoint;
    l->anchored_ms = clock_monotonic_ms();
    line = log_line_begin(LOG_INFO, "checkpoint");
    log_line_number(line, "seq", (int64_t)s->checkpoint);
    log_line_text(line, "hash", text_of(s->anchor_hash, sizeof s->anchor_hash));
    log_line_text(line, "record", spool_text(&s->anchor));
    log_line_end(line);
}

void *
writer_run(void *ledger)
{
    struct ledger *l = ledger;
    bool is_last = false, has_synced;
    enum reason why = REASON_OK;

    (void)pthread_setname_np(pthread_self(), "ledger");
    while (!is_last && why == REASON_OK) {
        is_last = gather(l);
        do {
            why = carry_out(l, is_last, &has_synced);
            report(l, why, has_synced);
            if (why == REASON_OK)
                anchor(l, is_last);
        } while (why != REASON_OK && wait_to_retry(l));
    }
    return NULL;
}

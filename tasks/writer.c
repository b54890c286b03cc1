/* The ledger's one writer. Between two batches it rests a moment, so that records that
 * come fast find it awake and cost nobody a system call; only when nothing came for a
 * while does it sleep until it is woken. For the disk it waits in a few places alone:
 * where one segment ends and the next begins, where the ledger is closed, where too
 * much would have to be kept in memory, and after a failure, when nothing is accepted.
 */
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
    PATIENCE = 16 /* rests that found nothing, before it sleeps */
};

/* ---- the writer's waits, under the lock */

/* Somebody waits for a ticket that is not on the disk. */
static bool
is_hurried(const struct ledger *l)
{
    return l->hurry > l->synced;
}

/* There is work that is not to wait for more of it. Whoever hurries while a sync is
 * under way shares the next one. */
static bool
is_wanted(const struct ledger *l)
{
    return l->is_closing || l->sync == SYNC_OVER ||
           (l->sync == SYNC_NONE && is_hurried(l));
}

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

    while (!is_wanted(l) && wait_until(l, end))
        ;
}

static int64_t
checkpoint_due_ms(const struct segment *s)
{
    if (s->uncovered == 0)
        return clock_monotonic_ms() + NEVER_MS;
    return s->uncovered_ms + LEDGER_CHECKPOINT_MS;
}

/* A checkpoint that is not on the disk is synced then. */
static int64_t
sync_due_ms(const struct ledger *l)
{
    if (l->segment->latest.seq == l->segment->kept.seq)
        return clock_monotonic_ms() + NEVER_MS;
    return l->sync_began_ms + LEDGER_CHECKPOINT_MS;
}

static int64_t
anchor_due_ms(const struct ledger *l)
{
    if (l->segment->kept.seq == l->anchored)
        return clock_monotonic_ms() + NEVER_MS;
    return l->anchored == 0 ? 0 : l->anchored_ms + ANCHOR_MS;
}

static bool
is_quiet(const struct ledger *l)
{
    return l->filling.records == 0 && l->untold == 0 && !is_wanted(l);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
sleep_if_quiet(struct ledger *l)
{
    int64_t end = earlier(checkpoint_due_ms(l->segment), anchor_due_ms(l));

    l->quiet = is_quiet(l) ? l->quiet + 1 : 0;
    if (l->quiet < PATIENCE)
        return;
    if (l->sync == SYNC_NONE)
        end = earlier(end, sync_due_ms(l));
    l->is_asleep = true;
    while (l->is_asleep && wait_until(l, end))
        ;
    l->is_asleep = false;
}

static void
wait_for_syncer(struct ledger *l)
{
    while (l->sync == SYNC_UNDER_WAY)
        pthread_cond_wait(&l->work, &l->lock);
}

static void
take_filling(struct ledger *l)
{
    struct batch empty = l->draining;

    l->draining = l->filling;
    l->filling = empty;
    l->missing += l->untold;
    l->untold = 0;
}

/* What was entered, into `draining`, unless that is held up; true: the ledger is
 * closing, and this is all. */
static bool
gather(struct ledger *l)
{
    bool is_held = l->draining.records > 0, is_closing;

    pthread_mutex_lock(&l->lock);
    if (is_held) {
        wait_for_syncer(l);
    } else {
        rest(l);
        sleep_if_quiet(l);
        take_filling(l);
    }
    is_closing = l->is_closing;
    pthread_mutex_unlock(&l->lock);
    return is_closing && !is_held;
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

/* ---- telling what came of it */

void
writer_tell_state(struct ledger *l)
{
    const struct segment *s = l->segment;

    /* What is left of the two is what was entered meanwhile, or is held up. */
    l->records = l->filling.records + l->draining.records;
    l->bytes = l->filling.bytes.n + l->draining.bytes.n - l->draining.taken;
    l->told.last = s->chain.seq;
    l->told.records = s->chain.seq - l->seq_before;
    l->told.checkpoint = s->kept.seq;
    atomic_store_explicit(&l->durable, l->synced, memory_order_release);
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

static void
report(struct ledger *l, enum reason why)
{
    uint64_t before = atomic_load(&l->durable);
    bool failed = why != REASON_OK, has_turned;
    size_t n;

    pthread_mutex_lock(&l->lock);
    has_turned = l->told.failed != failed;
    l->told.failed = failed;
    if (!failed)
        writer_tell_state(l);
    n = l->n_listeners;
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    if (has_turned)
        log_turn(l, why);
    if (has_turned || before != atomic_load(&l->durable))
        for (size_t i = 0; i < n; i++)
            l->listeners[i].tell(l->listeners[i].owner);
}

/* Whoever is to have each of them elsewhere. */
static void
hand_on(struct ledger *l)
{
    const struct checkpoint_line *c = &l->segment->kept;
    struct text record = spool_text(&c->line);

    if (l->on_checkpoint == NULL || c->seq == l->handed_on)
        return;
    l->handed_on = c->seq;
    l->on_checkpoint(l->owner, c->seq, text_of(record.at, record.n - 1));
}

/* Whoever keeps the log keeps a checkpoint, too: one that is on the disk. */
static void
anchor(struct ledger *l, bool is_last)
{
    const struct checkpoint_line *c = &l->segment->kept;
    struct text record = spool_text(&c->line);
    struct log_line *line;

    if (c->seq == l->anchored || (!is_last && clock_monotonic_ms() < anchor_due_ms(l)))
        return;
    l->anchored = c->seq;
    l->anchored_ms = clock_monotonic_ms();
    line = log_line_begin(LOG_INFO, "checkpoint");
    log_line_number(line, "seq", (int64_t)c->seq);
    log_line_text(line, "hash", text_of(c->hash, sizeof c->hash));
    log_line_text(line, "record", text_of(record.at, record.n - 1));
    log_line_end(line);
}

/* ---- syncs */

static enum reason
begin_sync(struct ledger *l)
{
    enum reason why = segment_sync_begin(l->segment);

    if (why != REASON_OK)
        return why;
    l->covered = l->drained;
    l->sync_began_ms = clock_monotonic_ms();
    pthread_mutex_lock(&l->lock);
    l->sync = SYNC_UNDER_WAY;
    pthread_cond_signal(&l->to_sync);
    pthread_mutex_unlock(&l->lock);
    return REASON_OK;
}

static enum sync_state
look_at_sync(struct ledger *l, bool may_wait)
{
    enum sync_state state;

    pthread_mutex_lock(&l->lock);
    if (may_wait)
        wait_for_syncer(l);
    state = l->sync;
    if (state == SYNC_OVER)
        l->sync = SYNC_NONE;
    pthread_mutex_unlock(&l->lock);
    return state;
}

/* What came of the sync, if it is over. */
static enum reason
hear_sync(struct ledger *l, bool may_wait)
{
    enum reason why;

    if (look_at_sync(l, may_wait) != SYNC_OVER)
        return REASON_OK;
    if ((why = segment_sync_end(l->segment)) == REASON_OK)
        l->synced = l->covered;
    return why;
}

/* Waits for the disk. One under way that fails is made good by the one after it. */
static enum reason
sync_at_once(struct ledger *l)
{
    enum reason why;

    (void)hear_sync(l, true);
    l->sync_began_ms = clock_monotonic_ms();
    if ((why = segment_sync(l->segment)) == REASON_OK)
        l->synced = l->drained;
    return why;
}

static bool
must_begin_sync(struct ledger *l)
{
    bool may, hurried;

    pthread_mutex_lock(&l->lock);
    may = l->sync == SYNC_NONE;
    hurried = is_hurried(l);
    pthread_mutex_unlock(&l->lock);
    return may && (hurried || l->segment->unsynced.n >= l->unsynced_max / 2 ||
                   clock_monotonic_ms() >= sync_due_ms(l));
}

/* ---- the writer's work: each of these goes on where it failed before */

static enum reason
turn_segment(struct ledger *l)
{
    enum reason why;

    (void)hear_sync(l, true);
    if ((why = segment_turn(l->segment)) == REASON_OK)
        l->synced = l->drained;
    return why;
}

static enum reason
make_room(struct ledger *l)
{
    struct segment *s = l->segment;
    enum reason why = REASON_OK;

    if (s->uncovered >= LEDGER_CHECKPOINT_RECORDS)
        why = segment_put_checkpoint(s);
    if (why == REASON_OK && segment_is_full(s))
        why = turn_segment(l);
    return why;
}

static enum reason
put_lost(struct ledger *l)
{
    struct buf members = { 0 };
    enum reason why;

    if (l->missing == 0)
        return REASON_OK;
    if ((why = make_room(l)) != REASON_OK)
        return why;
    json_put_number(&members, "records", (int64_t)l->missing);
    segment_put(l->segment, TEXT("lost"), buf_text(&members), clock_wall_ms());
    l->missing = 0;
    buf_free(&members);
    return REASON_OK;
}

static bool
must_hold(const struct ledger *l)
{
    return l->segment->unsynced.n >= l->unsynced_max;
}

/* All of it; or, if the disk is not to be waited for, as much as may be kept in memory
 * until it is synced. */
static enum reason
put_batch(struct ledger *l, bool may_wait)
{
    enum reason why;
    struct queued e;

    while (batch_first(&l->draining, &e)) {
        bool is_held = must_hold(l);

        if (is_held && !may_wait)
            return REASON_OK;
        if ((is_held && (why = sync_at_once(l)) != REASON_OK) ||
            (why = make_room(l)) != REASON_OK)
            return why;
        segment_put(l->segment, e.kind, e.members, e.wall_ms);
        batch_take(&l->draining);
        l->drained++;
    }
    batch_clear(&l->draining);
    return put_lost(l);
}

static enum reason
put_seal(struct segment *s, bool is_last)
{
    enum reason why = REASON_OK;

    if (s->uncovered >= LEDGER_CHECKPOINT_RECORDS ||
        clock_monotonic_ms() >= checkpoint_due_ms(s))
        why = segment_put_checkpoint(s);
    return why == REASON_OK && is_last ? segment_put_end(s) : why;
}

/* After a failure nothing is accepted: all is put, written and synced, or it has failed
 * again. */
static enum reason
carry_out(struct ledger *l, bool is_last)
{
    bool may_wait = is_last || l->told.failed;
    enum reason why;

    if ((why = put_batch(l, may_wait)) != REASON_OK ||
        (why = put_seal(l->segment, is_last)) != REASON_OK)
        return why;
    if (may_wait)
        return sync_at_once(l);
    if ((why = segment_write(l->segment)) != REASON_OK || !must_begin_sync(l))
        return why;
    return begin_sync(l);
}

/* Whoever waits for a sync hears of its end before the work goes on. */
static enum reason
take_turn(struct ledger *l, bool is_last)
{
    enum reason why = hear_sync(l, false);

    if (why == REASON_OK && l->synced > atomic_load(&l->durable) && !l->told.failed)
        report(l, why);
    if (why == REASON_OK || is_last)
        why = carry_out(l, is_last);
    report(l, why);
    if (why == REASON_OK) {
        hand_on(l);
        anchor(l, is_last);
    }
    return why;
}

void *
writer_run(void *ledger)
{
    struct ledger *l = ledger;
    bool is_last = false;
    enum reason why = REASON_OK;

    (void)pthread_setname_np(pthread_self(), "ledger");
    while (!is_last && why == REASON_OK) {
        is_last = gather(l);
        while ((why = take_turn(l, is_last)) != REASON_OK && wait_to_retry(l))
            ;
    }
    return NULL;
}

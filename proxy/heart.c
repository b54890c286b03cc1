#include "proxy/heart.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/shelf.h"
#include "proxy/faults.h"
#include "proxy/reaper.h"
#include "proxy/worker.h"

#include <assert.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>

enum { BEAT_S = 1, SETTLE_MS = 100, TRIM_MS = 1000 };

struct heart {
    struct worker *worker;
    struct event *event;
    int64_t due_us;
    struct event *settling; /* pending while something waits on a shelf */
    bool has_freed;         /* memory went back to malloc since the last trim, … */
    int64_t trim_at_ms;     /* … before which there is no other */
};

static size_t
count_idle(const struct worker *w)
{
    size_t n = 0;

    for (const struct list *m = w->epochs.next; m != &w->epochs; m = m->next)
        n += pool_count(LIST_OWNER(m, struct epoch, older)->pool);
    return n;
}

/* What changes too often, or lies too deep, to be told whenever it changes. */
static void
tell_gauges(const struct worker *w)
{
    size_t leaves = 0;

    if (w->leaves != NULL)
        leaves = leaf_cache_count(w->leaves) + leaf_cache_count(w->refusal_leaves);
    tally_set(&w->metrics->idle_upstreams, count_idle(w));
    tally_set(&w->metrics->leaves, leaves);
    if (w->start.index == 0 && w->roll != NULL) { /* what all of them know alike */
        tally_set(&w->metrics->tasks, roll_count(w->roll));
        tally_set(&w->metrics->issued[TOKEN_WIT], identity_issued());
    }
}

/* Locks and walks all that malloc has, of every thread: behind a large reload that is
 * more than a loop has time for. */
static void
trim(void *nothing)
{
    (void)nothing;
    (void)malloc_trim(0);
}

/* A burst is over when nothing is left over of it. malloc then has whole pages between
 * what lives on, and only this gives them to the system. */
static void
trim_when_due(struct heart *h)
{
    int64_t now = clock_monotonic_ms();

    if (!h->has_freed || now < h->trim_at_ms)
        return;
    h->has_freed = false;
    h->trim_at_ms = now + TRIM_MS;
    reaper_take(trim, NULL);
}

/* More often than the heart beats, while there is anything: what a burst has left over
 * is given back soon, and an idle process is not woken for it. */
static void
settle(struct heart *h)
{
    static const struct timeval pause = { 0, SETTLE_MS * 1000 };

    if (shelves_settle())
        h->has_freed = true;
    if (!shelves_hold_any())
        trim_when_due(h);
    if (shelves_hold_any() || h->has_freed)
        event_add(h->settling, &pause);
}

static void
on_settle(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    settle(arg);
}

static void
beat(struct heart *h, int64_t late_us)
{
    metrics_beat(h->worker->metrics, clock_monotonic_ms(), late_us);
    tell_gauges(h->worker);
    if (!event_pending(h->settling, EV_TIMEOUT, NULL))
        settle(h);
}

static void
wait_for_next(struct heart *h)
{
    static const struct timeval pause = { BEAT_S, 0 };

    h->due_us = clock_monotonic_us() + BEAT_S * INT64_C(1000000);
    event_add(h->event, &pause);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
    struct heart *h = arg;

    (void)fd;
    (void)what;
    faults_stick(h->worker->served);
    beat(h, clock_monotonic_us() - h->due_us);
    wait_for_next(h);
}

struct heart *
heart_new(struct worker *w)
{
    struct heart *h = memory_new(sizeof *h);

    h->worker = w;
    h->event = event_new(loop_base(w->loop), -1, 0, on_beat, h);
    h->settling = event_new(loop_base(w->loop), -1, 0, on_settle, h);
    assert(h->event != NULL && h->settling != NULL);
    beat(h, 0);
    wait_for_next(h);
    return h;
}

void
heart_free(struct heart *h)
{
    if (h == NULL)
        return;
    metrics_beat_stops(h->worker->metrics);
    event_free(h->event);
    event_free(h->settling);
    free(h);
}

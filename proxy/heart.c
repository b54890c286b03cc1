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

enum { BEAT_S = 1 };

struct heart {
    struct worker *worker;
    struct event *event;
    int64_t due_us;
    bool has_freed; /* the beat before this gave memory back to malloc */
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

/* A burst is over when nothing more is left over of it. malloc then has whole pages
 * between what lives on, and only this gives them to the system. */
static void
settle(struct heart *h)
{
    bool freed = shelves_settle();

    if (h->has_freed && !freed)
        reaper_take(trim, NULL);
    h->has_freed = freed;
}

static void
beat(struct heart *h, int64_t late_us)
{
    metrics_beat(h->worker->metrics, clock_monotonic_ms(), late_us);
    tell_gauges(h->worker);
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
    assert(h->event != NULL);
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
    free(h);
}

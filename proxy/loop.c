#include "proxy/loop.h"

#include "base/clock.h"
#include "proxy/metrics.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

enum { TICK_MS = 50, SLOTS = 256, ROUNDS = 8 };

struct loop {
    struct event_base *base;
    bool is_lent;         /* the base is somebody else's */
    struct event *runner; /* answers the queue */
    struct event *ticker; /* pending only while the wheel holds something */
    struct list woken, woken_short;
    struct list slots[SLOTS];
    int64_t tick;   /* the last tick that was run */
    int64_t due_us; /* the next tick */
    int64_t lag_us;
    struct histogram *late;
    bool ticking, answering;
};

/* Only those who rang before this round: one that rings again waits for the next. */
static void
answer_round(struct loop *l)
{
    struct list round;

    list_init(&round);
    list_splice(&round, &l->woken_short);
    list_splice(&round, &l->woken);
    while (!list_is_empty(&round)) {
        struct wake *w = LIST_OWNER(round.next, struct wake, queued);

        list_remove(&w->queued);
        w->answer(w->owner);
    }
}

static bool
is_quiet(const struct loop *l)
{
    return list_is_empty(&l->woken) && list_is_empty(&l->woken_short);
}

/* libevent runs what is active until nothing is, before it asks sockets and clock
 * again: owners that keep ringing would have the thread to themselves. After a few
 * rounds the rest waits for a time-out of zero, which comes behind the sockets. */
static void
answer_woken(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once = { 0, 0 };
    struct loop *l = arg;

    (void)fd;
    (void)what;
    l->answering = true;
    for (unsigned i = 0; i < ROUNDS && !is_quiet(l); i++)
        answer_round(l);
    l->answering = false;
    if (!is_quiet(l))
        event_add(l->runner, &at_once);
}

void
wake_ring(struct loop *l, struct wake *w)
{
    if (list_is_linked(&w->queued))
        return;
    if (is_quiet(l) && !l->answering)
        event_active(l->runner, 0, 0);
    list_add_last(w->is_short ? &l->woken_short : &l->woken, &w->queued);
}

void
wake_cancel(struct wake *w)
{
    list_remove(&w->queued);
}

static bool
run_slot(struct loop *l, struct list *slot, int64_t now)
{
    struct list due;

    list_init(&due);
    list_splice(&due, slot);
    while (!list_is_empty(&due)) {
        struct alarm *a = LIST_OWNER(due.next, struct alarm, slot);

        list_remove(&a->slot);
        if (a->due == 0)
            continue;
        if (a->due > now) { /* moved since, or due a turn of the wheel later */
            list_add_last(&l->slots[(a->due / TICK_MS + 1) % SLOTS], &a->slot);
            continue;
        }
        a->due = 0;
        a->on_due(a->owner);
    }
    return !list_is_empty(slot);
}

static void
start_ticking(struct loop *l)
{
    static const struct timeval period = { 0, TICK_MS * 1000 };

    if (l->ticking)
        return;
    l->ticking = true;
    l->due_us = clock_monotonic_us() + TICK_MS * 1000;
    l->tick = clock_monotonic_ms() / TICK_MS;
    event_add(l->ticker, &period);
}

/* A period that was missed is not made up for. */
static void
measure(struct loop *l)
{
    int64_t now_us = clock_monotonic_us();

    l->lag_us = now_us > l->due_us ? now_us - l->due_us : 0;
    if (l->late != NULL)
        histogram_add(l->late, l->lag_us);
    l->due_us += TICK_MS * 1000;
    if (l->due_us <= now_us)
        l->due_us = now_us + TICK_MS * 1000;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    int64_t now = clock_monotonic_ms();
    int64_t target = now / TICK_MS;
    bool any = false;

    (void)fd;
    (void)what;
    measure(l);
    if (target - l->tick > SLOTS)
        l->tick = target - SLOTS; /* one whole turn sees everything */
    while (l->tick < target) {
        l->tick++;
        run_slot(l, &l->slots[l->tick % SLOTS], now);
    }
    for (size_t i = 0; i < SLOTS && !any; i++)
        any = !list_is_empty(&l->slots[i]);
    if (!any) {
        event_del(l->ticker);
        l->ticking = false;
    }
}

void
alarm_set(struct loop *l, struct alarm *a, int64_t ms)
{
    int64_t due = clock_monotonic_ms() + ms;

    /* Later than before: it stays in its slot, which moves it on when its turn comes.
     */
    if (list_is_linked(&a->slot) && a->due != 0 && due >= a->due) {
        a->due = due;
        return;
    }
    list_remove(&a->slot);
    a->due = due;
    start_ticking(l);
    list_add_last(&l->slots[(due / TICK_MS + 1) % SLOTS], &a->slot);
}

void
alarm_clear(struct alarm *a)
{
    list_remove(&a->slot);
    a->due = 0;
}

struct loop *
loop_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;
    struct loop *l;

    assert(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
                                      EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    event_config_free(config);
    assert(base != NULL);
    l = loop_over(base);
    l->is_lent = false;
    return l;
}

struct loop *
loop_over(struct event_base *base)
{
    struct loop *l = calloc(1, sizeof *l);

    assert(l != NULL);
    l->base = base;
    l->is_lent = true;
    list_init(&l->woken);
    list_init(&l->woken_short);
    for (size_t i = 0; i < SLOTS; i++)
        list_init(&l->slots[i]);
    l->runner = event_new(l->base, -1, 0, answer_woken, l);
    l->ticker = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    assert(l->runner != NULL && l->ticker != NULL);
    return l;
}

void
loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    event_free(l->runner);
    event_free(l->ticker);
    if (!l->is_lent)
        event_base_free(l->base);
    free(l);
}

struct event_base *
loop_base(struct loop *l)
{
    return l->base;
}

void
loop_run(struct loop *l)
{
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *l)
{
    event_base_loopbreak(l->base);
}

void
loop_measure(struct loop *l, struct histogram *late)
{
    l->late = late;
}

int64_t
loop_lag_ms(const struct loop *l)
{
    return l->lag_us / 1000;
}

size_t
loop_count_alarms(const struct loop *l)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += list_count(&l->slots[i]);
    return n;
}

size_t
loop_count_woken(const struct loop *l)
{
    return list_count(&l->woken) + list_count(&l->woken_short);
}

/* proxy/loop.c: owners run from the loop and never from a callback's stack; deadlines
 * are kept, late perhaps, and never early. */
#include "tests/unit/proxy/stage.h"

#include "proxy/loop.h"

enum { TICK_MS = 50, TURN_MS = 256 * TICK_MS };

/* ---- wakes */

static void
a_wake_runs_from_the_loop_and_never_inline(void **state)
{
    struct bell b;

    (void)state;
    bell_hang(&b);
    wake_ring(loop, &b.wake);
    assert_int_equal(b.rung, 0);
    settle();
    assert_int_equal(b.rung, 1);
}

static void
ringing_again_before_the_answer_is_one_answer(void **state)
{
    struct bell b;

    (void)state;
    bell_hang(&b);
    wake_ring(loop, &b.wake);
    wake_ring(loop, &b.wake);
    settle();
    assert_int_equal(b.rung, 1);
    wake_ring(loop, &b.wake);
    settle();
    assert_int_equal(b.rung, 2);
}

static void
a_cancelled_wake_is_not_answered(void **state)
{
    struct bell b, other;

    (void)state;
    bell_hang(&b);
    bell_hang(&other);
    wake_ring(loop, &b.wake);
    wake_ring(loop, &other.wake);
    wake_cancel(&b.wake);
    wake_cancel(&b.wake);
    settle();
    assert_int_equal(b.rung, 0);
    assert_int_equal(other.rung, 1);
}

/* Owners that act on others while they are answered. */
struct actor {
    struct wake wake;
    struct actor *other;
    void (*act)(struct actor *self);
    unsigned answered;
    unsigned depth, deepest;
};

static unsigned stack_depth;

static void
on_actor(void *owner)
{
    struct actor *a = owner;

    a->answered++;
    if (++stack_depth > a->deepest)
        a->deepest = stack_depth;
    a->act(a);
    stack_depth--;
}

static void
actor_make(struct actor *a, void (*act)(struct actor *self), struct actor *other)
{
    *a = (struct actor){ .wake = { .answer = on_actor, .owner = a },
                         .other = other,
                         .act = act };
}

static void
ring_other(struct actor *self)
{
    if (self->answered < 3)
        wake_ring(loop, &self->other->wake);
}

static void
a_wake_rung_by_another_does_not_run_on_its_stack(void **state)
{
    struct actor a, b;

    (void)state;
    actor_make(&a, ring_other, &b);
    actor_make(&b, ring_other, &a);
    wake_ring(loop, &a.wake);
    UNTIL(a.answered == 3);
    assert_int_equal(b.answered, 2);
    assert_int_equal(a.deepest, 1);
    assert_int_equal(b.deepest, 1);
}

static void
cancel_other(struct actor *self)
{
    wake_cancel(&self->other->wake);
}

static void
one_that_is_cancelled_by_the_one_before_it_is_not_answered(void **state)
{
    struct actor a, b;

    (void)state;
    actor_make(&a, cancel_other, &b);
    actor_make(&b, cancel_other, &a);
    wake_ring(loop, &a.wake);
    wake_ring(loop, &b.wake);
    settle();
    settle();
    assert_int_equal(a.answered, 1);
    assert_int_equal(b.answered, 0);
}

static struct actor *last_answered;

static void
remember(struct actor *self)
{
    last_answered = self;
}

static void
what_is_short_is_answered_before_what_rang_earlier(void **state)
{
    struct actor a, b;

    (void)state;
    actor_make(&a, remember, NULL);
    actor_make(&b, remember, NULL);
    b.wake.is_short = true;
    wake_ring(loop, &a.wake);
    wake_ring(loop, &b.wake);
    UNTIL(a.answered == 1 && b.answered == 1);
    assert_ptr_equal(last_answered, &a);
}

static void
stop_in_the_end(struct actor *self)
{
    if (self->answered == 1000 * 1000 * 1000)
        loop_stop(loop);
    wake_ring(loop, &self->wake);
}

/* ---- deadlines */

struct timer {
    struct alarm alarm;
    unsigned gone_off;
    int64_t at;    /* when it went off */
    int64_t order; /* and as which one */
};

static int64_t gone_off;

static void
on_timer(void *owner)
{
    struct timer *t = owner;

    t->gone_off++;
    t->at = clock_monotonic_ms();
    t->order = ++gone_off;
}

static void
timer_make(struct timer *t)
{
    *t = (struct timer){ .alarm = { .on_due = on_timer, .owner = t } };
}

static void
on_timer_stop(void *owner)
{
    on_timer(owner);
    loop_stop(loop);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    bool *seen = arg;

    (void)fd, (void)what;
    *seen = true;
}

/* Else one busy connection would be all that a worker knows: no deadline would be kept
 * and no other socket be read. */
static void
one_that_rings_itself_again_starves_neither_an_alarm_nor_a_socket(void **state)
{
    struct event *socket;
    struct actor busy;
    struct timer t;
    bool seen = false;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    put_bytes(ends[0], TEXT("x"));
    socket = event_new(loop_base(loop), ends[1], EV_READ, on_readable, &seen);
    event_add(socket, NULL);
    actor_make(&busy, stop_in_the_end, NULL);
    timer_make(&t);
    t.alarm.on_due = on_timer_stop;
    alarm_set(loop, &t.alarm, 60);
    wake_ring(loop, &busy.wake);
    loop_run(loop);
    assert_int_equal(t.gone_off, 1);
    assert_true(busy.answered > 1);
    assert_true(seen);
    wake_cancel(&busy.wake);
    event_free(socket);
    close(ends[0]);
    close(ends[1]);
}

static void
alarms_go_off_in_their_order_and_never_early(void **state)
{
    static const int64_t waits[] = { 120, 0, 49, 240, 1, 51, 180 };
    enum { N = sizeof waits / sizeof *waits };
    struct timer timers[N];
    int64_t began[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        timer_make(&timers[i]);
        began[i] = clock_monotonic_ms();
        alarm_set(loop, &timers[i].alarm, waits[i]);
    }
    for (size_t i = 0; i < N; i++)
        UNTIL(timers[i].gone_off > 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(timers[i].gone_off, 1);
        assert_true(timers[i].at >= began[i] + waits[i]);
        for (size_t k = 0; k < N; k++)
            if (waits[k] > waits[i] + TICK_MS)
                assert_true(timers[k].order > timers[i].order);
    }
}

static void
an_alarm_goes_off_once_and_can_be_set_anew(void **state)
{
    struct timer t, later;

    (void)state;
    timer_make(&t);
    timer_make(&later);
    alarm_set(loop, &t.alarm, 1);
    UNTIL(t.gone_off == 1);
    assert_int_equal(t.alarm.due, 0);
    alarm_set(loop, &later.alarm, 2 * TICK_MS);
    UNTIL(later.gone_off == 1);
    assert_int_equal(t.gone_off, 1);
    alarm_set(loop, &t.alarm, 1);
    UNTIL(t.gone_off == 2);
}

static void
a_cleared_alarm_does_not_go_off(void **state)
{
    struct timer cleared, moved, later;

    (void)state;
    timer_make(&cleared);
    timer_make(&moved);
    timer_make(&later);
    alarm_clear(&cleared.alarm); /* never set: that is fine */
    alarm_set(loop, &cleared.alarm, 10);
    alarm_set(loop, &moved.alarm, 10);
    alarm_set(loop, &moved.alarm, 60);
    alarm_set(loop, &later.alarm, 150);
    alarm_clear(&cleared.alarm);
    alarm_clear(&moved.alarm);
    UNTIL(later.gone_off == 1);
    assert_int_equal(cleared.gone_off, 0);
    assert_int_equal(moved.gone_off, 0);
}

static void
an_alarm_moved_later_goes_off_later_and_one_moved_earlier_earlier(void **state)
{
    struct timer later, earlier, between;
    int64_t due;

    (void)state;
    timer_make(&later);
    timer_make(&earlier);
    timer_make(&between);
    alarm_set(loop, &later.alarm, 10);
    alarm_set(loop, &earlier.alarm, 10 * 1000);
    alarm_set(loop, &between.alarm, 140);
    alarm_set(loop, &later.alarm, 240);
    due = later.alarm.due;
    alarm_set(loop, &earlier.alarm, 20);
    UNTIL(later.gone_off > 0);
    assert_true(earlier.order < between.order && between.order < later.order);
    assert_int_equal(earlier.gone_off, 1);
    assert_true(later.at >= due);
}

/* Later first, which leaves it in its old slot, and then earlier than that. */
static void
an_alarm_moved_later_and_back_is_not_missed(void **state)
{
    struct timer t;

    (void)state;
    timer_make(&t);
    alarm_set(loop, &t.alarm, 10);
    alarm_set(loop, &t.alarm, TURN_MS);
    alarm_set(loop, &t.alarm, 120);
    UNTIL(t.gone_off == 1);
}

/* Both stand in slots that come up within the wait; they must be passed over. */
static void
an_alarm_more_than_a_turn_of_the_wheel_away_waits_for_its_own_turn(void **state)
{
    struct timer far, further, near;

    (void)state;
    timer_make(&far);
    timer_make(&further);
    timer_make(&near);
    alarm_set(loop, &far.alarm, TURN_MS + 50);
    alarm_set(loop, &further.alarm, 7 * TURN_MS + 100);
    alarm_set(loop, &near.alarm, 200);
    UNTIL(near.gone_off == 1);
    assert_int_equal(far.gone_off, 0);
    assert_int_equal(further.gone_off, 0);
    assert_true(far.alarm.due > 0 && further.alarm.due > 0);
    alarm_set(loop, &far.alarm, 1); /* and are still found when they are moved */
    UNTIL(far.gone_off == 1);
    alarm_clear(&further.alarm);
}

struct meddler {
    struct timer timer;
    struct timer *to_clear, *to_move;
};

static void
on_meddler(void *owner)
{
    struct meddler *m = owner;

    on_timer(&m->timer);
    alarm_clear(&m->to_clear->alarm);
    alarm_set(loop, &m->to_move->alarm, 60);
    if (m->timer.gone_off < 2)
        alarm_set(loop, &m->timer.alarm, 0);
}

/* All are due in the same tick: nobody knows which is first. */
static void
what_is_cleared_or_moved_by_another_of_the_same_tick_stays_so(void **state)
{
    struct timer cleared, moved;
    struct meddler m = { .to_clear = &cleared, .to_move = &moved };
    int64_t due;

    (void)state;
    timer_make(&cleared);
    timer_make(&moved);
    m.timer.alarm = (struct alarm){ .on_due = on_meddler, .owner = &m };
    alarm_set(loop, &m.timer.alarm, 0);
    alarm_set(loop, &cleared.alarm, 0);
    alarm_set(loop, &moved.alarm, 0);
    UNTIL(m.timer.gone_off == 1);
    due = moved.alarm.due;
    assert_int_equal(moved.gone_off, 0);
    UNTIL(moved.gone_off == 1);
    assert_true(moved.at >= due);
    assert_int_equal(m.timer.gone_off, 2);
    assert_int_equal(cleared.gone_off, 0);
}

static void
the_loop_tells_how_late_it_is(void **state)
{
    struct timer t;

    (void)state;
    timer_make(&t);
    alarm_set(loop, &t.alarm, 0);
    UNTIL(t.gone_off == 1);
    assert_true(loop_lag_ms(loop) >= 0);
    loop_free(NULL);
}

/* As main has one. */
static void
a_loop_on_a_base_that_is_lent_leaves_it_as_it_was(void **state)
{
    struct event_base *base = loop_base(loop);
    struct loop *over = loop_over(base);
    struct timer t;
    struct bell b;

    (void)state;
    bell_hang(&b);
    timer_make(&t);
    assert_ptr_equal(loop_base(over), base);
    wake_ring(over, &b.wake);
    alarm_set(over, &t.alarm, 0);
    UNTIL(b.rung == 1 && t.gone_off == 1);
    wake_ring(over, &b.wake);
    wake_cancel(&b.wake);
    loop_free(over);
    wake_ring(loop, &b.wake);
    settle();
    assert_int_equal(b.rung, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_wake_runs_from_the_loop_and_never_inline),
        STAGE_TEST(ringing_again_before_the_answer_is_one_answer),
        STAGE_TEST(a_cancelled_wake_is_not_answered),
        STAGE_TEST(a_wake_rung_by_another_does_not_run_on_its_stack),
        STAGE_TEST(one_that_is_cancelled_by_the_one_before_it_is_not_answered),
        STAGE_TEST(what_is_short_is_answered_before_what_rang_earlier),
        STAGE_TEST(one_that_rings_itself_again_starves_neither_an_alarm_nor_a_socket),
        STAGE_TEST(alarms_go_off_in_their_order_and_never_early),
        STAGE_TEST(an_alarm_goes_off_once_and_can_be_set_anew),
        STAGE_TEST(a_cleared_alarm_does_not_go_off),
        STAGE_TEST(an_alarm_moved_later_goes_off_later_and_one_moved_earlier_earlier),
        STAGE_TEST(an_alarm_moved_later_and_back_is_not_missed),
        STAGE_TEST(an_alarm_more_than_a_turn_of_the_wheel_away_waits_for_its_own_turn),
        STAGE_TEST(what_is_cleared_or_moved_by_another_of_the_same_tick_stays_so),
        STAGE_TEST(the_loop_tells_how_late_it_is),
        STAGE_TEST(a_loop_on_a_base_that_is_lent_leaves_it_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* proxy/reaper.c: what is handed over is ended once, in order, on another thread, and
 * all of it before the end; without a thread, at once. */
#include "tests/unit/proxy/house.h"

#include "proxy/reaper.h"

#include <semaphore.h>

enum { MANY = 1000 };

static struct {
    pthread_t giver;
    unsigned ended;
    unsigned elsewhere;   /* not on the giver's thread */
    unsigned order[MANY]; /* what was ended, the first first */
} seen;

static unsigned names[MANY];
static sem_t gate;

static void
on_end(void *what)
{
    const unsigned *name = what;

    assert_true(seen.ended < MANY);
    seen.order[seen.ended++] = *name;
    seen.elsewhere += !pthread_equal(pthread_self(), seen.giver);
}

static void
on_gate(void *what)
{
    (void)what;
    while (sem_wait(&gate) != 0)
        ;
}

static void
on_two(void *what)
{
    reaper_take(on_end, what);
    reaper_take(on_end, (unsigned *)what + 1);
}

static int
begin(void **state)
{
    if (house_begin(state) != 0)
        return -1;
    memset(&seen, 0, sizeof seen);
    seen.giver = pthread_self();
    for (unsigned i = 0; i < MANY; i++)
        names[i] = i;
    return sem_init(&gate, 0, 0);
}

static int
end(void **state)
{
    sem_destroy(&gate);
    assert_int_equal(generations_alive(), 0);
    return stage_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
the_end_comes_when_all_was_ended_once_in_order_and_elsewhere(void **state)
{
    (void)state;
    reaper_begin();
    reaper_take(on_gate, NULL);
    for (unsigned i = 0; i < MANY; i++)
        reaper_take(on_end, &names[i]);
    assert_int_equal(sem_post(&gate), 0);
    reaper_end();
    assert_int_equal(seen.ended, MANY);
    assert_int_equal(seen.elsewhere, MANY);
    assert_memory_equal(seen.order, names, sizeof names);
}

static void
what_hands_over_more_while_it_ends_is_waited_for_as_well(void **state)
{
    (void)state;
    reaper_begin();
    reaper_take(on_two, &names[0]);
    reaper_take(on_two, &names[2]);
    reaper_end();
    assert_int_equal(seen.ended, 4);
}

/* The reaper is held up, so that it cannot have been freed by anybody. */
static void
the_last_to_leave_a_generation_does_not_free_it_itself(void **state)
{
    struct generation *g = house_build(1);

    (void)state;
    reaper_begin();
    reaper_take(on_gate, NULL);
    generation_ref(g);
    generation_unref(g);
    generation_unref(g);
    assert_int_equal(generations_alive(), 1);
    assert_int_equal(sem_post(&gate), 0);
    reaper_end();
    assert_int_equal(generations_alive(), 0);
}

static void
before_its_begin_and_after_its_end_it_is_ended_at_once(void **state)
{
    (void)state;
    reaper_take(on_end, &names[0]);
    assert_int_equal(seen.ended, 1);
    reaper_end();
    reaper_begin();
    reaper_end();
    reaper_take(on_end, &names[1]);
    assert_int_equal(seen.ended, 2);
    assert_int_equal(seen.elsewhere, 0);
}

static void
where_no_thread_can_be_had_it_is_ended_at_once(void **state)
{
    (void)state;
    threads_fail(true);
    reaper_begin();
    threads_fail(false);
    assert_true(log_says("no thread can be started to free"));
    reaper_take(on_end, &names[0]);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(seen.elsewhere, 0);
    reaper_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_end_comes_when_all_was_ended_once_in_order_and_elsewhere),
        TEST(what_hands_over_more_while_it_ends_is_waited_for_as_well),
        TEST(the_last_to_leave_a_generation_does_not_free_it_itself),
        TEST(before_its_begin_and_after_its_end_it_is_ended_at_once),
        TEST(where_no_thread_can_be_had_it_is_ended_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

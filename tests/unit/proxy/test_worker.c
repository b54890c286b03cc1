/* proxy/worker.c as main sees it: it starts or it is refused, and it ends when told. */
#include "tests/unit/proxy/house.h"

#include "proxy/mailbox.h"
#include "proxy/worker.h"

static struct mailbox *to_main;
static struct shared shared;
static unsigned n_ended, n_adopted;

static void
on_message(void *owner, const struct message *m)
{
    (void)owner;
    assert_int_equal(m->worker, 0);
    n_ended += m->kind == MESSAGE_ENDED;
    n_adopted += m->kind == MESSAGE_ADOPTED;
}

static struct worker_start
start_of(struct generation *g)
{
    n_ended = n_adopted = 0;
    to_main = mailbox_new(loop_base(loop), on_message, NULL);
    return (struct worker_start){
        .generation = g, .n_workers = 1, .shared = &shared, .to_main = to_main
    };
}

static void
a_worker_ends_when_it_is_told_and_lets_its_generation_go(void **state)
{
    static void (*const tell[])(struct worker * w) = { worker_stop, worker_drain };
    struct generation *g = house_build(1);
    struct worker_start start = start_of(g);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct worker *w;

        assert_int_equal(worker_start(&start, &w), REASON_OK);
        worker_dump(w);
        tell[i](w);
        worker_join(w);
        UNTIL(n_ended == i + 1);
    }
    assert_true(log_says("lag_ms"));
    generation_unref(g);
    mailbox_free(to_main);
    assert_int_equal(generations_alive(), 0);
}

static void
a_worker_that_adopts_a_generation_lets_the_one_before_go(void **state)
{
    struct generation *g = house_build(1);
    struct worker_start start = start_of(g);
    struct worker *w;

    (void)state;
    assert_int_equal(worker_start(&start, &w), REASON_OK);
    generation_unref(g);
    worker_adopt(w, house_build(2), NULL);
    UNTIL(n_adopted == 1);
    assert_int_equal(generations_alive(), 1);
    worker_stop(w);
    worker_join(w);
    mailbox_free(to_main);
    assert_int_equal(generations_alive(), 0);
}

static void
a_worker_without_a_thread_is_refused_and_leaves_nothing(void **state)
{
    struct generation *g = house_build(1);
    struct worker_start start = start_of(g);
    struct worker *w;

    (void)state;
    threads_fail(true);
    assert_int_equal(worker_start(&start, &w), REASON_INTERNAL);
    threads_fail(false);
    assert_null(w);
    assert_true(log_says("\"internal\""));
    assert_int_equal(n_ended, 0);
    generation_unref(g);
    mailbox_free(to_main);
    assert_int_equal(generations_alive(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_worker_ends_when_it_is_told_and_lets_its_generation_go),
        HOUSE_TEST(a_worker_that_adopts_a_generation_lets_the_one_before_go),
        HOUSE_TEST(a_worker_without_a_thread_is_refused_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* proxy/doorbell.c: rung from the ledger's thread, heard on a worker's loop. */
#include "tests/unit/proxy/house.h"

#include "proxy/doorbell.h"
#include "proxy/mailbox.h"

#include <pthread.h>
#include <sched.h>

enum { ROUNDS = 2000 };

static struct mailbox *box;
static struct doorbell *bell;
static unsigned heard;
static _Atomic unsigned begun, durable; /* rounds: by the test, by the other thread */

static void
on_message(void *owner, const struct message *m)
{
    (void)owner;
    assert_int_equal(m->kind, MESSAGE_WRITTEN);
    doorbell_heard(bell);
    heard++;
}

static int
begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    heard = 0;
    begun = durable = 0;
    box = mailbox_new(loop_base(loop), on_message, NULL);
    bell = doorbell_new();
    doorbell_tie(bell, box);
    return 0;
}

static int
end(void **state)
{
    doorbell_tie(bell, NULL);
    mailbox_free(box);
    doorbell_free(bell);
    return stage_end(state);
}

static void
it_is_silent_while_nobody_waits(void **state)
{
    (void)state;
    doorbell_ring(bell);
    settle();
    assert_int_equal(heard, 0);
    doorbell_await(bell);
    doorbell_ring(bell);
    UNTIL(heard == 1);
    doorbell_leave(bell);
    doorbell_ring(bell);
    settle();
    assert_int_equal(heard, 1);
}

static void
it_is_heard_once_however_often_it_rang_meanwhile(void **state)
{
    (void)state;
    doorbell_await(bell);
    for (int i = 0; i < 100; i++)
        doorbell_ring(bell);
    UNTIL(heard > 0);
    settle();
    assert_int_equal(heard, 1);
    doorbell_ring(bell);
    UNTIL(heard == 2);
    doorbell_leave(bell);
}

static void
it_rings_nowhere_once_its_worker_is_gone(void **state)
{
    (void)state;
    doorbell_await(bell);
    doorbell_tie(bell, NULL);
    doorbell_ring(bell);
    settle();
    assert_int_equal(heard, 0);
    doorbell_leave(bell);
}

static void *
write_and_ring(void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        while (begun < i)
            sched_yield();
        durable = i;
        doorbell_ring(bell);
    }
    return NULL;
}

/* As a worker does: it says that it waits, looks once more, and then only listens. */
static void
who_waits_before_looking_misses_nothing(void **state)
{
    pthread_t writer;

    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, write_and_ring, NULL), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        unsigned before = heard;

        begun = i;
        doorbell_await(bell);
        if (durable < i)
            UNTIL(heard > before && durable >= i);
        doorbell_leave(bell);
        settle();
    }
    pthread_join(writer, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_silent_while_nobody_waits),
        TEST(it_is_heard_once_however_often_it_rang_meanwhile),
        TEST(it_rings_nowhere_once_its_worker_is_gone),
        TEST(who_waits_before_looking_misses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

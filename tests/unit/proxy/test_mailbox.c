/* proxy/mailbox.c: messages arrive on the loop, all of them, in the order of posting.
 */
#include "tests/unit/proxy/house.h"

#include "proxy/mailbox.h"

#include <pthread.h>

enum { MANY = 2000, POSTERS = 3 };

static struct mailbox *box;
static pthread_t loop_thread;
static struct {
    uintptr_t at[POSTERS * MANY];
    size_t n;
} got;

/* A message's generation stands for a number here: nobody looks into it. */
static void
on_message(void *owner, const struct message *m)
{
    assert_ptr_equal(owner, &got);
    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_true(got.n < POSTERS * MANY);
    got.at[got.n++] = (uintptr_t)m->generation;
}

static void
post(uintptr_t number)
{
    struct message m = { .kind = MESSAGE_DUMP,
                         .generation = (struct generation *)number };

    mailbox_post(box, &m);
}

static void
open_box(void)
{
    got.n = 0;
    loop_thread = pthread_self();
    box = mailbox_new(loop_base(loop), on_message, &got);
}

static void
messages_come_from_the_loop_in_their_order(void **state)
{
    (void)state;
    open_box();
    for (uintptr_t i = 1; i <= 3; i++)
        post(i);
    assert_int_equal(got.n, 0);
    UNTIL(got.n == 3);
    for (uintptr_t i = 1; i <= 3; i++)
        assert_int_equal(got.at[i - 1], i);
    mailbox_free(box);
}

static void *
post_many(void *arg)
{
    uintptr_t poster = (uintptr_t)arg;

    for (uintptr_t i = 0; i < MANY; i++)
        post(poster * MANY + i);
    return NULL;
}

static void
nothing_from_other_threads_is_lost_or_out_of_order(void **state)
{
    uintptr_t next[POSTERS];
    pthread_t threads[POSTERS];

    (void)state;
    open_box();
    for (uintptr_t i = 0; i < POSTERS; i++) {
        next[i] = i * MANY;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
    }
    UNTIL(got.n == POSTERS * MANY);
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < got.n; i++)
        assert_int_equal(got.at[i], next[got.at[i] / MANY]++);
    mailbox_free(box);
}

static void
on_adopted(void *owner, const struct message *m)
{
    (void)owner;
    assert_int_equal(m->kind, MESSAGE_ADOPT);
    generation_unref(m->generation);
}

static void
what_is_in_a_letter_never_read_is_let_go(void **state)
{
    struct message m = { .kind = MESSAGE_ADOPT };

    (void)state;
    box = mailbox_new(loop_base(loop), on_adopted, NULL);
    m.generation = house_build(1);
    mailbox_post(box, &m);
    UNTIL(generations_alive() == 0);
    m.generation = house_build(2);
    m.vault = vault_read(generation_conf(m.generation));
    mailbox_post(box, &m);
    assert_int_equal(generations_alive(), 1);
    mailbox_free(box);
    assert_int_equal(generations_alive(), 0);
    mailbox_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(messages_come_from_the_loop_in_their_order),
        HOUSE_TEST(nothing_from_other_threads_is_lost_or_out_of_order),
        HOUSE_TEST(what_is_in_a_letter_never_read_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

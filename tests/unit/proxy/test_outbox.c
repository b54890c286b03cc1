/* proxy/outbox.c: which checkpoints wait for the witness, and which make way. */
#include "tests/unit/proxy/stage.h"

#include "proxy/mailbox.h"
#include "proxy/outbox.h"

static struct outbox *box;
static struct mailbox *to;
static unsigned told;

static void
on_message(void *owner, const struct message *m)
{
    assert_ptr_equal(owner, &told);
    assert_int_equal(m->kind, MESSAGE_CHECKPOINT);
    told++;
}

static int
begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    told = 0;
    box = outbox_new();
    to = mailbox_new(loop_base(loop), on_message, &told);
    return 0;
}

static int
end(void **state)
{
    outbox_free(box);
    outbox_free(NULL);
    mailbox_free(to);
    return stage_end(state);
}

#define OUTBOX_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
put(uint64_t seq)
{
    char record[32];

    snprintf(record, sizeof record, "<%u>", (unsigned)seq);
    outbox_put(box, seq, text_z(record));
}

static void
expect(uint64_t newest, const char *lines)
{
    struct buf out = { 0 };

    assert_int_equal(outbox_write(box, &out), newest);
    assert_buf(&out, lines);
    buf_free(&out);
}

static struct outbox_state
look(void)
{
    struct outbox_state s;

    outbox_look(box, &s);
    return s;
}

static void
what_waits_is_written_in_order_until_it_has_arrived(void **state)
{
    (void)state;
    expect(0, "");
    assert_int_equal(look().since_ms, 0);
    put(3);
    put(7);
    expect(7, "<3>\n<7>\n");
    expect(7, "<3>\n<7>\n"); /* it did not arrive */
    put(9);
    outbox_settle(box, 7);
    expect(9, "<9>\n");
    assert_int_equal(look().waiting, 1);
    assert_true(look().since_ms > 0);
    outbox_settle(box, 9);
    expect(0, "");
    assert_int_equal(look().since_ms, 0);
    assert_int_equal(look().passed_over, 0);
}

static void
the_oldest_make_way_and_are_counted_when_somebody_was_to_have_them(void **state)
{
    struct buf out = { 0 };

    (void)state;
    for (unsigned i = 1; i <= OUTBOX_LINES + 5; i++)
        put(i);
    assert_int_equal(look().passed_over, 0); /* nobody was */
    outbox_tie(box, to);
    put(OUTBOX_LINES + 6);
    put(OUTBOX_LINES + 7);
    assert_int_equal(look().passed_over, 2);
    assert_int_equal(look().waiting, OUTBOX_LINES);
    assert_int_equal(outbox_write(box, &out), OUTBOX_LINES + 7);
    assert_true(text_starts(buf_text(&out), TEXT("<8>\n<9>\n")));
    buf_free(&out);
    outbox_settle(box, OUTBOX_LINES + 6);
    expect(OUTBOX_LINES + 7, "<71>\n");
}

static void
one_message_stands_for_all_that_came_since_the_last(void **state)
{
    (void)state;
    put(1);
    settle();
    assert_int_equal(told, 0); /* it is not tied */
    outbox_tie(box, to);
    put(2);
    put(3);
    settle();
    assert_int_equal(told, 1);
    put(4);
    settle();
    assert_int_equal(told, 1); /* that was not heard yet */
    outbox_heard(box);
    put(5);
    settle();
    assert_int_equal(told, 2);
    outbox_heard(box);
    outbox_tie(box, NULL);
    put(6);
    settle();
    assert_int_equal(told, 2);
}

static void
another_witness_is_offered_the_newest_that_arrived(void **state)
{
    (void)state;
    outbox_offer_again(box);
    expect(0, ""); /* there was none */
    put(1);
    put(2);
    outbox_settle(box, 2);
    outbox_offer_again(box);
    expect(2, "<2>\n");
    outbox_offer_again(box);
    expect(2, "<2>\n");
    put(3);
    outbox_settle(box, 2);
    outbox_offer_again(box); /* a newer one waits: it vouches for all before it */
    expect(3, "<3>\n");
}

static void
what_waited_for_nobody_has_waited_since_somebody_came(void **state)
{
    int64_t now;

    (void)state;
    put(1);
    now = clock_monotonic_ms();
    while (clock_monotonic_ms() == now)
        ;
    outbox_tie(box, to);
    assert_true(look().since_ms > now);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(what_waits_is_written_in_order_until_it_has_arrived),
        OUTBOX_TEST(the_oldest_make_way_and_are_counted_when_somebody_was_to_have_them),
        OUTBOX_TEST(one_message_stands_for_all_that_came_since_the_last),
        OUTBOX_TEST(another_witness_is_offered_the_newest_that_arrived),
        OUTBOX_TEST(what_waited_for_nobody_has_waited_since_somebody_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

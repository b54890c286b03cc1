/* proxy/builder.c: generations are made away from the loop, one at a time, and told on
 * it. */
#include "tests/unit/proxy/house.h"

#include "proxy/builder.h"

#include <pthread.h>

static struct {
    pthread_t loop_thread;
    unsigned times;
    enum reason why;
    bool said_something;
    uint64_t number;
    bool has_handles;
} told;

static struct generation *now; /* in force */

static int
begin(void **state)
{
    if (house_begin(state) != 0)
        return -1;
    now = house_build(1);
    return 0;
}

static int
end(void **state)
{
    generation_unref(now);
    assert_int_equal(generations_alive(), 0);
    return stage_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
on_built(void *owner, const struct built *b)
{
    assert_ptr_equal(owner, &told);
    assert_true(pthread_equal(pthread_self(), told.loop_thread));
    assert_true(b->generation == NULL || b->why == REASON_OK);
    told.times++;
    told.why = b->why;
    told.said_something = buf_length(b->report) > 0;
    told.number = b->generation != NULL ? generation_number(b->generation) : 0;
    told.has_handles = b->generation != NULL &&
                       generation_handles(b->generation) != NULL;
    generation_unref(b->generation);
}

static struct builder *
new_builder(void)
{
    memset(&told, 0, sizeof told);
    told.loop_thread = pthread_self();
    return builder_new(loop_base(loop), in_scratch("main.conf"), NULL, on_built, &told);
}

static void
what_was_built_is_told_on_the_loop(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    assert_int_equal(told.times, 0);
    UNTIL(told.times == 1);
    assert_int_equal(told.why, REASON_OK);
    assert_int_equal(told.number, 5);
    assert_true(told.has_handles);
    assert_int_equal(generations_alive(), 1);
    assert_int_equal(builder_build(b, now, 6, true), REASON_OK);
    UNTIL(told.times == 2);
    assert_int_equal(told.number, 6);
    builder_free(b);
}

/* Whoever is asked to look reads the same bytes once; whoever is told to read, reads.
 */
static void
bytes_that_were_read_already_are_no_news(void **state)
{
    static const unsigned char nothing[SHA256_SIZE];
    struct builder *b = new_builder();

    (void)state;
    builder_knows(b, nothing);
    assert_int_equal(builder_build(b, now, 5, false), REASON_OK);
    UNTIL(told.times == 1);
    assert_int_equal(told.number, 5);
    assert_int_equal(builder_build(b, now, 6, false), REASON_OK);
    UNTIL(told.times == 2);
    assert_int_equal(told.why, REASON_OK);
    assert_int_equal(told.number, 0);
    assert_int_equal(builder_build(b, now, 6, true), REASON_OK);
    UNTIL(told.times == 3);
    assert_int_equal(told.number, 6);
    house_write("task = \"standing\"", "tusk = \"standing\"");
    assert_int_equal(builder_build(b, now, 7, false), REASON_OK);
    UNTIL(told.times == 4);
    assert_int_equal(told.why, REASON_CONFIG);
    assert_int_equal(builder_build(b, now, 7, false), REASON_OK);
    UNTIL(told.times == 5);
    assert_int_equal(told.why, REASON_OK);
    assert_int_equal(told.number, 0);
    assert_false(told.said_something);
    builder_free(b);
}

static void
a_config_with_errors_is_told_with_its_report(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    house_write("workload =", "wrkload =");
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    UNTIL(told.times == 1);
    assert_int_equal(told.why, REASON_CONFIG);
    assert_true(told.said_something);
    house_write(NULL, NULL);
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    UNTIL(told.times == 2);
    assert_int_equal(told.why, REASON_OK);
    assert_false(told.said_something); /* of before */
    builder_free(b);
}

/* Its own mistakes there are none, but it is not one for this process. */
static void
a_config_that_may_not_follow_is_told_with_its_report_and_let_go(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    house_write("uid = 1000", "uid = 1001");
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    UNTIL(told.times == 1);
    assert_int_equal(told.why, REASON_CONFIG);
    assert_true(told.said_something);
    assert_int_equal(generations_alive(), 1);
    builder_free(b);
}

/* Whoever takes its place while it builds may be the last to hold it. */
static void
the_generation_in_force_is_held_while_the_next_is_built(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    generation_unref(now);
    now = NULL;
    UNTIL(told.times == 1);
    assert_int_equal(told.why, REASON_OK);
    assert_int_equal(generations_alive(), 0);
    builder_free(b);
}

static void
house_rename(const char *from, const char *to)
{
    char old[512];

    (void)snprintf(old, sizeof old, "%s", in_scratch(from));
    assert_int_equal(rename(old, in_scratch(to)), 0);
}

/* The gate's certificate is a pipe that nobody writes to: OpenSSL hangs in opening it
 * for as long as we like, and the loop goes on. */
static void
the_loop_goes_on_while_one_is_built(void **state)
{
    struct builder *b;
    struct bell bell;
    int writer;

    (void)state;
    house_rename("ca/ca.pem", "ca/kept.pem");
    assert_int_equal(mkfifo(in_scratch("ca/ca.pem"), 0600), 0);
    b = new_builder();
    bell_hang(&bell);
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    wake_ring(loop, &bell.wake);
    UNTIL(bell.rung == 1);
    settle();
    assert_int_equal(told.times, 0);
    writer = open(in_scratch("ca/ca.pem"), O_WRONLY);
    assert_true(writer >= 0);
    close(writer);
    UNTIL(told.times == 1);
    assert_int_not_equal(told.why, REASON_OK);
    house_rename("ca/kept.pem", "ca/ca.pem");
    assert_int_equal(builder_build(b, now, 6, true), REASON_OK);
    UNTIL(told.times == 2);
    assert_int_equal(told.why, REASON_OK);
    builder_free(b);
}

static void
a_build_that_cannot_begin_is_logged_and_the_next_one_can(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    threads_fail(true);
    assert_int_equal(builder_build(b, now, 5, true), REASON_INTERNAL);
    threads_fail(false);
    assert_true(log_says("the config is not read"));
    assert_int_equal(builder_build(b, now, 6, true), REASON_OK);
    UNTIL(told.times == 1);
    assert_int_equal(told.number, 6);
    builder_free(b);
}

static void
the_end_of_the_builder_waits_for_what_is_being_built_and_lets_it_go(void **state)
{
    struct builder *b = new_builder();

    (void)state;
    assert_int_equal(builder_build(b, now, 5, true), REASON_OK);
    builder_free(b);
    assert_int_equal(told.times, 0);
    assert_int_equal(generations_alive(), 1);
    builder_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_built_is_told_on_the_loop),
        TEST(bytes_that_were_read_already_are_no_news),
        TEST(a_config_with_errors_is_told_with_its_report),
        TEST(a_config_that_may_not_follow_is_told_with_its_report_and_let_go),
        TEST(the_generation_in_force_is_held_while_the_next_is_built),
        TEST(the_loop_goes_on_while_one_is_built),
        TEST(a_build_that_cannot_begin_is_logged_and_the_next_one_can),
        TEST(the_end_of_the_builder_waits_for_what_is_being_built_and_lets_it_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

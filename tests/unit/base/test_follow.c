/* Who follows the log reads every line, or how many were lost; who logs never waits. */
#include "base/follow.h"
#include "base/json.h"
#include "base/log.h"

#include "folder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include <cmocka.h>

static int bell;

static int
begin(void **state)
{
    (void)state;
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    follow_begin(bell);
    return bell < 0;
}

static int
end(void **state)
{
    (void)state;
    follow_end();
    log_close();
    close(bell);
    return 0;
}

static bool
has_rung(void)
{
    uint64_t n;

    return read(bell, &n, sizeof n) == sizeof n;
}

static void
lines_come_whole_and_in_order_and_the_bell_rings_once(void **state)
{
    struct buf out = { 0 };

    (void)state;
    assert_false(has_rung());
    follow_put(TEXT("one\n"));
    follow_put(TEXT("two\n"));
    assert_true(has_rung());
    assert_false(has_rung());
    assert_int_equal(follow_take(&out), 0);
    assert_true(text_equals(buf_text(&out), TEXT("one\ntwo\n")));
    follow_put(TEXT("three\n"));
    assert_true(has_rung());
    buf_free(&out);
}

static void
a_full_room_loses_lines_and_counts_them(void **state)
{
    char line[4096];
    size_t fit = FOLLOW_ROOM / sizeof line;
    struct buf out = { 0 };

    (void)state;
    memset(line, 'x', sizeof line);
    for (size_t i = 0; i < fit + 3; i++)
        follow_put(text_of(line, sizeof line));
    follow_put(
        TEXT("short\n")); /* behind a gap: it would stand before what is told of */
    assert_int_equal(follow_take(&out), 4);
    assert_int_equal(buf_length(&out), fit * sizeof line);
    follow_put(TEXT("after\n"));
    assert_int_equal(follow_take(&out), 0);
    buf_free(&out);
}

static void
nothing_is_kept_while_nobody_follows(void **state)
{
    struct buf out = { 0 };

    (void)state;
    follow_put(TEXT("before\n"));
    follow_end();
    assert_false(follow_is_on());
    follow_put(TEXT("lost\n"));
    follow_begin(bell);
    assert_int_equal(follow_take(&out), 0);
    assert_int_equal(buf_length(&out), 0);
    buf_free(&out);
}

/* ---- through the log */

static void
a_log_of_short_text_is_followed_as_json(void **state)
{
    struct buf out = { 0 };
    struct log_line *l;
    struct json *j;
    int64_t n;

    (void)state;
    assert_int_equal(log_open(in_folder("log"), LOG_SHORT, LOG_INFO), REASON_OK);
    l = log_line_begin(LOG_INFO, "request");
    log_line_text(l, "path", TEXT("/a \"b\"\n"));
    log_line_number(l, "status", 200);
    log_line_end(l);
    assert_int_equal(follow_take(&out), 0);
    j = json_parse(buf_text(&out), 4096);
    assert_non_null(j);
    assert_true(json_number(json_get(j, "status"), &n) && n == 200);
    json_free(j);
    buf_free(&out);
}

static void
a_follower_reads_the_very_line_that_is_written(void **state)
{
    struct buf out = { 0 };
    char *written;

    (void)state;
    unlink(in_folder("log"));
    assert_int_equal(log_open(in_folder("log"), LOG_JSON, LOG_INFO), REASON_OK);
    log_warn("kept generation %d", 6);
    log_debug("not wanted, so not followed either");
    assert_int_equal(follow_take(&out), 0);
    written = get_file(in_folder("log"));
    assert_true(text_equals(buf_text(&out), text_z(written)));
    free(written);
    buf_free(&out);
}

static void
one_who_comes_in_the_middle_of_a_line_does_not_get_it(void **state)
{
    struct buf out = { 0 };
    struct log_line *l;

    (void)state;
    follow_end();
    assert_int_equal(log_open(in_folder("log"), LOG_SHORT, LOG_INFO), REASON_OK);
    l = log_line_begin(LOG_INFO, "request");
    follow_begin(bell);
    log_line_end(l);
    assert_int_equal(follow_take(&out), 0);
    assert_int_equal(buf_length(&out), 0);
    buf_free(&out);
}

enum { WRITERS = 4, LINES = 2000 };

static void *
write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_info("line");
    return arg;
}

/* Lines that came and lines that were lost are all there are, whoever wrote them. */
static void
every_line_of_every_thread_comes_or_is_counted(void **state)
{
    pthread_t writers[WRITERS];
    struct buf out = { 0 };
    struct text rest, line;
    size_t n = 0;

    (void)state;
    assert_int_equal(log_open("/dev/null", LOG_JSON, LOG_INFO), REASON_OK);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_lines, NULL), 0);
    for (int i = 0; i < 100; i++)
        n += follow_take(&out);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    n += follow_take(&out);
    rest = buf_text(&out);
    while (text_split(&rest, '\n', &line))
        n += !text_is_empty(line);
    assert_int_equal(n, WRITERS * LINES);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            lines_come_whole_and_in_order_and_the_bell_rings_once, begin, end),
        cmocka_unit_test_setup_teardown(a_full_room_loses_lines_and_counts_them, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nothing_is_kept_while_nobody_follows, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_log_of_short_text_is_followed_as_json, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_follower_reads_the_very_line_that_is_written,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            one_who_comes_in_the_middle_of_a_line_does_not_get_it, begin, end),
        cmocka_unit_test_setup_teardown(every_line_of_every_thread_comes_or_is_counted,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}

/* The calendar, checked against the C library's, and the two clocks. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void
monotonic_time_never_goes_back(void **state)
{
    int64_t before = clock_monotonic_ms();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_ms();

        assert_true(now >= before);
        before = now;
    }
}

static void
wall_time_is_the_systems(void **state)
{
    time_t before = time(NULL);
    int64_t s = clock_wall_s(), ms = clock_wall_ms();

    (void)state;
    assert_in_range(s, before, before + 2);
    assert_in_range(ms / 1000, s, s + 2);
}

static void
shifting_moves_the_wall_clock_and_not_the_other(void **state)
{
    int64_t wall = clock_wall_s(), monotonic = clock_monotonic_ms();

    (void)state;
    clock_wall_shift(3600);
    assert_in_range(clock_wall_s(), wall + 3600, wall + 3602);
    assert_in_range(clock_monotonic_ms(), monotonic, monotonic + 2000);
    assert_true(clock_monotonic_us() / 1000 >= monotonic);
    monotonic = clock_monotonic_us() / 1000;
    assert_true(clock_monotonic_ms() >= monotonic);
    clock_wall_shift(-3600);
    assert_in_range(clock_wall_s(), wall, wall + 2);
}

static void
known_moments_are_written_as_they_should(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1795304960123, "2026-11-21T23:49:20.123Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1709251199999, "2024-02-29T23:59:59.999Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        /* A stranger's time may be anything: the field stays 24 bytes long. */
        { INT64_MAX, "9999-12-31T23:59:59.999Z" },
        { -1, "1970-01-01T00:00:00.000Z" },
        { INT64_MIN, "1970-01-01T00:00:00.000Z" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[25];

        clock_format(rows[i].ms, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void
every_tenth_day_of_five_centuries_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t s = 86399; s < INT64_C(500) * 366 * 86400; s += 864000) {
        char ours[25], theirs[64];
        time_t t = (time_t)s;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        clock_format(s * 1000, ours);
        assert_string_equal(ours, theirs);
        strcpy(ours + 19, "Z");
        assert_int_equal(clock_parse(ours), s);
    }
}

/* A second's text is kept for the next: never for another second, and never the
 * milliseconds. */
static void
each_moment_is_its_own_whichever_came_before(void **state)
{
    static const int64_t steps[] = { 1, 0, 999, 1000, -1000, 60000, -1, 86400000, 7 };
    int64_t ms = INT64_C(1795304960123);

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        char out[25], second[25], ms_of_it[16];
        time_t s;

        ms += steps[i % (sizeof(steps) / sizeof(steps[0]))];
        s = ms / 1000;
        strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", gmtime(&s));
        snprintf(ms_of_it, sizeof(ms_of_it), ".%03dZ", (int)(ms % 1000));
        clock_format(ms, out);
        assert_memory_equal(out, second, strlen(second));
        assert_string_equal(out + strlen(second), ms_of_it);
    }
}

static void
dates_are_parsed_strictly(void **state)
{
    static const struct {
        const char *z;
        int64_t s;
    } rows[] = {
        { "2026-11-21", 1795219200 },
        { "2026-11-21T08:00:00Z", 1795248000 },
        { "1970-01-01", 0 },
        { "2024-02-29", 1709164800 },
        { "2023-02-29", -1 },
        { "2100-02-29", -1 },
        { "2026-02-30", -1 },
        { "2026-04-31", -1 },
        { "2026-13-01", -1 },
        { "2026-00-01", -1 },
        { "2026-01-00", -1 },
        { "1969-12-31", -1 },
        { "2026-11-21T24:00:00Z", -1 },
        { "2026-11-21T08:60:00Z", -1 },
        { "2026-11-21T08:00:60Z", -1 },
        { "2026-11-21T08:00:00", -1 },
        { "2026-11-21T08:00:00+00:00", -1 },
        { "2026-11-21t08:00:00z", -1 },
        { "2026-11-21 08:00:00Z", -1 },
        { "2026-11-21T08:00:00Z ", -1 },
        { "2026-1-21", -1 },
        { " 2026-11-21", -1 },
        { "2026-11-2", -1 },
        { "20261121", -1 },
        { "", -1 },
        { "tomorrow", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (clock_parse(rows[i].z) != rows[i].s)
            fail_msg("\"%s\" gives %lld", rows[i].z, (long long)clock_parse(rows[i].z));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_never_goes_back),
        cmocka_unit_test(wall_time_is_the_systems),
        cmocka_unit_test(shifting_moves_the_wall_clock_and_not_the_other),
        cmocka_unit_test(known_moments_are_written_as_they_should),
        cmocka_unit_test(every_tenth_day_of_five_centuries_agrees_with_the_c_library),
        cmocka_unit_test(each_moment_is_its_own_whichever_came_before),
        cmocka_unit_test(dates_are_parsed_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

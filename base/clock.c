/* The two clocks and the calendar. The calendar is our own: gmtime(3) reads the
 * environment and timegm(3) accepts the 31st of February. */
#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60 };

/* 9999-12-31T23:59:59.999Z: four digits hold no later year. */
#define LAST_MS INT64_C(253402300799999)

static atomic_int_fast64_t wall_shift_s;

static int64_t
read_us(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);

    assert(failed == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
read_ms(clockid_t clock)
{
    return read_us(clock) / 1000;
}

int64_t
clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME) +
           atomic_load_explicit(&wall_shift_s, memory_order_relaxed) * 1000;
}

int64_t
clock_wall_s(void)
{
    return clock_wall_ms() / 1000;
}

void
clock_wall_shift(int64_t seconds)
{
    atomic_fetch_add(&wall_shift_s, seconds);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. The year is counted from
 * March, so that the leap day is its last. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void
date_of(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097, of_era = z % 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = (unsigned)(y + era * 400 + (*month <= 2));
}

static void
put_digits(char *at, int count, unsigned n)
{
    for (int i = count - 1; i >= 0; i--, n /= 10)
        at[i] = (char)('0' + n % 10);
}

static void
format_second(int64_t wall_s, char out[25])
{
    unsigned year, month, day, second = (unsigned)(wall_s % DAY_S);

    date_of(wall_s / DAY_S, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", 25);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, second / 3600);
    put_digits(out + 14, 2, second / 60 % 60);
    put_digits(out + 17, 2, second % 60);
}

void
clock_format(int64_t wall_ms, char out[25])
{
    /* Whoever writes a line a millisecond writes the same second a thousand times. */
    static _Thread_local struct {
        int64_t wall_s;
        char text[25];
    } last = { .wall_s = -1 };

    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > LAST_MS)
        wall_ms = LAST_MS;
    if (wall_ms / 1000 != last.wall_s) {
        last.wall_s = wall_ms / 1000;
        format_second(last.wall_s, last.text);
    }
    memcpy(out, last.text, sizeof last.text);
    put_digits(out + 20, 3, (unsigned)(wall_ms % 1000));
}

/* Does z have the shape, where every '0' of the shape stands for a digit? */
static bool
has_shape(const char *z, const char *shape)
{
    for (; *shape != '\0'; z++, shape++) {
        bool fits = *shape == '0' ? *z >= '0' && *z <= '9' : *z == *shape;

        if (!fits)
            return false;
    }
    return *z == '\0';
}

static int64_t
take_digits(const char *at, int count)
{
    int64_t n = 0;

    for (int i = 0; i < count; i++)
        n = n * 10 + (at[i] - '0');
    return n;
}

static bool
is_day(int64_t year, int64_t month, int64_t day)
{
    static const char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= lengths[month - 1] + (month == 2 && leap);
}

int64_t
clock_parse(const char *z)
{
    bool with_time = has_shape(z, "0000-00-00T00:00:00Z");
    int64_t year, month, day, hour = 0, minute = 0, second = 0;

    if (!with_time && !has_shape(z, "0000-00-00"))
        return -1;
    year = take_digits(z, 4);
    month = take_digits(z + 5, 2);
    day = take_digits(z + 8, 2);
    if (with_time) {
        hour = take_digits(z + 11, 2);
        minute = take_digits(z + 14, 2);
        second = take_digits(z + 17, 2);
    }
    if (!is_day(year, month, day) || hour > 23 || minute > 59 || second > 59)
        return -1;
    return days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
}

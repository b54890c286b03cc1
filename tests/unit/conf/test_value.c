/* Durations, sizes, dates and addresses: what is read, what is refused, and that what
 * is printed is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/suggest.h"
#include "conf/value.h"

struct number_row {
    const char *text;
    int64_t value; /* -1: refused */
};

static const struct number_row durations[] = {
    { "250ms", 250 },
    { "10s", 10000 },
    { "15m", 900000 },
    { "1h", 3600000 },
    { "30d", INT64_C(2592000000) },
    { "0s", 0 },
    { "106751991167d", INT64_C(106751991167) * 86400000 },
    { "106751991168d", -1 }, /* one day past 63 bits */
    { "99999999999999999999ms", -1 },
    { "", -1 },
    { "s", -1 },
    { "10", -1 },
    { "10 s", -1 },
    { " 10s", -1 },
    { "10s ", -1 },
    { "-10s", -1 },
    { "+10s", -1 },
    { "1.5h", -1 },
    { "1h30m", -1 },
    { "10S", -1 },
    { "10sec", -1 },
    { "1w", -1 },
};

static const struct number_row sizes[] = {
    { "512", 512 },
    { "16k", 16384 },
    { "2m", 2097152 },
    { "1g", 1073741824 },
    { "0", 0 },
    { "8589934591g", INT64_C(8589934591) << 30 },
    { "8589934592g", -1 },
    { "9223372036854775807", INT64_MAX },
    { "9223372036854775808", -1 },
    { "", -1 },
    { "k", -1 },
    { "16K", -1 },
    { "16kb", -1 },
    { "0x10", -1 },
    { "-1", -1 },
    { "1t", -1 },
};

static void
try_numbers(const struct number_row *rows, size_t n,
            bool (*read)(const char *z, int64_t *out),
            void (*print)(int64_t value, struct buf *out))
{
    for (size_t i = 0; i < n; i++) {
        struct buf printed = { 0 };
        int64_t value = -1, again;

        if (read(rows[i].text, &value) != (rows[i].value != -1))
            fail_msg("\"%s\"", rows[i].text);
        if (rows[i].value == -1)
            continue;
        assert_int_equal(value, rows[i].value);
        print(value, &printed);
        buf_add_byte(&printed, '\0');
        assert_true(read(buf_text(&printed).at, &again));
        assert_int_equal(again, value);
        buf_free(&printed);
    }
}

static void
durations_have_a_number_and_a_unit(void **state)
{
    (void)state;
    try_numbers(durations, sizeof durations / sizeof *durations, value_duration,
                value_print_duration);
}

static void
sizes_are_bytes_or_powers_of_1024(void **state)
{
    (void)state;
    try_numbers(sizes, sizeof sizes / sizeof *sizes, value_size, value_print_size);
}

static const struct {
    int64_t value;
    const char *duration, *size;
} printed_rows[] = {
    { 90000, "90s", "90000" },  { 3600000, "1h", "3600000" }, { 1024, "1024ms", "1k" },
    { 1536, "1536ms", "1536" }, { 86400000, "1d", "84375k" }, { 0, "0ms", "0" },
};

static void
a_value_is_printed_in_its_largest_whole_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof printed_rows / sizeof *printed_rows; i++) {
        struct buf out = { 0 };

        value_print_duration(printed_rows[i].value, &out);
        buf_add_byte(&out, ' ');
        value_print_size(printed_rows[i].value, &out);
        buf_add_byte(&out, '\0');
        assert_memory_equal(buf_text(&out).at, printed_rows[i].duration,
                            strlen(printed_rows[i].duration));
        assert_string_equal(strchr(buf_text(&out).at, ' ') + 1, printed_rows[i].size);
        buf_free(&out);
    }
}

static void
a_bare_day_means_its_first_second_or_its_last_as_asked(void **state)
{
    int64_t first, last, exact;

    (void)state;
    assert_true(value_date("2027-02-20", false, &first));
    assert_true(value_date("2027-02-20", true, &last));
    assert_true(value_date("2027-02-20T00:00:00Z", true, &exact));
    assert_int_equal(last - first, 86399);
    assert_int_equal(exact, first);
    assert_false(value_date("2027-02-29", true, &first));
    assert_false(value_date("", true, &first));
}

static const struct {
    const char *text;
    int family; /* 0: refused */
    uint16_t port;
} listens[] = {
    { "127.0.0.1:15001", AF_INET, 15001 },
    { "0.0.0.0:0", AF_INET, 0 },
    { "[::1]:65535", AF_INET6, 65535 },
    { "[::]:0", AF_INET6, 0 },
    { "127.0.0.1:65536", 0, 0 },
    { "127.0.0.1:015", 0, 0 },
    { "127.0.0.1:", 0, 0 },
    { "127.0.0.1", 0, 0 },
    { ":15001", 0, 0 },
    { "[]:1", 0, 0 },
    { "[127.0.0.1]:1", 0, 0 },
    { "::1:15001", 0, 0 },
    { "::1", 0, 0 },
    { "127.1:80", 0, 0 },
    { "localhost:80", 0, 0 },
    { "[::1]:80 ", 0, 0 },
    { "[::1%lo]:80", 0, 0 },
    { "127.0.0.1:+80", 0, 0 },
};

static void
to_listen_is_an_address_with_a_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof listens / sizeof *listens; i++) {
        struct listen_at at = { .port = 7 };

        if (value_listen(listens[i].text, &at) != (listens[i].family != 0))
            fail_msg("\"%s\"", listens[i].text);
        if (listens[i].family == 0) {
            assert_int_equal(at.port, 7);
            continue;
        }
        assert_int_equal(at.address.family, listens[i].family);
        assert_int_equal(at.port, listens[i].port);
    }
}

static const struct {
    const char *written, *meant; /* NULL: no guess */
} suggestions[] = {
    { "metods", "methods" },
    { "mehtods", "methods" },
    { "method", "methods" },
    { "methodss", "methods" },
    { "Paths", "paths" },
    { "apths", "paths" },
    { "uid", NULL },
    { "", NULL },
    { "wholly_different", NULL },
    { "conect_timeout", "connect_timeout" },
};

static void
a_guess_is_the_nearest_word_or_none(void **state)
{
    static const char *const words[] = { "paths", "methods", "connect_timeout",
                                         "host" };

    (void)state;
    for (size_t i = 0; i < sizeof suggestions / sizeof *suggestions; i++) {
        struct suggestion s = { 0 };

        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            suggest(&s, suggestions[i].written, words[j]);
        if (suggestions[i].meant == NULL)
            assert_null(s.word);
        else
            assert_string_equal(s.word, suggestions[i].meant);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_a_number_and_a_unit),
        cmocka_unit_test(sizes_are_bytes_or_powers_of_1024),
        cmocka_unit_test(a_value_is_printed_in_its_largest_whole_unit),
        cmocka_unit_test(a_bare_day_means_its_first_second_or_its_last_as_asked),
        cmocka_unit_test(to_listen_is_an_address_with_a_port),
        cmocka_unit_test(a_guess_is_the_nearest_word_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

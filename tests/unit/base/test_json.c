/* Strict JSON in, harmless JSON out. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MAX = 65536 };

static void
assert_text(struct text t, const char *expected)
{
    if (!text_equals(t, text_z(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(t), expected);
}

static void
what_is_not_one_strict_value_is_refused(void **state)
{
    static const struct text rows[] = {
        { NULL, 0 },
        TEXT(" "),
        TEXT("{"),
        TEXT("{\"a\":1"),
        TEXT("{\"a\":1}}"),
        TEXT("{} {}"),
        TEXT("{}x"),
        TEXT("{}\0"),
        TEXT("{\"a\":1,}"),
        TEXT("[1,]"),
        TEXT("{a:1}"),
        TEXT("{'a':1}"),
        TEXT("{\"a\":1,\"a\":2}"),
        TEXT("{\"a\":1,\"\\u0061\":2}"),
        TEXT("{\"a\":{\"b\":1,\"b\":1}}"),
        TEXT("\"a\\u0000b\""),
        TEXT("\"a\0b\""),
        TEXT("{\"a\\u0000\":1}"),
        TEXT("\"\xff\""),
        TEXT("\"\xc0\xaf\""),
        TEXT("\"\xed\xa0\x80\""),
        TEXT("\"\\ud800\""),
        TEXT("\"a\nb\""),
        TEXT("\"\\x\""),
        TEXT("\"open"),
        TEXT("\"open\\"),
        TEXT("\xef\xbb\xbf{}"),
        TEXT("01"),
        TEXT("+1"),
        TEXT("1."),
        TEXT("NaN"),
        TEXT("Infinity"),
        TEXT("1e999"),
        TEXT("99999999999999999999"),
        TEXT("/* c */ {}"),
        TEXT("]"),
        TEXT("}{"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *j = json_parse(rows[i], MAX);

        if (j != NULL)
            fail_msg("row %zu was taken: %.*s", i, TEXT_ARG(rows[i]));
    }
}

static void
every_kind_of_value_may_stand_alone(void **state)
{
    static const struct text rows[] = {
        TEXT("{}"),    TEXT("[]"),     TEXT("\"\""),
        TEXT("0"),     TEXT("-1.5e3"), TEXT("true"),
        TEXT("false"), TEXT("null"),   TEXT(" \t\r\n{ } \n"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *j = json_parse(rows[i], MAX);

        assert_non_null(j);
        json_free(j);
    }
}

static void
a_text_longer_than_its_limit_is_refused(void **state)
{
    struct json *j = json_parse(TEXT("[1,2]"), 5);

    (void)state;
    assert_non_null(j);
    json_free(j);
    assert_null(json_parse(TEXT("[1,2]"), 4));
    assert_null(json_parse(TEXT("[1] "), 3));
}

static size_t
nest(char *out, size_t depth)
{
    memset(out, '[', depth);
    memset(out + depth, ']', depth);
    return 2 * depth;
}

static void
thirty_two_levels_are_the_deepest(void **state)
{
    static char text[200000];
    struct json *j = json_parse(text_of(text, nest(text, 32)), sizeof(text));

    (void)state;
    assert_non_null(j);
    json_free(j);
    assert_null(json_parse(text_of(text, nest(text, 33)), sizeof(text)));
    assert_null(json_parse(text_of(text, nest(text, 100000)), sizeof(text)));
    /* Brackets inside a string open nothing. */
    j = json_parse(TEXT("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\""),
                   MAX);
    assert_non_null(j);
    json_free(j);
}

static struct json *
parse_members(size_t n)
{
    struct buf b = { 0 };
    struct json *j;

    buf_add_z(&b, "{\"list\":[1,2,3],\"o\":{");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s\"m%zu\":%zu", i > 0 ? "," : "", i, i);
    buf_add_z(&b, "}}");
    j = json_parse(buf_text(&b), MAX);
    buf_free(&b);
    return j;
}

static void
an_object_of_more_than_256_members_is_refused(void **state)
{
    struct json *j = parse_members(256);

    (void)state;
    assert_non_null(j);
    assert_int_equal(json_count(json_get(j, "o")), 256);
    json_free(j);
    assert_null(parse_members(257));
}

static void
members_come_in_the_order_written(void **state)
{
    static const char *const names[] = { "zeta", "a", "m", "" };
    struct json *j = json_parse(TEXT("{\"zeta\":1,\"a\":2,\"m\":[],\"\":null}"), MAX);
    struct text name;

    (void)state;
    assert_int_equal(json_count(j), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(json_member(j, i, &name));
        assert_text(name, names[i]);
    }
    assert_null(json_member(j, 4, &name));
    json_free(j);
}

static void
a_value_is_found_by_its_name_and_place(void **state)
{
    struct json *j = json_parse(TEXT("{\"s\":\"\\u00e9\\n\",\"n\":42,\"r\":-7.9,\"t\":"
                                     "true,\"f\":false,\"a\":[\"x\",{\"y\":1}]}"),
                                MAX);
    struct text t;
    int64_t n;
    bool b;

    (void)state;
    assert_true(json_is_object(j) && !json_is_array(j) && !json_is_string(j));
    assert_true(json_is_string(json_get(j, "s")) && json_is_array(json_get(j, "a")));
    assert_true(json_string(json_get(j, "s"), &t));
    assert_text(t, "\xc3\xa9\n");
    assert_true(json_number(json_get(j, "n"), &n) && n == 42);
    assert_true(json_number(json_get(j, "r"), &n) && n == -7);
    assert_true(json_bool(json_get(j, "t"), &b) && b);
    assert_true(text_is_empty(json_text_of(j, "t")));
    assert_true(text_is_empty(json_text_of(j, "not there")));
    assert_true(json_bool(json_get(j, "f"), &b) && !b);
    assert_int_equal(json_count(json_get(j, "a")), 2);
    assert_true(json_string(json_at(json_get(j, "a"), 0), &t));
    assert_text(t, "x");
    assert_true(json_number(json_get(json_at(json_get(j, "a"), 1), "y"), &n) && n == 1);
    json_free(j);
}

static void
what_is_not_there_or_of_another_kind_is_never_taken(void **state)
{
    struct json *j = json_parse(TEXT("{\"s\":\"1\",\"n\":1,\"a\":[1],\"z\":null}"),
                                MAX);
    const struct json *others[] = { NULL, j, json_get(j, "a"), json_get(j, "z"),
                                    json_get(j, "none") };
    struct text t;
    int64_t n;
    bool b;

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_false(json_string(others[i], &t));
        assert_false(json_number(others[i], &n));
        assert_false(json_bool(others[i], &b));
        assert_false(json_is_string(others[i]));
    }
    assert_false(json_number(json_get(j, "s"), &n));
    assert_false(json_string(json_get(j, "n"), &t));
    assert_false(json_bool(json_get(j, "n"), &b));
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(json_get(j, "a"), "a"));
    assert_null(json_at(NULL, 0));
    assert_null(json_at(j, 0));
    assert_null(json_at(json_get(j, "a"), 1));
    assert_null(json_member(json_get(j, "a"), 0, &t));
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_count(json_get(j, "s")), 0);
    json_free(j);
    json_free(NULL);
}

static void
a_number_beyond_what_every_reader_agrees_on_is_not_taken(void **state)
{
    static const struct {
        struct text t;
        bool taken;
        int64_t value;
    } rows[] = {
        { TEXT("9007199254740992"), true, INT64_C(9007199254740992) },
        { TEXT("-9007199254740992"), true, -INT64_C(9007199254740992) },
        { TEXT("9007199254740993"), false, 0 },
        { TEXT("-9007199254740993"), false, 0 },
        { TEXT("9223372036854775807"), false, 0 },
        { TEXT("1e15"), true, INT64_C(1000000000000000) },
        { TEXT("1e16"), false, 0 },
        { TEXT("-1e300"), false, 0 },
        { TEXT("1.999"), true, 1 },
        { TEXT("-0.5"), true, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *j = json_parse(rows[i].t, MAX);
        int64_t value = 0;

        assert_non_null(j);
        assert_int_equal(json_number(j, &value), rows[i].taken);
        assert_int_equal(value, rows[i].value);
        json_free(j);
    }
}

static void
a_written_string_is_read_back_as_it_was(void **state)
{
    static const struct text rows[] = {
        TEXT(""),
        TEXT("plain"),
        TEXT("\"\\/"),
        TEXT("tab\tline\nend\r\x1b[31m\x7f"),
        TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92"),
        TEXT("\xe2\x80\xa8\xe2\x80\xa9\xc2\x85"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = { 0 };
        struct json *j;
        struct text back;

        json_write_string(&b, rows[i]);
        j = json_parse(buf_text(&b), MAX);
        assert_true(json_string(j, &back));
        assert_true(text_equals(back, rows[i]));
        json_free(j);
        buf_free(&b);
    }
}

static void
whatever_bytes_are_written_the_string_is_strict_json(void **state)
{
    uint32_t dice = 7;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        struct buf b = { 0 };
        struct json *j;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            dice = dice * 1103515245 + 12345;
            bytes[i] = (char)(dice >> 16);
            if (bytes[i] == 0)
                bytes[i] =
                    1; /* NUL is written as an escape that our own reader refuses */
        }
        json_write_string(&b, text_of(bytes, sizeof(bytes)));
        j = json_parse(buf_text(&b), MAX);
        assert_true(json_is_string(j));
        json_free(j);
        buf_free(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_one_strict_value_is_refused),
        cmocka_unit_test(every_kind_of_value_may_stand_alone),
        cmocka_unit_test(a_text_longer_than_its_limit_is_refused),
        cmocka_unit_test(thirty_two_levels_are_the_deepest),
        cmocka_unit_test(an_object_of_more_than_256_members_is_refused),
        cmocka_unit_test(members_come_in_the_order_written),
        cmocka_unit_test(a_value_is_found_by_its_name_and_place),
        cmocka_unit_test(what_is_not_there_or_of_another_kind_is_never_taken),
        cmocka_unit_test(a_number_beyond_what_every_reader_agrees_on_is_not_taken),
        cmocka_unit_test(a_written_string_is_read_back_as_it_was),
        cmocka_unit_test(whatever_bytes_are_written_the_string_is_strict_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

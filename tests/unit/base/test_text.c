/* Borrowed bytes: compared, cut, counted. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct text nothing = { NULL, 0 };

static void
assert_text(struct text t, const char *expected)
{
    if (!text_equals(t, text_z(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(t), expected);
}

static void
text_of_no_string_is_empty(void **state)
{
    (void)state;
    assert_true(text_is_empty(text_z(NULL)));
    assert_true(text_is_empty(text_z("")));
    assert_false(text_is_empty(text_z("a")));
    assert_int_equal(text_z("abc").n, 3);
}

static void
equality_is_byte_for_byte_and_folds_ascii_alone_when_asked(void **state)
{
    static const struct {
        struct text a, b;
        bool equals, equals_nocase;
    } rows[] = {
        { { "", 0 }, { NULL, 0 }, true, true },
        { TEXT("abc"), TEXT("abc"), true, true },
        { TEXT("abc"), TEXT("ABC"), false, true },
        { TEXT("Az09-"), TEXT("aZ09-"), false, true },
        { TEXT("abc"), TEXT("ab"), false, false },
        { TEXT("a\0b"), TEXT("a\0c"), false, false },
        /* '@' and '`', '[' and '{' differ by the bit that letters fold. */
        { TEXT("@["), TEXT("`{"), false, false },
        /* A long s or a dotless i is no ASCII letter, whatever the locale says. */
        { TEXT("\xc3\x89"), TEXT("\xc3\xa9"), false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(text_equals(rows[i].a, rows[i].b), rows[i].equals);
        assert_int_equal(text_equals_nocase(rows[i].a, rows[i].b),
                         rows[i].equals_nocase);
        assert_int_equal(text_equals_constant_time(rows[i].a, rows[i].b),
                         rows[i].equals);
    }
}

static void
a_prefix_or_suffix_is_found_only_where_it_fits(void **state)
{
    static const struct {
        struct text t, part;
        bool starts, ends;
    } rows[] = {
        { TEXT("example.com"), TEXT("example"), true, false },
        { TEXT("example.com"), TEXT(".com"), false, true },
        { TEXT("com"), TEXT("com"), true, true },
        { TEXT("om"), TEXT("com"), false, false },
        { TEXT("abc"), { NULL, 0 }, true, true },
        { { NULL, 0 }, { NULL, 0 }, true, true },
        { { NULL, 0 }, TEXT("a"), false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(text_starts(rows[i].t, rows[i].part), rows[i].starts);
        assert_int_equal(text_ends(rows[i].t, rows[i].part), rows[i].ends);
    }
}

static void
a_byte_is_found_even_when_it_is_nul(void **state)
{
    (void)state;
    assert_true(text_has_byte(TEXT("a\0b"), '\0'));
    assert_false(text_has_byte(TEXT("ab"), '\0'));
    assert_false(text_has_byte(nothing, 'a'));
}

static void
trimming_takes_spaces_and_tabs_alone(void **state)
{
    (void)state;
    assert_text(text_trim(TEXT(" \t a b\t ")), "a b");
    assert_text(text_trim(TEXT(" \t ")), "");
    assert_text(text_trim(TEXT("\r\na\v\f")), "\r\na\v\f");
    assert_text(text_trim(nothing), "");
}

static void
splitting_gives_every_part_the_empty_ones_too(void **state)
{
    static const struct {
        struct text whole;
        size_t n;
        const char *parts[4];
    } rows[] = {
        { TEXT("a,,b"), 3, { "a", "", "b" } },
        { TEXT("a,"), 2, { "a", "" } },
        { TEXT(","), 2, { "", "" } },
        { TEXT("a"), 1, { "a" } },
        { TEXT("/a/b/"), 1, { "/a/b/" } },
        { { "", 0 }, 1, { "" } },
        { { NULL, 0 }, 0, { NULL } },
        { TEXT(",a,b,"), 4, { "", "a", "b", "" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text rest = rows[i].whole, part;
        size_t n = 0;

        for (; text_split(&rest, ',', &part); n++) {
            assert_true(n < rows[i].n);
            assert_text(part, rows[i].parts[n]);
        }
        assert_int_equal(n, rows[i].n);
    }
}

static void
a_number_is_digits_alone_and_at_most_its_maximum(void **state)
{
    static const struct {
        struct text t;
        uint64_t max;
        bool taken;
        uint64_t value;
    } rows[] = {
        { TEXT("0"), 0, true, 0 },
        { TEXT("7"), 7, true, 7 },
        { TEXT("8"), 7, false, 0 },
        { TEXT("65535"), 65535, true, 65535 },
        { TEXT("65536"), 65535, false, 0 },
        { TEXT("0065535"), 65535, true, 65535 },
        { TEXT("18446744073709551615"), UINT64_MAX, true, UINT64_MAX },
        { TEXT("18446744073709551616"), UINT64_MAX, false, 0 },
        { TEXT("18446744073709551620"), UINT64_MAX, false, 0 },
        { TEXT("99999999999999999999999"), UINT64_MAX, false, 0 },
        { TEXT(""), 9, false, 0 },
        { TEXT("+1"), 9, false, 0 },
        { TEXT("-1"), 9, false, 0 },
        { TEXT(" 1"), 9, false, 0 },
        { TEXT("1 "), 9, false, 0 },
        { TEXT("0x1"), 9, false, 0 },
        { TEXT("1\0"), 99, false, 0 },
        { TEXT("\xd9\xa1"), 9, false, 0 }, /* ARABIC-INDIC DIGIT ONE */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t value = 0;
        bool taken = text_to_u64(rows[i].t, rows[i].max, &value);

        if (taken != rows[i].taken || value != rows[i].value)
            fail_msg("row %zu, \"%.*s\"", i, TEXT_ARG(rows[i].t));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_no_string_is_empty),
        cmocka_unit_test(equality_is_byte_for_byte_and_folds_ascii_alone_when_asked),
        cmocka_unit_test(a_prefix_or_suffix_is_found_only_where_it_fits),
        cmocka_unit_test(a_byte_is_found_even_when_it_is_nul),
        cmocka_unit_test(trimming_takes_spaces_and_tabs_alone),
        cmocka_unit_test(splitting_gives_every_part_the_empty_ones_too),
        cmocka_unit_test(a_number_is_digits_alone_and_at_most_its_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Path patterns, one by one. */
#include "tasks/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
a_pattern_fits_what_it_says_and_nothing_else(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool fits;
    } rows[] = {
        { "/", "/", true },
        { "/", "/a", false },
        { "/a", "/a", true },
        { "/a", "/a/", false },
        { "/a/", "/a", false },
        { "/a", "/A", false },
        { "/a", "/ab", false },
        { "/*", "/a", true },
        { "/*", "/", false },
        { "/*", "/a/b", false },
        { "/a/*/c", "/a/b/c", true },
        { "/a/*/c", "/a//c", false },
        { "/a/*/c", "/a/b/b/c", false },
        { "/a/**", "/a", true },
        { "/a/**", "/a/", true },
        { "/a/**", "/a/b/c//d/", true },
        { "/a/**", "/ab", false },
        { "/a/**", "/", false },
        { "/**", "/", true },
        { "/**", "/a/b", true },
        { "/**", "*", false },
        { "/a/*/**", "/a", false },
        { "/a/*/**", "/a/b", true },
        { "/a/b", "//a/b", false },
        { "/a/%20", "/a/%20", true },
        { "/a", "", false },
        /* An encoded slash is part of its segment. */
        { "/*", "/a%2Fb", true },
        { "/a/*/c", "/a/b%2Fb/c", true },
        { "/a%2Fb", "/a%2Fb", true },
        { "/a/b", "/a%2Fb", false },
        { "/a/**", "/a/b%2Fc", true },
        { "/a/**", "/a%2Fb", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool fits = pattern_fits(text_z(rows[i].pattern), text_z(rows[i].path));

        if (fits != rows[i].fits)
            fail_msg("%s against %s", rows[i].pattern, rows[i].path);
    }
}

static void
a_pattern_that_could_never_match_or_means_two_things_is_a_fault(void **state)
{
    static const struct {
        const char *pattern;
        bool good;
    } rows[] = {
        { "/", true },          { "/a/b", true },     { "/a/*/b/**", true },
        { "/**", true },        { "/a//b", true },    { "/a/%20", true },
        { "", false },          { "a", false },       { "*", false },
        { "**", false },        { "/a/**/b", false }, { "/a/**/", false },
        { "/a*", false },       { "/*.json", false }, { "/***", false },
        { "/a/../b", false },   { "/a/./b", false },  { "/a?x=1", false },
        { "/a?", false },       { "/%41", false },    { "/%2f", false },
        { "/%2F", true },       { "/a#b", false },    { "/a b", false },
        { "/\xc3\xa9", false }, { "/a\\b", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((pattern_fault(text_z(rows[i].pattern)) == NULL) != rows[i].good)
            fail_msg("%s", rows[i].pattern);
    }
}

static void
a_pattern_is_never_longer_than_its_limit(void **state)
{
    char pattern[2 * (PATTERN_SEGMENTS_MAX + 1)];

    (void)state;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 == 0 ? '/' : 'a';
    assert_non_null(pattern_fault(text_of(pattern, sizeof pattern)));
    assert_null(pattern_fault(text_of(pattern, sizeof pattern - 2)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_fits_what_it_says_and_nothing_else),
        cmocka_unit_test(
            a_pattern_that_could_never_match_or_means_two_things_is_a_fault),
        cmocka_unit_test(a_pattern_is_never_longer_than_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

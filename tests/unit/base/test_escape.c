/* What a stranger may not write into a line bare. */
#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ESCAPE_TEST_SIZE = 400 };

/* By pieces, and in one go: both must say the same. */
static struct text
escape_all(struct text t, char out[ESCAPE_TEST_SIZE])
{
    char pieces[ESCAPE_TEST_SIZE];
    struct text rest = t;
    size_t n = 0;

    while (rest.n > 0) {
        size_t plain = escape_plain(rest);

        memcpy(pieces + n, rest.at, plain);
        n += plain;
        rest = text_of(rest.at + plain, rest.n - plain);
        if (rest.n > 0)
            n += escape_one(&rest, pieces + n);
    }
    assert_int_equal(escape_copy(t, out) - out, n);
    assert_memory_equal(out, pieces, n);
    return text_of(out, n);
}

static void
harmful_characters_are_escaped_and_others_left(void **state)
{
    static const struct {
        struct text in;
        const char *out;
    } rows[] = {
        { TEXT("plain ~ text"), "plain ~ text" },
        { TEXT("\"\\"), "\\\"\\\\" },
        { TEXT("\0\r\n\t\x1b\x7f"), "\\u0000\\u000d\\u000a\\u0009\\u001b\\u007f" },
        { TEXT("\xc2\x80\xc2\x85\xc2\x9b\xc2\x9f"), "\\u0080\\u0085\\u009b\\u009f" },
        { TEXT("\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92"),
          "\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92" },
        { TEXT("\xe2\x80\xa8\xe2\x80\xa9"), "\\u2028\\u2029" },
        { TEXT("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c\xef\xbb\xbf"),
          "\\u202e\\u2066\\u200f\\u061c\\ufeff" },
        /* alone, cut short, overlong, a surrogate, past the last character */
        { TEXT("\x80"), "\\u0080" },
        { TEXT("\xe2\x82"), "\\u00e2\\u0082" },
        { TEXT("\xe2\x82x"), "\\u00e2\\u0082x" },
        { TEXT("\xc0\xaf"), "\\u00c0\\u00af" },
        { TEXT("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af" },
        { TEXT("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080" },
        { TEXT("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080" },
        { TEXT("\xff\xfe"), "\\u00ff\\u00fe" },
        { TEXT("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[ESCAPE_TEST_SIZE];
        struct text escaped = escape_all(rows[i].in, out);

        if (!text_equals(escaped, text_z(rows[i].out)))
            fail_msg("row %zu gives %.*s", i, TEXT_ARG(escaped));
    }
}

static void
every_single_byte_comes_out_as_one_harmless_form(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c, out[ESCAPE_MAX];
        struct text t = text_of(&byte, 1);
        size_t n = escape_one(&t, out);

        assert_int_equal(t.n, 0);
        for (size_t i = 0; i < n; i++)
            assert_in_range((unsigned char)out[i], 0x20, 0x7e);
    }
}

/* Text is looked at in larger pieces than bytes: no place in one may be overlooked. */
static void
no_byte_is_overlooked_wherever_it_stands(void **state)
{
    enum { LONGEST = 40 };
    char t[LONGEST], out[ESCAPE_TEST_SIZE];

    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        memset(t, 'a', sizeof(t));
        assert_int_equal(escape_plain(text_of(t, n)), n);
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                bool bare = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

                t[at] = (char)c;
                assert_int_equal(escape_plain(text_of(t, n)), bare ? n : at);
                assert_int_equal(escape_all(text_of(t, n), out).n > n, !bare);
            }
            t[at] = 'a';
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmful_characters_are_escaped_and_others_left),
        cmocka_unit_test(no_byte_is_overlooked_wherever_it_stands),
        cmocka_unit_test(every_single_byte_comes_out_as_one_harmless_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

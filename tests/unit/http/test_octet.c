/* What is looked at many bytes at a time is what its bytes are one by one, wherever one
 * of them stands; and what nghttp2 gives back holds nothing any more. */
#include "driver.h"

#include "http/http2_memory.h"
#include "http/octet.h"

enum { LONGEST = 40 };

static bool
is_value_byte_by_byte(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!octet_is((unsigned char)t.at[i], OCTET_VALUE))
            return false;
    return t.n == 0 || (!strchr(" \t", t.at[0]) && !strchr(" \t", t.at[t.n - 1]));
}

static bool
is_all_byte_by_byte(struct text t, unsigned class)
{
    for (size_t i = 0; i < t.n; i++)
        if (!octet_is((unsigned char)t.at[i], class))
            return false;
    return t.n > 0;
}

/* Every byte at every place of every length, among letters. The bytes end where their
 * block does, so that AddressSanitizer sees a look behind them. */
static void
every_byte_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        char *at = test_malloc(n);
        struct text t = text_of(at, n);

        for (size_t place = 0; place < n; place++)
            for (int byte = 1; byte < 256; byte++) {
                memset(at, 'a', n);
                at[place] = (char)byte;
                assert_int_equal(octet_is_value(t), is_value_byte_by_byte(t));
                assert_int_equal(octet_is_all(t, OCTET_LOWER_NAME),
                                 is_all_byte_by_byte(t, OCTET_LOWER_NAME));
            }
        memset(at, 'a', n);
        at[n / 2] = '\0';
        assert_false(octet_is_value(t));
        test_free(at);
    }
    assert_true(octet_is_value(text_of("", 0)));
    assert_false(octet_is_all(text_of("", 0), OCTET_TOKEN));
}

static bool
is_blank(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != 0)
            return false;
    return true;
}

/* The piece given last is the next one of its size. */
static void
what_was_given_back_is_wiped(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 2000; n = n * 2 + 1) {
        char *at = http2_memory_take(n, NULL), *again;

        memset(at, 'x', n);
        http2_memory_give(at, NULL);
        again = http2_memory_take(n, NULL);
        assert_ptr_equal(at, again);
        assert_true(is_blank(again, n));
        http2_memory_give(again, NULL);
    }
}

static void
a_piece_that_grows_keeps_what_is_in_it(void **state)
{
    char *at = http2_memory_resize(NULL, 10, NULL);

    (void)state;
    memcpy(at, "0123456789", 10);
    at = http2_memory_resize(at, 10000, NULL); /* more than any shelf has */
    assert_memory_equal(at, "0123456789", 10);
    memset(at + 10, 'x', 9990);
    at = http2_memory_resize(at, 4, NULL);
    assert_memory_equal(at, "0123", 4);
    http2_memory_give(at, NULL);
    at = http2_memory_take_zeroed(30, 100, NULL);
    assert_true(is_blank(at, 3000));
    http2_memory_give(at, NULL);
    http2_memory_give(NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_seen_wherever_it_stands),
        cmocka_unit_test(what_was_given_back_is_wiped),
        cmocka_unit_test(a_piece_that_grows_keeps_what_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

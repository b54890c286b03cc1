/* Bytes go in at one end and come out at the other, and an empty buffer holds nothing.
 */
#include "base/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_holds(const struct buf *b, const char *expected)
{
    struct text t = buf_text(b);

    assert_int_equal(t.n, strlen(expected));
    assert_memory_equal(t.at, expected, t.n);
}

static void
an_empty_buffer_holds_no_memory(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(buf_text(&b).n, 0);
    assert_non_null(buf_text(&b).at);
    buf_add(&b, TEXT(""));
    assert_null(b.mem);
    buf_add_z(&b, "abc");
    assert_non_null(b.mem);
    buf_drop(&b, 1);
    assert_holds(&b, "bc");
    buf_drop(&b, 2);
    assert_null(b.mem);
    assert_int_equal(buf_length(&b), 0);
}

static void
a_read_that_brought_nothing_leaves_no_memory_behind(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_non_null(buf_reserve(&b, 16384));
    buf_commit(&b, 0);
    assert_null(b.mem);
}

static void
what_was_added_comes_out_in_its_order(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_add(&b, TEXT("GET "));
    buf_add_byte(&b, '/');
    buf_add_u64(&b, 0);
    buf_add_byte(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_byte(&b, ' ');
    buf_add_hex(&b, 0);
    buf_add_byte(&b, ' ');
    buf_add_hex(&b, 0xdeadbeef00);
    buf_printf(&b, " %s=%d", "x", -7);
    assert_holds(&b, "GET /0 18446744073709551615 0 deadbeef00 x=-7");
    buf_free(&b);
    assert_null(b.mem);
}

static void
printing_more_than_a_first_guess_is_not_cut(void **state)
{
    struct buf b = { 0 };
    char expected[10001];

    (void)state;
    memset(expected, 'x', 10000);
    expected[10000] = '\0';
    buf_printf(&b, "%s", expected);
    assert_holds(&b, expected);
    buf_free(&b);
}

/* A model in plain C beside it: whatever the order of calls, both hold the same bytes.
 */
static void
any_order_of_adding_and_dropping_keeps_the_bytes(void **state)
{
    enum { TOTAL = 300000 };
    unsigned char *sent = malloc(TOTAL);
    size_t in = 0, out = 0;
    uint32_t dice = 12345;
    struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (unsigned char)(i * 31 + i / 251);
    while (out < TOTAL) {
        size_t n;

        dice = dice * 1103515245 + 12345;
        n = dice >> 16 & 0x3fff;
        if (n % 3 != 0) {
            n = n < TOTAL - in ? n : TOTAL - in;
            buf_add(&b, text_of((char *)sent + in, n));
            in += n;
        } else {
            n = n < in - out ? n : in - out;
            buf_drop(&b, n);
            out += n;
        }
        if (in == TOTAL && buf_length(&b) > 0) {
            buf_drop(&b, 1);
            out++;
        }
        assert_int_equal(buf_length(&b), in - out);
        assert_memory_equal(buf_text(&b).at, sent + out, in - out);
    }
    assert_null(b.mem);
    free(sent);
}

static void
a_trickle_through_a_full_buffer_does_not_make_it_grow_for_ever(void **state)
{
    struct buf b = { 0 };
    char block[4000] = { 1 };

    (void)state;
    buf_add(&b, text_of(block, sizeof(block)));
    for (int i = 0; i < 200000; i++) {
        buf_add_byte(&b, (char)i);
        buf_drop(&b, 1);
    }
    assert_int_equal(buf_length(&b), sizeof(block));
    assert_true(b.size <= 65536);
    buf_free(&b);
}

static void
truncating_takes_back_the_newest_bytes(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_truncate(&b, 0);
    buf_add_z(&b, "xabcdef");
    buf_drop(&b, 1);
    buf_truncate(&b, 3);
    assert_holds(&b, "abc");
    buf_truncate(&b, 0);
    assert_null(b.mem);
}

/* The thread's store hands the same block out again, so what is left in it can be
 * looked at. */
static void
nothing_of_a_buffer_is_left_in_its_memory(void **state)
{
    static const char zeros[300];
    struct buf b = { 0 };
    char *first;

    (void)state;
    buf_add_z(&b, "password");
    first = b.mem;
    buf_drop(&b, 8);
    assert_ptr_equal(buf_reserve(&b, 1), first);
    assert_memory_equal(first + sizeof(void *), zeros, 200);
    buf_commit(&b, 0);

    buf_reserve(&b, 100);
    memset(b.mem, 'p', 100); /* written and never committed */
    buf_wipe(&b);
    assert_ptr_equal(buf_reserve(&b, 1), first);
    assert_memory_equal(first + sizeof(void *), zeros, 200);
    buf_commit(&b, 0);
}

static void *
use_buffers(void *unused)
{
    struct buf b[8] = { { 0 } };

    (void)unused;
    for (int i = 0; i < 8; i++)
        buf_reserve(&b[i], 10000);
    for (int i = 0; i < 8; i++)
        buf_free(&b[i]);
    return NULL;
}

/* The leak checker is the judge. */
static void
a_thread_that_ends_gives_its_store_back(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, use_buffers, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_holds_no_memory),
        cmocka_unit_test(a_read_that_brought_nothing_leaves_no_memory_behind),
        cmocka_unit_test(what_was_added_comes_out_in_its_order),
        cmocka_unit_test(printing_more_than_a_first_guess_is_not_cut),
        cmocka_unit_test(any_order_of_adding_and_dropping_keeps_the_bytes),
        cmocka_unit_test(
            a_trickle_through_a_full_buffer_does_not_make_it_grow_for_ever),
        cmocka_unit_test(truncating_takes_back_the_newest_bytes),
        cmocka_unit_test(nothing_of_a_buffer_is_left_in_its_memory),
        cmocka_unit_test(a_thread_that_ends_gives_its_store_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tasks/spool: keeps what a stream needs, gives back what a burst took. */
#include "tasks/spool.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { LARGE = 8 << 20, SMALL = 100, ROUNDS = 1000 };

static void
fill(struct spool *s, size_t n)
{
    memset(spool_reserve(s, n), 'x', n);
    s->n += n;
    spool_clear(s);
}

static void
what_is_added_stands_in_order(void **state)
{
    struct spool s = { 0 };

    (void)state;
    spool_add(&s, text_of(NULL, 0));
    assert_int_equal(spool_text(&s).n, 0);
    for (int i = 0; i < 10000; i++)
        spool_add(&s, TEXT("ab"));
    assert_int_equal(s.n, 20000);
    assert_memory_equal(s.at + 19996, "abab", 4);
    spool_clear(&s);
    assert_int_equal(s.n, 0);
    spool_free(&s);
    assert_null(s.at);
}

static void
what_is_dropped_is_the_first_and_the_rest_stays(void **state)
{
    struct spool s = { 0 };

    (void)state;
    spool_add(&s, TEXT("abcdefgh"));
    spool_drop(&s, 0);
    assert_int_equal(s.n, 8);
    spool_drop(&s, 3);
    assert_int_equal(s.n, 5);
    assert_memory_equal(s.at, "defgh", 5);
    spool_add(&s, TEXT("ij"));
    spool_drop(&s, 6);
    assert_int_equal(s.n, 1);
    assert_memory_equal(s.at, "j", 1);
    spool_drop(&s, 1);
    assert_int_equal(s.n, 0);
    spool_free(&s);
}

static void
a_steady_stream_keeps_its_memory(void **state)
{
    struct spool s = { 0 };
    char *at;

    (void)state;
    fill(&s, LARGE);
    at = s.at;
    for (int i = 0; i < ROUNDS; i++) {
        fill(&s, i % 10 == 0 ? LARGE : SMALL);
        assert_ptr_equal(s.at, at);
    }
    spool_free(&s);
}

static void
memory_of_a_burst_goes_when_it_is_over(void **state)
{
    struct spool s = { 0 };

    (void)state;
    fill(&s, LARGE);
    for (int i = 0; i < ROUNDS; i++)
        fill(&s, SMALL);
    assert_true(s.room < LARGE / 16);
    spool_free(&s);
}

/* Also when something is always left, as in a ledger that is written while it syncs. */
static void
memory_of_a_burst_goes_from_one_that_is_never_empty(void **state)
{
    struct spool s = { 0 };
    char left[SMALL];

    (void)state;
    memset(left, 'y', sizeof left);
    memset(spool_reserve(&s, LARGE), 'x', LARGE);
    s.n += LARGE;
    for (int i = 0; i < ROUNDS; i++) {
        size_t before = s.n;

        spool_add(&s, text_of(left, sizeof left));
        spool_drop(&s, before);
        assert_int_equal(s.n, SMALL);
        assert_memory_equal(s.at, left, SMALL);
    }
    assert_true(s.room < LARGE / 16);
    spool_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stands_in_order),
        cmocka_unit_test(what_is_dropped_is_the_first_and_the_rest_stays),
        cmocka_unit_test(a_steady_stream_keeps_its_memory),
        cmocka_unit_test(memory_of_a_burst_goes_when_it_is_over),
        cmocka_unit_test(memory_of_a_burst_goes_from_one_that_is_never_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

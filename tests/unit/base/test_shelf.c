/* Blocks that wait on a shelf. */
#include "base/shelf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 64, KEEP = 3 };

static _Thread_local struct shelf shelf = { .size = SIZE, .keep = KEEP };

static void
an_empty_shelf_gives_nothing(void **state)
{
    (void)state;
    assert_null(shelf_take(&shelf));
}

static void
the_last_block_given_is_the_first_taken(void **state)
{
    void *a = malloc(SIZE), *b = malloc(SIZE);

    (void)state;
    shelf_give(&shelf, a);
    shelf_give(&shelf, b);
    assert_ptr_equal(shelf_take(&shelf), b);
    assert_ptr_equal(shelf_take(&shelf), a);
    assert_null(shelf_take(&shelf));
    free(a);
    free(b);
}

/* Whoever gave a wiped block may take it for one. */
static void
a_block_given_all_zero_comes_back_all_zero(void **state)
{
    static const char zeros[SIZE];
    void *other = malloc(SIZE), *block = calloc(1, SIZE);

    (void)state;
    shelf_give(&shelf, other);
    shelf_give(&shelf, block); /* in front of another: its link is not zero */
    assert_ptr_equal(shelf_take(&shelf), block);
    assert_memory_equal(block, zeros, SIZE);
    free(block);
    free(shelf_take(&shelf));
}

/* What was needed since the last time stays, what was not is freed (the sanitizer sees
 * to it that it is). */
static void
what_nobody_took_for_a_while_is_freed(void **state)
{
    void *blocks[KEEP];

    (void)state;
    for (int i = 0; i < KEEP; i++)
        shelf_give(&shelf, malloc(SIZE));
    assert_false(shelves_settle()); /* given just now */
    assert_int_equal(shelf.count, KEEP);
    blocks[0] = shelf_take(&shelf);
    blocks[1] = shelf_take(&shelf);
    shelf_give(&shelf, blocks[0]);
    shelf_give(&shelf, blocks[1]);
    assert_true(shelves_settle());
    assert_int_equal(shelf.count, 2);
    assert_true(shelves_hold_any());
    assert_true(shelves_settle());
    assert_int_equal(shelf.count, 0);
    assert_false(shelves_hold_any());
    assert_false(shelves_settle());
    assert_null(shelf_take(&shelf));
}

static void
no_more_wait_than_are_to_be_kept(void **state)
{
    (void)state;
    for (int i = 0; i < KEEP + 2; i++)
        shelf_give(&shelf, malloc(SIZE));
    assert_int_equal(shelf.count, KEEP);
    for (int i = 0; i < KEEP; i++)
        free(shelf_take(&shelf));
    assert_null(shelf_take(&shelf));
}

static void *
use_the_shelf(void *unused)
{
    (void)unused;
    assert_null(shelf_take(&shelf)); /* every thread has its own */
    for (int i = 0; i < KEEP; i++)
        shelf_give(&shelf, malloc(SIZE));
    return NULL;
}

/* The leak checker is the judge. */
static void
a_thread_that_ends_empties_its_shelves(void **state)
{
    pthread_t thread;

    (void)state;
    shelf_give(&shelf, malloc(SIZE));
    assert_int_equal(pthread_create(&thread, NULL, use_the_shelf, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(shelf.count, 1);
    free(shelf_take(&shelf));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_shelf_gives_nothing),
        cmocka_unit_test(the_last_block_given_is_the_first_taken),
        cmocka_unit_test(a_block_given_all_zero_comes_back_all_zero),
        cmocka_unit_test(what_nobody_took_for_a_while_is_freed),
        cmocka_unit_test(no_more_wait_than_are_to_be_kept),
        cmocka_unit_test(a_thread_that_ends_empties_its_shelves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

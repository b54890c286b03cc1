/* Pieces of an arena: zeroed, aligned, apart from each other, gone at once. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
every_piece_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = { 0,    1,    7,    16,    100,  3000,
                                    4095, 4096, 5000, 16384, 70000 };
    static const char zeros[70000];
    struct arena *a = arena_new();

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            char *at = arena_alloc(a, sizes[i]);

            assert_int_equal((uintptr_t)at % alignof(max_align_t), 0);
            assert_memory_equal(at, zeros, sizes[i]);
            memset(at, 0xee, sizes[i]);
        }
        arena_reset(a);
    }
    arena_free(a);
}

static void
pieces_do_not_overlap(void **state)
{
    enum { PIECES = 500 };
    struct arena *a = arena_new();
    unsigned char *at[PIECES];

    (void)state;
    for (size_t i = 0; i < PIECES; i++) {
        at[i] = arena_alloc(a, i * 13 % 6000 + 1);
        memset(at[i], (int)(i % 251 + 1), i * 13 % 6000 + 1);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < i * 13 % 6000 + 1; k++)
            assert_int_equal(at[i][k], i % 251 + 1);
    arena_free(a);
}

static void
a_copy_is_the_same_text_elsewhere(void **state)
{
    struct arena *a = arena_new();
    struct text t = TEXT("a\0b");
    struct text copy = arena_copy(a, t);
    const char *z = arena_copy_z(a, TEXT("name"));

    (void)state;
    assert_true(text_equals(copy, t));
    assert_ptr_not_equal(copy.at, t.at);
    assert_string_equal(z, "name");
    assert_string_equal(arena_copy_z(a, text_of(NULL, 0)), "");
    assert_int_equal(arena_copy(a, text_of(NULL, 0)).n, 0);
    arena_free(a);
}

static void
printing_gives_a_text_of_the_right_length(void **state)
{
    struct arena *a = arena_new();
    struct text t = arena_printf(a, "%s-%05d", "x", 42);

    (void)state;
    assert_int_equal(t.n, 7);
    assert_string_equal(t.at, "x-00042"); /* a NUL stands behind it */
    arena_free(a);
}

static void
used_counts_what_was_handed_out_since_the_last_reset(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    assert_int_equal(arena_used(a), 0);
    arena_alloc(a, 100);
    arena_alloc(a, 50000);
    assert_int_equal(arena_used(a), 50100);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    arena_free(a);
}

static void
a_reset_arena_begins_in_the_block_it_kept(void **state)
{
    struct arena *a = arena_new();
    void *first = arena_alloc(a, 10);

    (void)state;
    arena_alloc(a, 100000);
    arena_reset(a);
    assert_ptr_equal(arena_alloc(a, 10), first);
    arena_free(a);
}

static void
a_large_piece_leaves_the_room_of_the_current_block(void **state)
{
    struct arena *a = arena_new();
    char *before = arena_alloc(a, 16), *after;

    (void)state;
    arena_alloc(a, 100000);
    after = arena_alloc(a, 16);
    assert_true(after > before && after - before <= 64);
    arena_free(a);
}

static void
freeing_nothing_is_allowed(void **state)
{
    (void)state;
    arena_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_zeroed_and_aligned),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(a_copy_is_the_same_text_elsewhere),
        cmocka_unit_test(printing_gives_a_text_of_the_right_length),
        cmocka_unit_test(used_counts_what_was_handed_out_since_the_last_reset),
        cmocka_unit_test(a_reset_arena_begins_in_the_block_it_kept),
        cmocka_unit_test(a_large_piece_leaves_the_room_of_the_current_block),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

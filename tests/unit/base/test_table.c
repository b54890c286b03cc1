/* A table that lives inside its members. */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct thing {
    unsigned number;
    struct table_node node;
};

static unsigned
count(const struct table *t, uint64_t hash)
{
    unsigned n = 0;

    for (struct table_node *m = table_first(t, hash); m != NULL; m = table_next(m))
        n++;
    return n;
}

static void
members_are_found_by_their_hash_however_many_there_are(void **state)
{
    enum { N = 1000 };
    struct thing *things = calloc(N, sizeof *things);
    struct table t;

    (void)state;
    table_init(&t);
    for (unsigned i = 0; i < N; i++) {
        things[i].number = i;
        table_add(&t, &things[i].node, (uint64_t)i * 0x9e3779b97f4a7c15);
    }
    assert_int_equal(t.n, N);
    for (unsigned i = 0; i < N; i++) {
        struct table_node *m = table_first(&t, (uint64_t)i * 0x9e3779b97f4a7c15);

        assert_non_null(m);
        assert_int_equal(TABLE_OWNER(m, struct thing, node)->number, i);
    }
    while (t.n > 0)
        table_remove(&t, table_any(&t));
    assert_null(table_any(&t));
    table_clear(&t);
    free(things);
}

static void
those_of_one_hash_are_all_found_and_no_other_of_the_bucket(void **state)
{
    struct thing things[4] = { { .number = 0 } };
    struct table t;

    (void)state;
    table_init(&t);
    table_add(&t, &things[0].node, 1);
    table_add(&t, &things[1].node, 1 + 64);
    table_add(&t, &things[2].node, 1);
    table_add(&t, &things[3].node, 1 + 128);
    assert_int_equal(count(&t, 1), 2);
    assert_int_equal(count(&t, 65), 1);
    assert_int_equal(count(&t, 193), 0);
    table_remove(&t, &things[2].node);
    assert_int_equal(count(&t, 1), 1);
    table_clear(&t);
}

static void
equal_texts_have_equal_hashes(void **state)
{
    char copy[] = "nightly-orders";

    (void)state;
    assert_true(table_hash(TEXT("nightly-orders")) == table_hash(text_z(copy)));
    copy[0] ^= 1;
    assert_false(table_hash(TEXT("nightly-orders")) == table_hash(text_z(copy)));
    assert_true(table_hash(TEXT("")) == table_hash(text_z(NULL)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_their_hash_however_many_there_are),
        cmocka_unit_test(those_of_one_hash_are_all_found_and_no_other_of_the_bucket),
        cmocka_unit_test(equal_texts_have_equal_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

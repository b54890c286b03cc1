/* Changes of tasks that are awaited as one. */
#include "tests/unit/certs/scratch.h"

#include "proxy/awaited.h"

static uint64_t told[8];
static size_t n_told;

static void
note(void *owner, uint64_t number)
{
    (void)owner;
    assert_true(n_told < 8);
    told[n_told++] = number;
}

static uint64_t
await(struct awaited *a, const uint64_t *tickets, size_t n)
{
    awaited_begin(a);
    for (size_t i = 0; i < n; i++)
        awaited_tell(a, tickets[i]);
    return awaited_end(a);
}

static void
done(struct awaited *a, uint64_t ticket)
{
    awaited_done(a, ticket, note, NULL);
}

static void
a_party_is_over_with_its_last_in_whatever_order(void **state)
{
    struct awaited a;
    uint64_t number;

    (void)state;
    n_told = 0;
    awaited_init(&a);
    number = await(&a, (uint64_t[]){ 7, 8, 9, 3 }, 4); /* 3: of one that drained */
    assert_true(number > 0);
    done(&a, 3);
    done(&a, 9);
    done(&a, 9);
    done(&a, 4);
    done(&a, 7);
    assert_int_equal(n_told, 0);
    done(&a, 8);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], number);
    done(&a, 8);
    assert_int_equal(n_told, 1);
    awaited_clear(&a);
}

static void
one_change_may_be_of_several_parties(void **state)
{
    struct awaited a;
    uint64_t first, second;

    (void)state;
    n_told = 0;
    awaited_init(&a);
    first = await(&a, (uint64_t[]){ 1, 2 }, 2);
    second = await(&a, (uint64_t[]){ 2 }, 1);
    assert_true(first != second);
    done(&a, 2);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], second);
    done(&a, 1);
    assert_int_equal(told[1], first);
    awaited_clear(&a);
}

static void
nothing_told_is_nothing_to_wait_for(void **state)
{
    struct awaited a;

    (void)state;
    awaited_init(&a);
    assert_int_equal(await(&a, NULL, 0), 0);
    awaited_tell(&a, 5); /* by nobody who waits */
    done(&a, 5);
    awaited_clear(&a);
}

static void
ten_thousand_are_one_party(void **state)
{
    enum { MANY = 10000 };
    struct awaited a;

    (void)state;
    n_told = 0;
    awaited_init(&a);
    awaited_begin(&a);
    for (uint64_t i = MANY; i > 0; i--)
        awaited_tell(&a, i);
    (void)awaited_end(&a);
    for (uint64_t i = 1; i < MANY; i++)
        done(&a, i);
    assert_int_equal(n_told, 0);
    (void)await(&a, (uint64_t[]){ MANY + 1 }, 1);
    done(&a, MANY);
    assert_int_equal(n_told, 1);
    awaited_clear(&a); /* the other is let go unheard */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_party_is_over_with_its_last_in_whatever_order),
        cmocka_unit_test(one_change_may_be_of_several_parties),
        cmocka_unit_test(nothing_told_is_nothing_to_wait_for),
        cmocka_unit_test(ten_thousand_are_one_party),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

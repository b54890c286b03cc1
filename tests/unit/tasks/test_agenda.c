/* What is due when. */
#include "tasks/agenda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N = 500 };

static uint32_t
draw(uint32_t below)
{
    static uint64_t seed = 7;

    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static int64_t
earliest(const struct appointment *all)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < N; i++)
        if (all[i].place != 0 && all[i].due_ms < first)
            first = all[i].due_ms;
    return first;
}

static void
the_first_is_always_the_earliest(void **state)
{
    struct appointment all[N];
    struct agenda a = { .n = 0 };

    (void)state;
    memset(all, 0, sizeof all);
    assert_null(agenda_first(&a));
    for (int step = 0; step < 20000; step++) {
        struct appointment *m = &all[draw(N)];

        if (draw(3) == 0)
            agenda_remove(&a, m);
        else
            agenda_set(&a, m, draw(1000));
        if (a.n == 0)
            assert_null(agenda_first(&a));
        else
            assert_int_equal(agenda_first(&a)->due_ms, earliest(all));
    }
    agenda_clear(&a);
}

static void
all_come_in_their_order(void **state)
{
    struct appointment all[N];
    struct agenda a = { .n = 0 };
    int64_t last = -1;
    size_t n = 0;

    (void)state;
    memset(all, 0, sizeof all);
    for (size_t i = 0; i < N; i++)
        agenda_set(&a, &all[i], draw(100));
    for (struct appointment *m; (m = agenda_first(&a)) != NULL; n++) {
        assert_true(m->due_ms >= last);
        last = m->due_ms;
        agenda_remove(&a, m);
        agenda_remove(&a, m); /* it is on it no more */
    }
    assert_int_equal(n, N);
    agenda_clear(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_always_the_earliest),
        cmocka_unit_test(all_come_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

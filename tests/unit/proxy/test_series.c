/* proxy/series.c: a grant's figures are its own, as long as configs come and go. */
#include "tests/unit/certs/scratch.h"

#include "proxy/series.h"

enum { NAMES = 300 };

static struct series *s;
static struct metrics *m;
static const struct metrics *workers[1];
static char names[NAMES][16];
static struct conf_grant grants[NAMES];
static struct conf conf = { .grants = { grants, 0 } };

static int
begin(void **state)
{
    (void)state;
    s = series_new();
    m = metrics_new();
    workers[0] = m;
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    series_free(s);
    metrics_free(m);
    return 0;
}

#define SERIES_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

/* A config with the grants first, first + 1, …: n of them. */
static uint16_t *
assign(size_t first, size_t n, uint64_t generation)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "grant-%zu", first + i);
        grants[i].name = names[i];
    }
    conf.grants.n = n;
    return series_assign(s, &conf, generation, workers, 1);
}

static void
a_grant_keeps_its_slot_over_reloads(void **state)
{
    uint16_t *before = assign(0, 3, 1), *after = assign(1, 2, 2);

    (void)state;
    assert_true(before[0] != 0 && before[0] != before[1] && before[1] != before[2]);
    assert_int_equal(after[0], before[1]);
    assert_int_equal(after[1], before[2]);
    assert_string_equal(series_name(s, before[2]), "grant-2");
    assert_string_equal(series_name(s, 0), "");
    assert_null(series_name(s, GRANT_SERIES - 1));
    free(before);
    free(after);
}

static void
more_grants_than_slots_share_the_last_one(void **state)
{
    uint16_t *slots = assign(0, NAMES, 1);
    size_t own = 0;

    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        own += slots[i] != 0;
    assert_int_equal(own, GRANT_SERIES - 1);
    free(slots);
}

static void
a_slot_goes_to_another_only_when_nobody_can_count_in_it_any_more(void **state)
{
    uint16_t *slots = assign(0, GRANT_SERIES - 1, 1);
    uint16_t *next;

    (void)state;
    metrics_grant(m, slots[0], REASON_OK);
    free(slots);
    next = assign(1000, 1, 60); /* an exchange may still live under the first config */
    assert_int_equal(next[0], 0);
    free(next);
    next = assign(1000, 1, 100);
    assert_true(next[0] != 0);
    assert_string_equal(series_name(s, next[0]), "grant-1000");
    assert_int_equal(series_before(s, next[0], OUTCOME_ALLOW),
                     tally_read(&m->grants[next[0]][OUTCOME_ALLOW]));
    free(next);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SERIES_TEST(a_grant_keeps_its_slot_over_reloads),
        SERIES_TEST(more_grants_than_slots_share_the_last_one),
        SERIES_TEST(a_slot_goes_to_another_only_when_nobody_can_count_in_it_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

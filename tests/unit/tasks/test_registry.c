/* The registry: who is started, who must end, and whether every worker has obeyed. */
#include "workers.h"

static void
a_start_is_over_when_every_worker_has_it(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    const struct said *said;
    struct entry *e;
    uint64_t ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    k = house_start(s, &ticket);
    assert_null(house_said(h, ticket));
    assert_true(worker_obey(h, 0, 0));
    assert_null(house_said(h, ticket)); /* one is slow */
    assert_true(worker_obey(h, 1, 0));
    said = house_said(h, ticket);
    assert_non_null(said);
    assert_int_equal(said->cause, TASK_LIVE);
    assert_true(text_equals(text_z(said->id), task_id(k)));
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(roll_find(h->workers[i].roll, &s->grants[REQUIRED],
                                   &(struct caller){ .has_uid = true, .uid = 1000 },
                                   NULL, clock_monotonic_ms(), &e),
                         REASON_OK);
    assert_ptr_equal(registry_find(h->registry, task_id(k)), k);
}

static void
what_cannot_be_started_is_refused_with_its_reason(void **state)
{
    struct stage *s = *state;
    struct conf_grant stale;
    uint64_t ticket;
    struct task *k;

    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_GRANT_UNKNOWN); /* nothing is in force */
    s->conf.limits.tasks = 4;
    house_adopt(s, &s->conf, NULL);
    stale = s->grants[REQUIRED];
    assert_int_equal(house_try(s, &s->conf, NULL, &k, &ticket), REASON_GRANT_UNKNOWN);
    assert_int_equal(house_try(s, &s->conf, &stale, &k, &ticket), REASON_GRANT_UNKNOWN);
    assert_int_equal(house_try(s, &s->conf, &s->grants[STANDING], &k, &ticket),
                     REASON_TASK_NOT_STARTED);
    assert_int_equal(house_try(s, &s->conf, &s->grants[POD], &k, &ticket),
                     REASON_TASK_NOT_STARTED);
    authority_fail_issuing(true);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_MINT_TOKEN);
    authority_fail_issuing(false);
    assert_null(k);
}

static void
there_are_never_more_tasks_than_the_limit_those_that_are_ending_included(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;
    struct task *k;

    s->conf.limits.tasks = 4; /* two of them are the standing and the pod's */
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    (void)house_start(s, &ticket);
    k = house_start(s, &ticket);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_TOO_MANY_TASKS);
    house_settle(h);
    assert_int_equal(registry_count(h->registry), 4);
    assert_int_equal(registry_revoke(h->registry, "required", &ticket), 2);
    assert_int_equal(registry_count(h->registry), 2);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_TOO_MANY_TASKS); /* their keys are there still */
    house_settle(h);
    (void)house_start(s, &ticket);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_open, house_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_is_over_when_every_worker_has_it),
        TEST(what_cannot_be_started_is_refused_with_its_reason),
        TEST(there_are_never_more_tasks_than_the_limit_those_that_are_ending_included),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

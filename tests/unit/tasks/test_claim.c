/* tasks/claim.c: tasks of a pod whose uid, or whose claim's, a file tells. */
#include "workers.h"

#define FIRST  TEXT("0af5c1d2-7a10-4d5e-9f0e-2b6f9a7a1c11")
#define SECOND TEXT("7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11")

/* The stage's config, but its pod is named by a file. */
static int
begin(void **state)
{
    int failed = house_open(state);
    struct stage *s = *state;

    s->conf.workload.pod = NULL;
    s->conf.workload.pod_file = "/etc/podinfo/uid";
    return failed;
}

static struct task *
of(struct house *h, struct text id)
{
    return registry_find(h->registry, id);
}

/* What the first worker would say to the pod's caller. */
static enum reason
ask(struct stage *s)
{
    struct house *h = s->more;
    struct entry *e;

    return roll_find(h->workers[0].roll, &s->grants[POD],
                     &(struct caller){ .has_uid = true, .uid = 1000 }, NULL,
                     clock_monotonic_ms(), &e);
}

static const struct said *
last_end(const struct house *h)
{
    const struct said *found = NULL;

    for (size_t i = 0; i < h->n_said; i++)
        if (h->said[i].cause != TASK_LIVE)
            found = &h->said[i];
    return found;
}

static void
a_task_begins_when_its_pod_is_known(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    assert_int_equal(registry_count(h->registry), 1); /* the standing one's */
    assert_int_equal(ask(s), REASON_TASK_REQUIRED);
    roll_await_pod(h->workers[0].roll, true);
    assert_int_equal(ask(s), REASON_CLAIM_MISSING);
    registry_on_due(h->registry); /* nor does time bring one */
    assert_int_equal(registry_count(h->registry), 1);
    registry_name_pod(h->registry, FIRST);
    house_settle(h);
    assert_int_equal(task_kind(of(h, FIRST)), TASK_POD);
    assert_int_equal(ask(s), REASON_OK);
    roll_await_pod(h->workers[0].roll, false);
    assert_int_equal(ask(s), REASON_OK);
}

static void
one_that_is_known_at_the_start_begins_with_it(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    registry_name_pod(h->registry, FIRST);
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    assert_non_null(of(h, FIRST));
    assert_int_equal(ask(s), REASON_OK);
}

static void
another_claim_ends_the_task_and_begins_its_own(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task *first;
    size_t told;

    house_adopt(s, &s->conf, NULL);
    registry_name_pod(h->registry, FIRST);
    house_settle(h);
    first = of(h, FIRST);
    task_ref(first);
    told = h->n_told;
    registry_name_pod(h->registry, FIRST); /* read again, and the same */
    assert_int_equal(h->n_told, told);
    registry_name_pod(h->registry, SECOND);
    assert_int_equal(h->n_told, told + 2); /* an end and a beginning, no renewal */
    assert_int_equal(h->drain_ms, 0);
    assert_false(task_is_live(first, clock_monotonic_ms()));
    assert_null(of(h, FIRST));
    assert_non_null(of(h, SECOND));
    house_settle(h);
    assert_int_equal(last_end(h)->cause, TASK_UNCLAIMED);
    assert_true(text_equals(text_z(last_end(h)->id), FIRST));
    assert_int_equal(ask(s), REASON_OK);
    task_unref(first);
}

static void
a_claim_that_goes_ends_the_task_and_none_begins(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    house_adopt(s, &s->conf, NULL);
    registry_name_pod(h->registry, FIRST);
    registry_name_pod(h->registry, TEXT(""));
    house_settle(h);
    assert_int_equal(last_end(h)->cause, TASK_UNCLAIMED);
    set_clock(2);
    registry_on_due(h->registry);
    house_settle(h);
    assert_int_equal(registry_count(h->registry), 1);
    registry_name_pod(h->registry, FIRST);
    house_settle(h);
    assert_non_null(of(h, FIRST));
}

static void
a_reload_leaves_it_alone_unless_it_narrows_its_grant(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf same = s->conf, changed = s->conf;
    struct conf_grant grants[GRANTS];
    const struct task *first, *second;

    memcpy(grants, s->grants, sizeof grants);
    grants[POD].owner = "another@example";
    changed.grants.at = grants;
    house_adopt(s, &s->conf, NULL);
    registry_name_pod(h->registry, FIRST);
    first = of(h, FIRST);
    house_adopt(s, &same, &s->conf);
    assert_ptr_equal(of(h, FIRST), first);
    house_adopt(s, &changed, &same);
    second = of(h, FIRST);
    assert_non_null(second);
    assert_string_equal(task_owner(second), "another@example");
    house_settle(h);
    assert_int_equal(last_end(h)->cause, TASK_WITHDRAWN);
    house_adopt(s, &s->conf, &changed); /* the others end with this function */
}

static void
what_was_revoked_is_not_begun_for_another_claim(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;

    house_adopt(s, &s->conf, NULL);
    registry_name_pod(h->registry, FIRST);
    assert_int_equal(registry_revoke(h->registry, "pod", NULL, &ticket), 1);
    registry_name_pod(h->registry, SECOND);
    house_settle(h);
    assert_null(of(h, SECOND));
    assert_int_equal(ask(s), REASON_TASK_REQUIRED);
}

static void
what_cannot_be_minted_just_now_is_tried_again(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    house_adopt(s, &s->conf, NULL);
    authority_fail_issuing(true);
    registry_name_pod(h->registry, FIRST);
    assert_null(of(h, FIRST));
    authority_fail_issuing(false);
    for (int64_t end = clock_monotonic_ms() + 60000;
         of(h, FIRST) == NULL && clock_monotonic_ms() < end;)
        registry_on_due(h->registry);
    assert_non_null(of(h, FIRST));
}

static void
several_grants_of_a_pod_come_and_go_together(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    s->grants[STANDING].task = TASK_POD;
    house_adopt(s, &s->conf, NULL);
    assert_int_equal(registry_count(h->registry), 0);
    registry_name_pod(h->registry, FIRST);
    assert_int_equal(registry_count(h->registry), 2);
    assert_null(of(h, FIRST)); /* each has a mark of its grant */
    registry_name_pod(h->registry, TEXT(""));
    assert_int_equal(registry_count(h->registry), 0);
    house_settle(h);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, house_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_begins_when_its_pod_is_known),
        TEST(one_that_is_known_at_the_start_begins_with_it),
        TEST(another_claim_ends_the_task_and_begins_its_own),
        TEST(a_claim_that_goes_ends_the_task_and_none_begins),
        TEST(a_reload_leaves_it_alone_unless_it_narrows_its_grant),
        TEST(what_was_revoked_is_not_begun_for_another_claim),
        TEST(what_cannot_be_minted_just_now_is_tried_again),
        TEST(several_grants_of_a_pod_come_and_go_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

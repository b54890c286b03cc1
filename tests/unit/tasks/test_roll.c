/* A worker's roll: who may use a grant, whose handle a value is, who ended. */
#include "tasks/roll.h"

#include "stage.h"

#include "base/digest.h"

static const struct caller workload = { .has_uid = true, .uid = 1000 };
static const struct caller stranger = { .has_uid = true, .uid = 1001 };
static const struct caller nobody = { .has_uid = false, .uid = 1000 };

static int
open_roll(void **state)
{
    struct stage *s;
    int failed = stage_open(state);

    s = *state;
    s->more = roll_new();
    return failed;
}

static int
close_roll(void **state)
{
    struct stage *s = *state;

    roll_free(s->more);
    return stage_close(state);
}

static struct task *
made(const struct stage *s, int grant)
{
    const struct task_terms terms = { .conf = &s->conf,
                                      .grant = &s->grants[grant],
                                      .purpose = TEXT("export"),
                                      .caller = s->grants[grant].caller };
    struct task *k;

    assert_int_equal(task_new(s->authority, &terms, &k), REASON_OK);
    return k;
}

/* On the roll, which alone holds it. */
static struct task *
begun(const struct stage *s, int grant)
{
    struct task *k = made(s, grant);

    assert_non_null(roll_begin(s->more, k));
    task_unref(k);
    return k;
}

static enum reason
find(const struct stage *s, int grant, const struct caller *caller,
     const struct task *proven, struct entry **out)
{
    return roll_find(s->more, &s->grants[grant], caller, proven, clock_monotonic_ms(),
                     out);
}

static void
a_live_task_of_the_grant_and_caller_is_found(void **state)
{
    struct stage *s = *state;
    struct task *k;
    struct entry *e;

    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_TASK_REQUIRED);
    assert_null(e);
    k = begun(s, REQUIRED);
    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_OK);
    assert_ptr_equal(e->task, k);
    assert_int_equal(find(s, STANDING, &workload, NULL, &e), REASON_TASK_REQUIRED);
    assert_int_equal(find(s, REQUIRED, &stranger, NULL, &e), REASON_TASK_REQUIRED);
    assert_int_equal(find(s, REQUIRED, &nobody, NULL, &e), REASON_TASK_REQUIRED);
    assert_null(e);
    assert_int_equal(roll_count(s->more), 1);
}

static void
anybodys_task_is_everybodys(void **state)
{
    struct stage *s = *state;
    struct entry *e;

    s->grants[STANDING].caller = (struct conf_caller){ .any = true };
    (void)begun(s, STANDING);
    assert_int_equal(find(s, STANDING, &workload, NULL, &e), REASON_OK);
    assert_int_equal(find(s, STANDING, &stranger, NULL, &e), REASON_OK);
    assert_int_equal(find(s, STANDING, &nobody, NULL, &e), REASON_OK);
}

static void
of_several_the_proven_one_is_found_and_else_none(void **state)
{
    struct stage *s = *state;
    struct task *a = begun(s, REQUIRED), *b = begun(s, REQUIRED);
    struct entry *e;

    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_TASK_AMBIGUOUS);
    assert_null(e);
    assert_int_equal(find(s, REQUIRED, &workload, a, &e), REASON_OK);
    assert_ptr_equal(e->task, a);
    assert_int_equal(find(s, REQUIRED, &workload, b, &e), REASON_OK);
    assert_ptr_equal(e->task, b);
    entry_unref(roll_end(s->more, b));
    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_OK);
    assert_ptr_equal(e->task, a);
}

/* One for anybody and one's own are two as well. */
static void
of_anybodys_and_ones_own_nothing_says_which(void **state)
{
    struct stage *s = *state;
    struct entry *e;

    (void)begun(s, REQUIRED);
    s->grants[REQUIRED].caller = (struct conf_caller){ .any = true };
    (void)begun(s, REQUIRED);
    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_TASK_AMBIGUOUS);
    assert_int_equal(find(s, REQUIRED, &stranger, NULL, &e), REASON_OK);
}

static void
a_proven_task_must_be_live_and_its_callers_own(void **state)
{
    struct stage *s = *state;
    struct task *k = begun(s, REQUIRED), *standing = begun(s, STANDING);
    struct entry *e, *ended;

    assert_int_equal(find(s, REQUIRED, &stranger, k, &e), REASON_CALLER_NOT_ALLOWED);
    assert_null(e);
    /* It says nothing of another grant. */
    assert_int_equal(find(s, STANDING, &workload, k, &e), REASON_OK);
    assert_ptr_equal(e->task, standing);
    ended = roll_end(s->more, k);
    assert_int_equal(find(s, REQUIRED, &workload, k, &e), REASON_TASK_ENDED);
    assert_int_equal(find(s, STANDING, &workload, k, &e), REASON_TASK_ENDED);
    entry_unref(ended);
}

static void
what_ended_or_passed_its_deadline_is_not_found_though_no_message_came(void **state)
{
    struct stage *s = *state;
    struct task *k = begun(s, REQUIRED);
    struct entry *e;

    assert_int_equal(roll_find(s->more, &s->grants[REQUIRED], &workload, NULL,
                               task_deadline_ms(k), &e),
                     REASON_TASK_REQUIRED);
    assert_int_equal(
        roll_find(s->more, &s->grants[REQUIRED], &workload, k, task_deadline_ms(k), &e),
        REASON_TASK_ENDED);
    task_end(k, TASK_REVOKED);
    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_TASK_REQUIRED);
    assert_int_equal(find(s, REQUIRED, &workload, k, &e), REASON_TASK_ENDED);
}

static void
a_task_that_ended_before_it_came_is_not_begun(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);

    task_end(k, TASK_FINISHED);
    assert_null(roll_begin(s->more, k));
    assert_null(roll_end(s->more, k));
    assert_int_equal(roll_count(s->more), 0);
    task_unref(k);
}

static void
who_holds_an_entry_keeps_it_and_its_presenter_past_the_end(void **state)
{
    struct stage *s = *state;
    struct task *k = begun(s, REQUIRED);
    struct presenter *p;
    struct entry *e, *ended;

    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_OK);
    entry_ref(e);
    p = entry_presenter(e);
    assert_non_null(p);
    assert_ptr_equal(entry_presenter(e), p);
    ended = roll_end(s->more, k);
    assert_ptr_equal(ended, e);
    assert_true(e->ended);
    assert_int_equal(roll_count(s->more), 0);
    entry_unref(ended);
    assert_int_equal(presenter_thumbprint(p).n, 43);
    /* Asked again, for a harder end, it is found again while it is held. */
    ended = roll_end(s->more, k);
    assert_ptr_equal(ended, e);
    entry_unref(ended);
    task_ref(k);
    entry_unref(e);
    assert_null(roll_end(s->more, k));
    task_unref(k);
}

static void
an_entry_may_outlive_the_roll(void **state)
{
    struct stage *s = *state;
    struct entry *e, *other;

    (void)begun(s, REQUIRED);
    (void)begun(s, STANDING);
    assert_int_equal(find(s, REQUIRED, &workload, NULL, &e), REASON_OK);
    entry_ref(e);
    other = roll_end(s->more, begun(s, POD));
    roll_free(s->more);
    s->more = roll_new();
    assert_true(e->ended);
    assert_non_null(entry_presenter(e));
    entry_unref(e);
    entry_unref(other);
}

/* ---- handles */

static void
a_handle_is_its_tasks_until_the_end_and_remembered_then(void **state)
{
    struct stage *s = *state;
    struct task *k = begun(s, REQUIRED);
    const struct task_handle *own;
    const struct rolled_handle *h;
    char value[64];
    struct text kept;

    assert_true(roll_has_handles(s->more));
    assert_int_equal(task_handles(k, &own), 1);
    memcpy(value, own[0].value.at, own[0].value.n);
    kept = text_of(value, own[0].value.n);
    h = roll_handle(s->more, kept);
    assert_non_null(h);
    assert_ptr_equal(h->task, k);
    assert_string_equal(h->credential, "github");
    assert_false(h->ended);
    value[7] ^= 1;
    assert_null(roll_handle(s->more, kept));
    value[7] ^= 1;
    assert_null(roll_handle(s->more, text_of(value, kept.n - 1)));
    assert_null(roll_handle(s->more, text_of(value, 0)));

    entry_unref(roll_end(s->more, k)); /* the task is freed */
    h = roll_handle(s->more, kept);
    assert_non_null(h);
    assert_null(h->task);
    assert_true(h->ended);
    assert_true(text_equals(h->value, kept));
    assert_string_equal(h->credential, "github");
}

static void
a_roll_without_required_tasks_has_no_handles(void **state)
{
    struct stage *s = *state;

    (void)begun(s, STANDING);
    (void)begun(s, POD);
    assert_false(roll_has_handles(s->more));
    assert_null(roll_handle(s->more, TEXT("ghp_000000000000000000000000000000000000")));
}

static void
the_last_4096_ended_handles_are_remembered_and_no_more(void **state)
{
    enum { N = 4096 + 10 };
    struct stage *s = *state;
    char(*values)[40] = calloc(N, sizeof *values);

    s->grants[REQUIRED].rules = (struct groups){ .at = &s->rules[1], .n = 1 };
    for (size_t i = 0; i < N; i++) {
        struct task *k = begun(s, REQUIRED);
        const struct task_handle *own;

        assert_int_equal(task_handles(k, &own), 1);
        assert_int_equal(own[0].value.n, sizeof *values);
        memcpy(values[i], own[0].value.at, sizeof *values);
        entry_unref(roll_end(s->more, k));
    }
    for (size_t i = 0; i < N; i++) {
        const struct rolled_handle *h = roll_handle(s->more,
                                                    text_of(values[i], sizeof *values));

        assert_int_equal(h != NULL, i >= 10);
        assert_true(h == NULL || h->ended);
    }
    free(values);
}

/* ---- passwords */

static void
a_task_is_proven_by_its_own_password_alone(void **state)
{
    struct stage *s = *state;
    struct task *a = begun(s, REQUIRED), *b = begun(s, REQUIRED);
    char id[TASK_ID_MAX], password[64];
    struct text its_id = text_of(id, task_id(a).n);
    struct text its_password = text_of(password, task_password(a).n);

    memcpy(id, task_id(a).at, its_id.n);
    memcpy(password, task_password(a).at, its_password.n);
    assert_ptr_equal(roll_prove(s->more, its_id, its_password), a);
    assert_null(roll_prove(s->more, its_id, task_password(b)));
    assert_null(roll_prove(s->more, task_id(b), its_password));
    assert_null(roll_prove(s->more, its_id, TEXT("")));
    assert_null(roll_prove(s->more, TEXT(""), its_password));
    assert_null(roll_prove(s->more, TEXT("t-nobody"), its_password));
    assert_null(roll_prove(s->more, its_id, text_of(password, its_password.n - 1)));
    entry_unref(roll_end(s->more, a));
    assert_null(roll_prove(s->more, its_id, its_password));
}

/* ---- many */

static void
thousands_of_tasks_each_find_their_own(void **state)
{
    enum { GRANTS_MADE = 50, EACH = 10 };
    struct stage *s = *state;
    struct task *tasks[GRANTS_MADE][EACH];
    struct conf_grant grants[GRANTS_MADE];
    char names[GRANTS_MADE][24];
    struct entry *e;

    for (unsigned i = 0; i < GRANTS_MADE; i++) {
        (void)snprintf(names[i], sizeof names[i], "grant-%u", i);
        grants[i] = s->grants[REQUIRED];
        grants[i].name = names[i];
        grants[i].caller = (struct conf_caller){ .any = true };
        for (unsigned j = 0; j < EACH; j++) {
            const struct task_terms terms = { .conf = &s->conf,
                                              .grant = &grants[i],
                                              .purpose = TEXT("export"),
                                              .caller.uid = 2000 + j };

            assert_int_equal(task_new(s->authority, &terms, &tasks[i][j]), REASON_OK);
            assert_non_null(roll_begin(s->more, tasks[i][j]));
            task_unref(tasks[i][j]);
        }
    }
    for (unsigned i = 0; i < GRANTS_MADE; i++)
        for (unsigned j = 0; j < EACH; j++) {
            const struct caller who = { .has_uid = true, .uid = 2000 + j };

            assert_int_equal(
                roll_find(s->more, &grants[i], &who, NULL, clock_monotonic_ms(), &e),
                REASON_OK);
            assert_ptr_equal(e->task, tasks[i][j]);
        }
    for (unsigned i = 0; i < GRANTS_MADE; i++)
        for (unsigned j = 0; j < EACH; j += 2)
            entry_unref(roll_end(s->more, tasks[i][j]));
    assert_int_equal(roll_count(s->more), GRANTS_MADE * EACH / 2);
    for (unsigned j = 0; j < EACH; j++) {
        const struct caller who = { .has_uid = true, .uid = 2000 + j };

        assert_int_equal(
            roll_find(s->more, &grants[7], &who, NULL, clock_monotonic_ms(), &e),
            j % 2 == 0 ? REASON_TASK_REQUIRED : REASON_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_roll, close_roll)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_live_task_of_the_grant_and_caller_is_found),
        TEST(anybodys_task_is_everybodys),
        TEST(of_several_the_proven_one_is_found_and_else_none),
        TEST(of_anybodys_and_ones_own_nothing_says_which),
        TEST(a_proven_task_must_be_live_and_its_callers_own),
        TEST(what_ended_or_passed_its_deadline_is_not_found_though_no_message_came),
        TEST(a_task_that_ended_before_it_came_is_not_begun),
        TEST(who_holds_an_entry_keeps_it_and_its_presenter_past_the_end),
        TEST(an_entry_may_outlive_the_roll),
        TEST(a_handle_is_its_tasks_until_the_end_and_remembered_then),
        TEST(a_roll_without_required_tasks_has_no_handles),
        TEST(the_last_4096_ended_handles_are_remembered_and_no_more),
        TEST(a_task_is_proven_by_its_own_password_alone),
        TEST(thousands_of_tasks_each_find_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

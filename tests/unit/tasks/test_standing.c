/* Standing tasks: begun, renewed, ended. Time passes by moving the wall clock. */
#include "tasks/standing.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { TTL_S = 900 };

/* An authority, the tasks that live by it, and a config of two grants. */
struct stage {
    char directory[40], keep[64];
    struct authority_key *authority;
    struct tasks *tasks;
    struct conf_grant grants[2];
    const char *purposes[2];
    struct conf conf;
};

static const char *const wimse[] = { "wimse" };
static struct conf_rule rule = { .bind = { .at = wimse, .n = 1 } };

/* This many seconds from the real time. */
static void
set_clock(int64_t seconds)
{
    static int64_t shifted;

    clock_wall_shift(seconds - shifted);
    shifted = seconds;
}

static struct conf_grant
grant_of(const char *name, const char *const *purpose, int64_t now_s)
{
    return (struct conf_grant){ .name = name,
                                .owner = "owner@example",
                                .approved_at = now_s - 10,
                                .expires_at = now_s + 100 * TTL_S,
                                .purposes = { .at = purpose, .n = 1 },
                                .ttl_ms = TTL_S * 1000,
                                .caller.any = true,
                                .rules = { .at = &rule, .n = 1 } };
}

static int
stage_open(void **state)
{
    struct stage *s = calloc(1, sizeof *s);

    assert_non_null(s);
    strcpy(s->directory, "/tmp/holdfast-tasks-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    (void)snprintf(s->keep, sizeof s->keep, "%s/keep", s->directory);
    assert_int_equal(authority_open(s->keep, "prod.example", &s->authority), REASON_OK);
    s->tasks = tasks_new(s->authority);
    s->purposes[0] = "export";
    s->grants[0] = grant_of("one", &s->purposes[0], clock_wall_s());
    s->grants[1] = grant_of("two", &s->purposes[0], clock_wall_s());
    s->conf.workload.id = "spiffe://prod.example/worker";
    s->conf.grants = (struct groups){ .at = s->grants, .n = 2 };
    *state = s;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *s = *state;
    char key[96];

    set_clock(0);
    authority_fail_issuing(false);
    tasks_free(s->tasks);
    authority_free(s->authority);
    (void)snprintf(key, sizeof key, "%s/authority.key", s->keep);
    (void)unlink(key);
    (void)rmdir(s->keep);
    (void)rmdir(s->directory);
    free(s);
    return 0;
}

static bool
is_live(const struct task *k)
{
    return task_is_live(k, clock_monotonic_ms());
}

static struct task *
take(struct stage *s, const struct conf_grant *g)
{
    struct task *k;

    assert_int_equal(tasks_take(s->tasks, &s->conf, g, &k), REASON_OK);
    assert_non_null(k);
    assert_true(is_live(k));
    return k;
}

static void
a_task_is_begun_at_first_need_and_taken_again(void **state)
{
    struct stage *s = *state;
    struct task *a = take(s, &s->grants[0]), *b = take(s, &s->grants[0]);

    assert_ptr_equal(a, b);
    assert_int_equal(tasks_count(s->tasks), 1);
    assert_int_equal(task_expires_s(a), clock_wall_s() + TTL_S);
    task_unref(a);
    task_unref(b);
}

static void
a_task_that_was_taken_has_a_presenter_for_as_long_as_it_lives(void **state)
{
    struct stage *s = *state;
    struct task *a = take(s, &s->grants[0]), *b;
    struct presenter *p = tasks_presenter(s->tasks, a);

    assert_non_null(p);
    assert_ptr_equal(tasks_presenter(s->tasks, a), p);
    set_clock(TTL_S - 5);
    b = take(s, &s->grants[0]);
    assert_ptr_equal(tasks_presenter(s->tasks, a), p);
    assert_ptr_not_equal(tasks_presenter(s->tasks, b), p);
    tasks_keep_only(s->tasks, &(struct conf){ .workload = s->conf.workload });
    assert_null(tasks_presenter(s->tasks, a));
    assert_null(tasks_presenter(s->tasks, b));
    task_unref(a);
    task_unref(b);
}

static void
a_task_is_renewed_in_its_last_tenth(void **state)
{
    static const struct {
        int64_t age_s;
        bool renewed;
    } rows[] = { { 0, false },
                 { TTL_S / 2, false },
                 { TTL_S * 9 / 10 - 2, false },
                 { TTL_S * 9 / 10, true },
                 { TTL_S, true },
                 { 10 * TTL_S, true },
                 { -60, true } };
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tasks *tasks = tasks_new(s->authority);
        struct task *a, *b;

        set_clock(0);
        s->grants[0].approved_at = clock_wall_s() - 3600;
        assert_int_equal(tasks_take(tasks, &s->conf, &s->grants[0], &a), REASON_OK);
        set_clock(rows[i].age_s);
        assert_int_equal(tasks_take(tasks, &s->conf, &s->grants[0], &b), REASON_OK);
        assert_int_equal(a != b, rows[i].renewed);
        assert_int_equal(tasks_issued(tasks), rows[i].renewed ? 2 : 1);
        assert_int_equal(tasks_count(tasks), 1);
        if (a != b)
            assert_false(text_equals(task_id(a), task_id(b)));
        task_unref(a);
        task_unref(b);
        tasks_free(tasks);
    }
}

static void
who_holds_a_renewed_task_may_use_it_up(void **state)
{
    struct stage *s = *state;
    struct task *a = take(s, &s->grants[0]), *b;

    set_clock(TTL_S - 5);
    b = take(s, &s->grants[0]);
    assert_ptr_not_equal(a, b);
    assert_true(is_live(a));
    task_unref(a);
    task_unref(b);
}

static void
a_deadline_that_has_passed_ends_a_task(void **state)
{
    struct stage *s = *state;
    struct task *k, *next;

    s->grants[0].ttl_ms = 1;
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &k), REASON_OK);
    while (is_live(k)) /* a millisecond */
        ;
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &next), REASON_OK);
    assert_ptr_not_equal(k, next);
    task_unref(k);
    task_unref(next);
}

static void
no_token_outlives_its_grant(void **state)
{
    struct stage *s = *state;
    int64_t now_s = clock_wall_s();
    struct task *a, *b;

    s->grants[0].expires_at = now_s + 60;
    a = take(s, &s->grants[0]);
    assert_int_equal(task_expires_s(a), now_s + 60);
    set_clock(58); /* no renewal could give it more */
    b = take(s, &s->grants[0]);
    assert_ptr_equal(a, b);
    task_unref(a);
    task_unref(b);
    set_clock(60);
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &a),
                     REASON_GRANT_EXPIRED);
    assert_null(a);
}

static void
a_grant_not_yet_approved_has_no_task(void **state)
{
    struct stage *s = *state;
    struct task *k;

    s->grants[0].approved_at = clock_wall_s() + 60;
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &k),
                     REASON_GRANT_EXPIRED);
    assert_int_equal(tasks_count(s->tasks), 0);
}

static void
what_cannot_be_minted_is_no_task(void **state)
{
    struct stage *s = *state;
    struct task *k;

    authority_fail_issuing(true);
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &k),
                     REASON_MINT_TOKEN);
    assert_null(k);
    assert_int_equal(tasks_count(s->tasks), 0);
    authority_fail_issuing(false);
    task_unref(take(s, &s->grants[0]));
}

/* ---- when the config changes */

static void
a_grant_that_differs_is_another_task(void **state)
{
    static const char *const other[] = { "other" };

    for (int i = 0; i < 5; i++) {
        struct stage *s = *state;
        struct conf_grant changed = s->grants[0];
        struct conf conf = s->conf;
        struct task *a, *b;

        changed.name = i == 0 ? "other" : changed.name;
        changed.owner = i == 1 ? "other" : changed.owner;
        changed.purposes.at = i == 2 ? other : changed.purposes.at;
        changed.ttl_ms += i == 3;
        conf.workload.id = i == 4 ? "spiffe://prod.example/other" : conf.workload.id;
        conf.grants = (struct groups){ .at = &changed, .n = 1 };

        a = take(s, &s->grants[0]);
        tasks_keep_only(s->tasks, &conf);
        assert_false(is_live(a));
        assert_int_equal(tasks_take(s->tasks, &conf, &changed, &b), REASON_OK);
        assert_ptr_not_equal(a, b);
        assert_true(is_live(b));
        assert_int_equal(tasks_count(s->tasks), 1);
        task_unref(a);
        task_unref(b);
        tasks_keep_only(s->tasks, &s->conf);
    }
}

static void
a_task_lives_through_a_reload_that_leaves_its_grant_alone(void **state)
{
    struct stage *s = *state;
    struct task *a = take(s, &s->grants[0]), *b;
    struct conf_grant same = s->grants[0];
    struct conf conf = s->conf;

    same.approved_by = "somebody";
    conf.grants = (struct groups){ .at = &same, .n = 1 };
    tasks_keep_only(s->tasks, &conf);
    assert_true(is_live(a));
    assert_int_equal(tasks_take(s->tasks, &conf, &same, &b), REASON_OK);
    assert_ptr_equal(a, b);
    task_unref(a);
    task_unref(b);
}

static void
a_renewed_task_ends_with_the_one_that_renewed_it(void **state)
{
    struct stage *s = *state;
    struct task *a = take(s, &s->grants[0]), *b;
    const struct conf none = { .workload = s->conf.workload };

    set_clock(TTL_S - 5);
    b = take(s, &s->grants[0]);
    tasks_keep_only(s->tasks, &none);
    assert_false(is_live(a));
    assert_false(is_live(b));
    task_unref(a);
    task_unref(b);
}

static void
an_old_generation_begins_nothing_under_a_grant_that_has_gone(void **state)
{
    struct stage *s = *state;
    struct conf conf = s->conf;
    struct task *k;

    conf.grants = (struct groups){ .at = &s->grants[1], .n = 1 };
    tasks_keep_only(s->tasks, &conf);
    assert_int_equal(tasks_take(s->tasks, &s->conf, &s->grants[0], &k),
                     REASON_TASK_ENDED);
    assert_null(k);
    task_unref(take(s, &s->grants[1])); /* this one is there still */
}

static void
a_task_that_ended_stays_whole_for_who_holds_it(void **state)
{
    struct stage *s = *state;
    struct task *k = take(s, &s->grants[0]);

    tasks_free(s->tasks);
    s->tasks = NULL;
    assert_false(is_live(k));
    assert_int_equal(identity_thumbprint(task_identity(k)).n, 43);
    task_unref(k);
}

static void
many_grants_have_a_task_each(void **state)
{
    enum { N = 150 };
    struct stage *s = *state;
    struct conf_grant grants[N];
    char names[N][16];
    struct conf conf = s->conf;

    conf.grants = (struct groups){ .at = grants, .n = N };
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < N; i++) {
            struct task *k;

            (void)snprintf(names[i], sizeof names[i], "g%u", i);
            grants[i] = s->grants[0];
            grants[i].name = names[i];
            assert_int_equal(tasks_take(s->tasks, &conf, &grants[i], &k), REASON_OK);
            task_unref(k);
        }
        assert_int_equal(tasks_count(s->tasks), N);
    }
    conf.grants.n = N / 2;
    tasks_keep_only(s->tasks, &conf);
    assert_int_equal(tasks_count(s->tasks), N / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_begun_at_first_need_and_taken_again),
        TEST(a_task_that_was_taken_has_a_presenter_for_as_long_as_it_lives),
        TEST(a_task_is_renewed_in_its_last_tenth),
        TEST(who_holds_a_renewed_task_may_use_it_up),
        TEST(a_deadline_that_has_passed_ends_a_task),
        TEST(no_token_outlives_its_grant),
        TEST(a_grant_not_yet_approved_has_no_task),
        TEST(what_cannot_be_minted_is_no_task),
        TEST(a_grant_that_differs_is_another_task),
        TEST(a_task_lives_through_a_reload_that_leaves_its_grant_alone),
        TEST(a_renewed_task_ends_with_the_one_that_renewed_it),
        TEST(an_old_generation_begins_nothing_under_a_grant_that_has_gone),
        TEST(a_task_that_ended_stays_whole_for_who_holds_it),
        TEST(many_grants_have_a_task_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

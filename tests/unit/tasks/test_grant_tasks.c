/* tasks/grant.c with a roll: a grant is worth what its live tasks are. */
#include "tasks/grant.h"

#include "stage.h"

#include "tasks/roll.h"

static const char *const two_purposes[] = { "export", "import" };
static const char *const imports[] = { "import" };
static const char *const gets[] = { "GET" };
static const char *const run[] = { "/run/**" };
static const char *const import_paths[] = { "/import/**" };

#define LIST(a)                                                                        \
    {                                                                                  \
        .at = (a), .n = sizeof(a) / sizeof *(a)                                        \
    }

static struct conf_rule rules[] = {
    { .host = "a.example",
      .methods = LIST(gets),
      .paths = LIST(run),
      .place = { "t.conf", 1 } },
    { .host = "a.example",
      .methods = LIST(gets),
      .paths = LIST(import_paths),
      .purposes = LIST(imports),
      .place = { "t.conf", 2 } },
};
static struct conf_rule open_rules[] = {
    { .host = "a.example",
      .methods = LIST(gets),
      .paths = { .any = true },
      .place = { "t.conf", 3 } },
};
static struct conf_grant grants[] = {
    { .name = "mine", .task = TASK_REQUIRED, .rules = { .at = rules, .n = 2 } },
    { .name = "other", .task = TASK_REQUIRED, .rules = { .at = open_rules, .n = 1 } },
};
static struct conf conf;
static struct stage *stage;
static struct grants *compiled;
static struct roll *roll;

static int
begin(void **state)
{
    struct buf report = { 0 };

    if (stage_open(state) != 0)
        return -1;
    stage = *state;
    conf = stage->conf;
    conf.grants = (struct groups){ .at = grants, .n = 1 };
    for (size_t i = 0; i < 2; i++) {
        grants[i].owner = "a@example";
        grants[i].approved_by = "b@example";
        grants[i].purposes = (struct strings)LIST(two_purposes);
        grants[i].ttl_ms = 900000;
        grants[i].expires_at = clock_wall_s() + 3600;
        grants[i].caller.uid = 1000;
    }
    roll = roll_new();
    return grants_new(&conf, &report, &compiled) == REASON_OK ? 0 : -1;
}

static int
end(void **state)
{
    grants_free(compiled);
    roll_free(roll);
    return stage_close(state);
}

static struct task *
start(const struct conf_grant *grant, const char *purpose)
{
    const struct task_terms terms = { .conf = &conf,
                                      .grant = grant,
                                      .purpose = text_z(purpose),
                                      .caller = grant->caller };
    struct task *k;

    assert_int_equal(task_new(stage->authority, &terms, &k), REASON_OK);
    (void)roll_begin(roll, k);
    return k;
}

static void
stop(struct task *k)
{
    entry_unref(roll_end(roll, k));
    task_unref(k);
}

static enum reason
judge(const char *method, const char *path, const struct task *proven,
      struct decision *out)
{
    static const struct caller who = { .has_uid = true, .uid = 1000 };
    struct authority target;
    enum reason why = authority_parse(TEXT("a.example"), 443, &target);
    const struct ask ask = { .caller = &who,
                             .target = &target,
                             .scheme = TEXT("https"),
                             .method = text_z(method),
                             .path = text_z(path),
                             .now_s = clock_wall_s(),
                             .roll = roll,
                             .proven = proven,
                             .now_ms = clock_monotonic_ms() };

    assert_int_equal(why, REASON_OK);
    return grants_judge(compiled, &ask, out);
}

static void
what_fits_but_has_no_task_is_told_as_such(void **state)
{
    struct decision d;

    (void)state;
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_TASK_REQUIRED);
    assert_int_equal(d.rule->place.line, 1);
    assert_null(d.entry);
}

static void
what_fits_is_of_its_task(void **state)
{
    struct task *k = start(&grants[0], "export");
    struct decision d;

    (void)state;
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_OK);
    assert_ptr_equal(d.entry->task, k);
    assert_int_equal(judge("PUT", "/run/x", NULL, &d), REASON_METHOD_NOT_ALLOWED);
    assert_null(d.entry);
    stop(k);
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_TASK_REQUIRED);
}

static void
a_rule_for_one_purpose_is_closed_to_another(void **state)
{
    struct task *k = start(&grants[0], "export");
    struct decision d;

    (void)state;
    assert_int_equal(judge("GET", "/import/x", NULL, &d), REASON_PURPOSE_NOT_ALLOWED);
    assert_int_equal(d.rule->place.line, 2);
    stop(k);
    k = start(&grants[0], "import");
    assert_int_equal(judge("GET", "/import/x", NULL, &d), REASON_OK);
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_OK);
    stop(k);
}

static void
of_several_the_proven_one_is_taken(void **state)
{
    struct task *one = start(&grants[0], "export"), *two = start(&grants[0], "import");
    struct decision d;

    (void)state;
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_TASK_AMBIGUOUS);
    assert_int_equal(judge("GET", "/run/x", two, &d), REASON_OK);
    assert_ptr_equal(d.entry->task, two);
    assert_int_equal(judge("GET", "/import/x", one, &d), REASON_PURPOSE_NOT_ALLOWED);
    stop(one);
    stop(two);
}

/* The earlier, more specific rule is another grant's. */
static void
rules_of_the_proven_tasks_grant_go_before_others(void **state)
{
    struct buf report = { 0 };
    struct task *one, *two;
    struct decision d;

    (void)state;
    grants_free(compiled);
    conf.grants.n = 2;
    assert_int_equal(grants_new(&conf, &report, &compiled), REASON_OK);
    one = start(&grants[0], "export");
    two = start(&grants[1], "export");
    assert_int_equal(judge("GET", "/run/x", NULL, &d), REASON_OK);
    assert_ptr_equal(d.entry->task, one);
    assert_int_equal(judge("GET", "/run/x", two, &d), REASON_OK);
    assert_ptr_equal(d.entry->task, two);
    assert_int_equal(d.rule->place.line, 3);
    stop(one);
    stop(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_fits_but_has_no_task_is_told_as_such),
        TEST(what_fits_is_of_its_task),
        TEST(a_rule_for_one_purpose_is_closed_to_another),
        TEST(of_several_the_proven_one_is_taken),
        TEST(rules_of_the_proven_tasks_grant_go_before_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

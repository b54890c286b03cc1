/* handle: found wherever a credential can stand, and refused and alarmed wherever it is
 * not its caller's, not in force, or of no use. */
#include "filters/handle.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/certs/scratch.h"

#include "lives.h"

#define OWN     "ghp_own_handle_of_1000"
#define SECOND  "hf_second_own_of_1000=="
#define FOREIGN "crm_handle_of_1001_only"
#define ENDED   "old_handle_of_1000_gone"

struct stage {
    struct scene s;
    struct conf_credential credentials[4];
    struct conf_rule rules[4];
    struct conf_grant grants[2];
    struct handles *handles;
    void *find, *use;
};

static void
credential(struct stage *g, size_t i, const char *name, const char *value)
{
    g->credentials[i] = (struct conf_credential){ .name = name,
                                                  .source.kind = SOURCE_FILE,
                                                  .handle.value = value };
    g->rules[i].credential = name;
}

/* own, second and gone are uid 1000's, foreign is 1001's; then gone is taken away. */
static void
make_handles(struct stage *g)
{
    struct conf *conf = &g->s.conf;
    struct buf report = { 0 };
    struct handles *before;

    credential(g, 0, "own", OWN);
    credential(g, 1, "second", SECOND);
    credential(g, 2, "gone", ENDED);
    credential(g, 3, "foreign", FOREIGN);
    g->credentials[1].header = "X-Plain";
    g->grants[0] = (struct conf_grant){ .caller.uid = 1000,
                                        .rules = { .at = g->rules, .n = 3 } };
    g->grants[1] = (struct conf_grant){ .caller.uid = 1001,
                                        .rules = { .at = &g->rules[3], .n = 1 } };
    conf->credentials = (struct groups){ .at = g->credentials, .n = 4 };
    conf->grants = (struct groups){ .at = g->grants, .n = 2 };
    assert_int_equal(handles_new(conf, NULL, &report, &before), REASON_OK);
    g->grants[0].rules.n = 2;
    assert_int_equal(handles_new(conf, before, &report, &g->handles), REASON_OK);
    handles_unref(before);
}

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);
    struct buf report = { 0 };

    assert_non_null(g);
    if (scratch_begin(state) != 0)
        return -1;
    scene_set(&g->s);
    make_handles(g);
    g->s.view.handles = g->handles;
    assert_int_equal(handle_filter.open(&g->s.conf, NULL, &report, &g->find),
                     REASON_OK);
    assert_int_equal(handle_use_filter.open(&g->s.conf, NULL, &report, &g->use),
                     REASON_OK);
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    handle_filter.close(g->find);
    handle_use_filter.close(g->use);
    handles_unref(g->handles);
    scene_clear(&g->s);
    free(g);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static enum reason
find(struct stage *g)
{
    struct verdict verdict = handle_filter.on_request(g->find, &g->s.view);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    return verdict.reason;
}

/* One field, or a query behind a '?'. */
static void
say(struct stage *g, const char *line)
{
    const char *colon = strchr(line, ':');

    headers_init(&g->s.request.headers, g->s.arena);
    g->s.view.query = text_of(NULL, 0);
    if (line[0] == '?')
        g->s.view.query = text_z(line + 1);
    else if (line[0] != '\0')
        headers_add(&g->s.request.headers, text_of(line, (size_t)(colon - line)),
                    text_trim(text_z(colon + 1)));
}

static const char *const places[] = {
    "Authorization: " OWN,
    "Authorization: Bearer " OWN,
    "authorization: token  " OWN,
    "Authorization: Token token=\"" OWN "\", nonce=\"def\"",
    "Authorization: GoogleLogin auth=" OWN,
    "Proxy-Authorization: Bearer " OWN,
    "X-Api-Key: " OWN,
    "x_api_key: " OWN,
    "X-Auth: user:" OWN,
    "Authorization: Basic Z2hwX293bl9oYW5kbGVfb2ZfMTAwMA==",         /* OWN */
    "Authorization: Basic dXNlcjpnaHBfb3duX2hhbmRsZV9vZl8xMDAw",     /* user:OWN */
    "Authorization: Basic dXNlcjpnaHBfb3duX2hhbmRs ZV9vZl8xMDAw",    /* spaced out */
    "Authorization: bAsIc Z2hwX293bl9oYW5kbGVfb2ZfMTAwMDp4",         /* OWN:x */
    "Authorization: Basic Z2hwX293bl9oYW5kbGVfb2ZfMTAwMDo",          /* OWN: */
    "Authorization: Basic dXNlcjpnaHAlNUZvd25faGFuZGxlX29mXzEwMDA=", /* user:ghp%5F… */
    "Cookie: a=b; session=" OWN "; c=d",
    "Cookie: session=\"" OWN "\"",
    "Cookie: session=ghp%5Fown_handle_of_1000",
    "Cookie: " OWN,
    "?token=" OWN,
    "?a=b&access_token=" OWN "&c=d",
    "?a=b;key=" OWN,
    "?api_key=ghp%5Fown%5Fhandle%5Fof%5F1000",
    "?api_key=ghp%255Fown%255Fhandle%255Fof%255F1000",
    "?authorization=Bearer+" OWN,
    "?tok%65n=" OWN,
    "?X-Amz-Credential=" OWN,
    "?signature=" OWN,
};

static void
the_callers_own_is_found_wherever_a_credential_can_stand(void **state)
{
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        say(g, places[i]);
        if (find(g) != REASON_OK || g->s.view.handle == NULL ||
            strcmp(g->s.view.handle->credential, "own") != 0)
            fail_msg("not found in \"%s\"", places[i]);
    }
    assert_false(log_says("alarm"));
}

static void
one_of_somebody_else_is_refused_and_alarmed_without_its_value(void **state)
{
    struct stage *g = *state;

    say(g, "Authorization: Bearer " FOREIGN);
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
    assert_null(g->s.view.handle);
    assert_true(log_says("\"alarm\""));
    assert_true(log_says("\"kind\":\"foreign_handle\""));
    assert_true(log_says("\"uid\":1000"));
    assert_true(log_says("\"credential\":\"foreign\""));
    assert_true(log_says("\"to\":\"api.example:443\""));
    assert_false(log_says(FOREIGN));
    say(g, "?token=" FOREIGN);
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
    say(g, "Cookie: x=" FOREIGN);
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
}

static void
who_is_not_known_has_no_handle_of_his_own(void **state)
{
    struct stage *g = *state;

    g->s.caller.has_uid = false;
    say(g, "Authorization: Bearer " OWN);
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
    assert_true(log_says("alarm"));
    assert_false(log_says("\"uid\""));
}

static void
one_that_ended_is_refused_and_alarmed_whosever_it_was(void **state)
{
    struct stage *g = *state;

    say(g, "Authorization: Bearer " ENDED);
    assert_int_equal(find(g), REASON_ENDED_HANDLE);
    assert_true(log_says("\"kind\":\"ended_handle\""));
    assert_false(log_says(ENDED));
    g->s.caller.uid = 1001;
    assert_int_equal(find(g), REASON_ENDED_HANDLE);
}

static void
two_of_ones_own_are_refused_the_same_one_twice_is_not(void **state)
{
    struct stage *g = *state;

    say(g, "Authorization: Bearer " OWN);
    headers_add(&g->s.request.headers, TEXT("X-Api-Key"), TEXT(OWN));
    assert_int_equal(find(g), REASON_OK);
    assert_string_equal(g->s.view.handle->credential, "own");
    headers_add(&g->s.request.headers, TEXT("Cookie"), TEXT("a=" SECOND));
    assert_int_equal(find(g), REASON_SEVERAL_HANDLES);
    assert_null(g->s.view.handle);
    assert_true(log_says("\"kind\":\"several_handles\""));
}

static void
a_foreign_one_is_told_even_behind_ones_own(void **state)
{
    struct stage *g = *state;

    say(g, "Authorization: Bearer " OWN);
    g->s.view.query = TEXT("token=" FOREIGN);
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
}

/* Whatever a credential is presented in is a position, and so is what strip keeps. */
static void
the_field_of_a_credential_is_looked_at(void **state)
{
    struct stage *g = *state;

    say(g, "X-Plain: " SECOND);
    assert_int_equal(find(g), REASON_OK);
    assert_non_null(g->s.view.handle);
    say(g, "X-Other: " SECOND);
    assert_int_equal(find(g), REASON_OK);
    assert_null(g->s.view.handle);
}

static void
what_is_no_handle_passes_unnoticed(void **state)
{
    static const char *const lines[] = {
        "",
        "Accept: */*",
        "Accept: " OWN,
        "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
        "Authorization: Basic",
        "Authorization: Basic ",
        "Authorization: Basic !!!!",
        "Authorization: ",
        "Cookie: ;;=;a=;=b;",
        "?",
        "?&&;=&token=&token",
        "?token=%&token=%5&token=%zz",
        "?q=" OWN,
    };
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        say(g, lines[i]);
        if (find(g) != REASON_OK || g->s.view.handle != NULL)
            fail_msg("\"%s\" was taken for one", lines[i]);
    }
    g->s.view.handles = NULL;
    say(g, "Authorization: Bearer " FOREIGN);
    assert_int_equal(find(g), REASON_OK);
    assert_false(log_says("alarm"));
}

static enum reason
judge_use(struct stage *g)
{
    return handle_use_filter.on_request(g->use, &g->s.view).reason;
}

static void
ones_own_passes_only_where_the_rule_uses_its_credential(void **state)
{
    struct stage *g = *state;

    assert_int_equal(judge_use(g), REASON_OK);
    say(g, "Authorization: Bearer " OWN);
    assert_int_equal(find(g), REASON_OK);
    g->s.rule.credential = "own";
    assert_int_equal(judge_use(g), REASON_OK);
    assert_false(log_says("alarm"));
    g->s.rule.credential = "second";
    assert_int_equal(judge_use(g), REASON_HANDLE_MISPLACED);
    g->s.rule.credential = NULL;
    assert_int_equal(judge_use(g), REASON_HANDLE_MISPLACED);
    g->s.view.rule = NULL;
    assert_int_equal(judge_use(g), REASON_HANDLE_MISPLACED);
    assert_true(log_says("\"kind\":\"handle_misplaced\""));
    assert_true(log_says("\"credential\":\"own\""));
    assert_false(log_says(OWN));
}

static enum reason
judge_trailer(struct stage *g, const char *name, const char *value)
{
    struct headers trailers;

    headers_init(&trailers, g->s.arena);
    headers_add(&trailers, text_z(name), text_z(value));
    return handle_use_filter.on_trailers(g->use, &g->s.view, &trailers).reason;
}

static void
none_passes_behind_the_body(void **state)
{
    struct stage *g = *state;

    g->s.rule.credential = "own";
    assert_int_equal(judge_trailer(g, "X-Checksum", "abc"), REASON_OK);
    assert_int_equal(judge_trailer(g, "X-Session-Token", "abc"), REASON_OK);
    assert_false(log_says("alarm"));
    assert_int_equal(judge_trailer(g, "X-Session-Token", OWN), REASON_HANDLE_MISPLACED);
    assert_int_equal(judge_trailer(g, "X-Session-Token", FOREIGN),
                     REASON_FOREIGN_HANDLE);
    assert_int_equal(judge_trailer(g, "X-Session-Token", ENDED), REASON_ENDED_HANDLE);
    assert_false(log_says(OWN));
    g->s.view.handles = NULL;
    assert_int_equal(judge_trailer(g, "X-Session-Token", FOREIGN), REASON_OK);
}

/* ---- handles of tasks that an orchestrator began */

struct errand {
    struct authority_scene a;
    struct conf_rule rule;
    struct conf_grant grant;
    struct roll *roll;
    struct task *one, *two, *theirs;
};

static struct task *
start(struct stage *g, struct errand *e, int64_t uid)
{
    const struct task_terms terms = { .conf = &g->s.conf,
                                      .grant = &e->grant,
                                      .caller.uid = uid };
    struct task *k;

    assert_int_equal(task_new(e->a.key, &terms, &k), REASON_OK);
    (void)roll_begin(e->roll, k);
    return k;
}

static void
errand_begin(struct stage *g, struct errand *e)
{
    static const char *const purposes[] = { "export" };

    *e = (struct errand){ .rule.credential = "own", .roll = roll_new() };
    e->grant = (struct conf_grant){ .name = "errand",
                                    .task = TASK_REQUIRED,
                                    .owner = "a@example",
                                    .purposes = { .at = purposes, .n = 1 },
                                    .ttl_ms = 900000,
                                    .expires_at = clock_wall_s() + 3600,
                                    .caller.any = true,
                                    .rules = { .at = &e->rule, .n = 1 } };
    authority_set(&e->a);
    g->s.conf.workload.id = WORKLOAD;
    e->one = start(g, e, 1000);
    e->two = start(g, e, 1000);
    e->theirs = start(g, e, 1001);
    g->s.view.roll = e->roll;
    g->s.view.now_ms = clock_monotonic_ms();
}

static void
errand_end(struct errand *e)
{
    roll_free(e->roll);
    task_unref(e->one);
    task_unref(e->two);
    task_unref(e->theirs);
    authority_clear(&e->a);
}

static struct text
handle_of(const struct task *k)
{
    const struct task_handle *handles;

    assert_int_equal(task_handles(k, &handles), 1);
    return handles[0].value;
}

static void
say_handle(struct stage *g, struct text value)
{
    headers_init(&g->s.request.headers, g->s.arena);
    headers_add(&g->s.request.headers, TEXT("X-Api-Key"), value);
}

static void
judge_under(struct stage *g, struct errand *e, const struct task *k)
{
    assert_int_equal(roll_find(e->roll, &e->grant, &g->s.caller, k, g->s.view.now_ms,
                               &g->s.view.entry),
                     REASON_OK);
    g->s.view.grant = &e->grant;
    g->s.view.rule = &e->rule;
}

static enum reason
use(struct stage *g)
{
    return handle_use_filter.on_request(g->use, &g->s.view).reason;
}

static void
a_tasks_handle_is_good_in_its_own_task_alone(void **state)
{
    struct stage *g = *state;
    struct errand e;

    errand_begin(g, &e);
    say_handle(g, handle_of(e.one));
    assert_int_equal(find(g), REASON_OK);
    assert_ptr_equal(g->s.view.handle_task, e.one);
    judge_under(g, &e, e.one);
    assert_int_equal(use(g), REASON_OK);
    assert_true(handle_stands_for(&g->s.view, "own"));
    assert_false(handle_stands_for(&g->s.view, "second"));
    assert_false(log_says("alarm"));
    judge_under(g, &e, e.two);
    assert_int_equal(use(g), REASON_HANDLE_MISPLACED);
    g->s.view.entry = NULL;
    assert_int_equal(use(g), REASON_HANDLE_MISPLACED);
    assert_true(log_says("\"handle_misplaced\""));
    errand_end(&e);
}

/* The generation's handle stands for every standing task of a caller, and for no task
 * that was to be begun. */
static void
a_standing_handle_is_of_no_use_to_such_a_task(void **state)
{
    struct stage *g = *state;
    struct errand e;

    errand_begin(g, &e);
    say_handle(g, text_z(OWN));
    assert_int_equal(find(g), REASON_OK);
    judge_under(g, &e, e.one);
    assert_int_equal(use(g), REASON_HANDLE_MISPLACED);
    errand_end(&e);
}

static void
anothers_task_is_a_foreign_handle_and_two_are_several(void **state)
{
    struct stage *g = *state;
    struct errand e;

    errand_begin(g, &e);
    say_handle(g, handle_of(e.theirs));
    assert_int_equal(find(g), REASON_FOREIGN_HANDLE);
    say_handle(g, handle_of(e.one));
    headers_add(&g->s.request.headers, TEXT("Authorization"), handle_of(e.two));
    assert_int_equal(find(g), REASON_SEVERAL_HANDLES);
    say_handle(g, handle_of(e.one));
    headers_add(&g->s.request.headers, TEXT("Authorization"), handle_of(e.one));
    assert_int_equal(find(g), REASON_OK);
    errand_end(&e);
}

static void
a_handle_whose_task_has_ended_is_refused_and_alarmed(void **state)
{
    struct stage *g = *state;
    struct errand e;

    errand_begin(g, &e);
    entry_unref(roll_end(e.roll, e.one));
    say_handle(g, handle_of(e.one));
    assert_int_equal(find(g), REASON_ENDED_HANDLE);
    assert_true(log_says("\"ended_handle\"") && log_says("\"own\""));
    say_handle(g, handle_of(e.two));
    g->s.view.now_ms = task_deadline_ms(e.two); /* and nobody has said so yet */
    assert_int_equal(find(g), REASON_ENDED_HANDLE);
    errand_end(&e);
}

/* ---- a task's own */

enum { MANY = 4200 }; /* more than a roll remembers of those that ended */

/* A grant of tasks whose rules name this many credentials, each in a file. */
struct crowd {
    struct authority_scene a;
    struct roll *roll;
    struct conf_grant grant;
    struct conf_credential *credentials;
    struct conf_rule *rules;
    char (*names)[8];
};

static void
crowd_set(struct crowd *c, struct stage *g)
{
    static const char *const purposes[] = { "export" };

    authority_set(&c->a);
    c->roll = roll_new();
    c->credentials = calloc(MANY, sizeof *c->credentials);
    c->rules = calloc(MANY, sizeof *c->rules);
    c->names = calloc(MANY, sizeof *c->names);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(c->names[i], sizeof c->names[i], "c%zu", i);
        c->credentials[i] = (struct conf_credential){ .name = c->names[i],
                                                      .source.kind = SOURCE_FILE };
        c->rules[i].credential = c->names[i];
    }
    c->grant = (struct conf_grant){ .name = "crowd",
                                    .owner = "owner@example",
                                    .purposes = { .at = purposes, .n = 1 },
                                    .expires_at = clock_wall_s() + 3600,
                                    .ttl_ms = 900000,
                                    .task = TASK_REQUIRED,
                                    .caller.uid = 1000,
                                    .rules = { .at = c->rules, .n = 1 } };
    g->s.conf.workload.id = WORKLOAD;
    g->s.conf.credentials = (struct groups){ .at = c->credentials, .n = MANY };
    g->s.view.roll = c->roll;
    g->s.view.now_ms = clock_monotonic_ms();
}

static void
crowd_clear(struct crowd *c)
{
    roll_free(c->roll);
    authority_clear(&c->a);
    free(c->credentials);
    free(c->rules);
    free(c->names);
}

static void
a_tasks_own_is_known_for_as_long_as_its_exchange_lasts(void **state)
{
    struct stage *g = *state;
    const struct task_handle *handles;
    struct crowd c;
    struct task *k;

    crowd_set(&c, g);
    k = live(c.roll, &c.a, &g->s.conf, &c.grant);
    assert_int_equal(task_handles(k, &handles), 1);
    headers_init(&g->s.request.headers, g->s.arena);
    headers_add(&g->s.request.headers, TEXT("X-Api-Key"), handles[0].value);
    assert_int_equal(find(g), REASON_OK);
    assert_int_equal(roll_find(c.roll, &c.grant, &g->s.caller, k, g->s.view.now_ms,
                               &g->s.view.entry),
                     REASON_OK);
    entry_ref(g->s.view.entry); /* as an exchange holds it */
    die(c.roll, k);
    c.grant.rules.n = MANY;
    die(c.roll, live(c.roll, &c.a, &g->s.conf, &c.grant));
    assert_true(handle_stands_for(&g->s.view, "c0"));
    assert_false(handle_stands_for(&g->s.view, "c1"));
    entry_unref(g->s.view.entry);
    crowd_clear(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_callers_own_is_found_wherever_a_credential_can_stand),
        TEST(one_of_somebody_else_is_refused_and_alarmed_without_its_value),
        TEST(who_is_not_known_has_no_handle_of_his_own),
        TEST(one_that_ended_is_refused_and_alarmed_whosever_it_was),
        TEST(two_of_ones_own_are_refused_the_same_one_twice_is_not),
        TEST(a_foreign_one_is_told_even_behind_ones_own),
        TEST(the_field_of_a_credential_is_looked_at),
        TEST(what_is_no_handle_passes_unnoticed),
        TEST(ones_own_passes_only_where_the_rule_uses_its_credential),
        TEST(none_passes_behind_the_body),
        TEST(a_tasks_handle_is_good_in_its_own_task_alone),
        TEST(a_standing_handle_is_of_no_use_to_such_a_task),
        TEST(anothers_task_is_a_foreign_handle_and_two_are_several),
        TEST(a_handle_whose_task_has_ended_is_refused_and_alarmed),
        TEST(a_tasks_own_is_known_for_as_long_as_its_exchange_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

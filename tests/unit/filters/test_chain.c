/* The chains as a whole, opened from a config as an operator writes it. */
#include "filters/chain.h"

#include "base/clock.h"
#include "base/file.h"
#include "lives.h"

static const char good[] =
    "workload = { id = \"" WORKLOAD "\"; uid = 1000; };\n"
    "ca = { keep = \"/tmp/ca\"; publish = \"/tmp/public\"; };\n"
    "authority = { keep = \"/tmp/authority\"; name = \"prod.example\"; };\n"
    "ledger = { keep = \"/tmp/ledger\"; };\n"
    "doors = ( { kind = \"forward\"; listen = \"127.0.0.1:0\"; } );\n"
    "credentials = { orders = { owner = \"a@example\"; approved_by = \"b@example\";\n"
    "  ticket = \"T-1\"; rotate_every = \"1h\"; privileges = \"orders\";\n"
    "  source = { kind = \"authority\"; }; }; };\n"
    "grants = ( { name = \"g\"; owner = \"a@example\"; approved_by = \"c@example\";\n"
    "  ticket = \"T-2\"; approved_at = \"2020-01-01\"; expires_at = \"2099-01-01\";\n"
    "  purposes = [\"export\"]; task = \"standing\"; ttl = \"15m\";\n"
    "  caller = { uid = 1000; };\n"
    "  rules = (\n"
    "    { host = \"orders.example\"; methods = [\"GET\"]; paths = [\"/v1/**\"];\n"
    "      credential = \"orders\"; bind = [\"wimse\"]; inject = \"always\"; },\n"
    "    { host = \"10.1.2.3\"; methods = [\"GET\"]; paths = \"any\";\n"
    "      addresses = [\"10.0.0.0/8\"]; },\n"
    "    { host = \"10.9.9.9\"; methods = [\"GET\"]; paths = \"any\"; },\n"
    "    { host = \"plain.example\"; methods = [\"GET\"]; paths = \"any\"; },\n"
    "    { host = \"pinned.example\"; opaque = true; },\n"
    "    { host = \"own.local\"; opaque = true; } ); } );\n"
    "filters = { strip = { on_sight = \"refuse\"; };\n"
    "            guard = { also_deny = [\"10.1.0.0/24\"]; }; };\n";

struct stage {
    struct scene s;
    struct authority_scene a;
    struct roll *roll;
    struct task *task;
    char path[64];
    struct conf *conf;
    struct chain *chain;
};

static struct conf *
load(struct stage *g, const char *text)
{
    struct buf report = { 0 };
    struct conf *conf;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    assert_int_equal(file_write(g->path, 0600, text_z(text)), REASON_OK);
    if (conf_load(g->path, tables, n, &report, &conf) != REASON_OK)
        fail_msg("%.*s", TEXT_ARG(buf_text(&report)));
    buf_free(&report);
    return conf;
}

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);
    struct buf report = { 0 };

    assert_non_null(g);
    scene_set(&g->s);
    authority_set(&g->a);
    (void)snprintf(g->path, sizeof g->path, "%s/t.conf", g->a.directory);
    g->conf = load(g, good);
    assert_int_equal(chain_open(g->conf, &report, &g->chain), REASON_OK);
    assert_int_equal(buf_length(&report), 0);
    g->roll = roll_new();
    g->task = live(g->roll, &g->a, g->conf, g->conf->grants.at);
    g->s.view.conf = g->conf;
    g->s.view.door = g->conf->doors.at;
    g->s.view.roll = g->roll;
    g->s.view.now_ms = clock_monotonic_ms();
    g->s.view.now_s = clock_wall_s();
    g->s.view.rule = NULL;
    g->s.view.grant = NULL;
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    roll_free(g->roll);
    task_unref(g->task);
    chain_close(g->chain);
    conf_free(g->conf);
    (void)unlink(g->path);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static enum reason
run(struct stage *g, enum chain_phase phase, const char **by)
{
    struct verdict verdict = chain_run(g->chain, phase, &g->s.view, by);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    assert_int_equal(verdict.answer == PASS, *by == NULL);
    return verdict.reason;
}

static void
what_is_prohibited_is_told_as_such_even_where_no_rule_names_it(void **state)
{
    static const struct {
        const char *target, *method;
        enum reason why;
        const char *by;
    } rows[] = {
        { "orders.example", "GET", REASON_OK, NULL },
        { "nowhere.example", "GET", REASON_HOST_NOT_ALLOWED, "policy" },
        { "orders.example", "PUT", REASON_METHOD_NOT_ALLOWED, "policy" },
        { "169.254.169.254", "GET", REASON_ADDRESS_PROHIBITED, "guard" },
        { "metadata.google.internal", "GET", REASON_NAME_PROHIBITED, "guard" },
        { "localhost", "GET", REASON_NAME_PROHIBITED, "guard" },
        { "127.0.0.1:15001", "GET", REASON_ADDRESS_PROHIBITED, "guard" },
        { "10.1.2.3", "GET", REASON_OK, NULL },
        { "10.1.2.3", "PUT", REASON_METHOD_NOT_ALLOWED, "policy" },
        { "10.9.9.9", "GET", REASON_ADDRESS_PROHIBITED, "guard" },
        { "8.8.8.8", "GET", REASON_HOST_NOT_ALLOWED, "policy" },
    };
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *by;
        enum reason why;

        scene_target(&g->s, rows[i].target);
        g->s.request.method = text_z(rows[i].method);
        why = run(g, CHAIN_JUDGE, &by);
        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].target, reason_token(why));
        if (by != rows[i].by)
            assert_string_equal(by, rows[i].by);
        assert_int_equal(g->s.view.rule != NULL, why == REASON_OK);
        assert_int_equal(g->s.view.grant != NULL, why == REASON_OK);
    }
}

static void
addresses_are_judged_by_the_rule_that_was_found(void **state)
{
    struct stage *g = *state;
    struct address private, denied;
    const char *by;

    assert_true(address_parse(TEXT("10.1.2.3"), &private));
    assert_true(address_parse(TEXT("10.1.0.3"), &denied));
    scene_target(&g->s, "10.1.2.3");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OK);
    assert_int_equal(chain_judge_addresses(g->chain, &g->s.view, &private, 1),
                     REASON_OK);
    assert_int_equal(chain_judge_addresses(g->chain, &g->s.view, &denied, 1),
                     REASON_ADDRESS_PROHIBITED);
    scene_target(&g->s, "plain.example");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OK);
    assert_int_equal(chain_judge_addresses(g->chain, &g->s.view, &private, 1),
                     REASON_ADDRESS_PROHIBITED);
}

static void
the_workloads_own_credential_goes_before_ours_is_put_there(void **state)
{
    struct stage *g = *state;
    struct headers *h = &g->s.request.headers;
    const char *by;

    scene_target(&g->s, "orders.example");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OK);
    g->s.view.verified_tls = true;
    headers_add(h, TEXT("Accept"), TEXT("*/*"));
    assert_int_equal(run(g, CHAIN_PRESENT, &by), REASON_OK);
    assert_int_equal(h->n, 3);
    /* A retry: what we put there ourselves is no credential of the workload's. */
    assert_int_equal(run(g, CHAIN_PRESENT, &by), REASON_OK);
    assert_int_equal(h->n, 3);
    assert_int_equal(g->s.view.n_stripped, 0);
}

static void
a_credential_of_the_workloads_own_is_refused_by_strip(void **state)
{
    struct stage *g = *state;
    const char *by;

    scene_target(&g->s, "orders.example");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OK);
    g->s.view.verified_tls = true;
    headers_add(&g->s.request.headers, TEXT("Workload-Identity-Token"), TEXT("copied"));
    assert_int_equal(run(g, CHAIN_PRESENT, &by), REASON_RAW_CREDENTIAL);
    assert_string_equal(by, "strip");
    assert_non_null(g->s.view.rule); /* it was judged: the log says by which rule */
}

static void
every_filter_with_keys_has_a_table_and_no_name_stands_twice(void **state)
{
    size_t n;
    const struct conf_filter_table *t = chain_tables(&n);

    (void)state;
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(t[i].name, t[k].name);
        assert_int_equal(t[i].settings != NULL, t[i].size > 0);
    }
}

/* … and nothing looks at a request, or puts anything there: there is none. */
static void
what_passes_unopened_is_judged_by_policy_and_guard(void **state)
{
    static const struct {
        const char *target;
        enum reason why;
        const char *by;
    } rows[] = {
        { "pinned.example", REASON_OK, NULL },
        { "pinned.example:444", REASON_HOST_NOT_ALLOWED, "policy" },
        { "orders.example", REASON_HOST_NOT_ALLOWED, "policy" },
        { "own.local", REASON_NAME_PROHIBITED, "guard" },
        { "metadata.google.internal", REASON_NAME_PROHIBITED, "guard" },
    };
    static const char *const judges[] = { "policy", "guard", "policy" };
    struct stage *g = *state;
    struct view *v = &g->s.view;
    const char *by;

    v->opaque = true;
    v->path = v->query = text_of(NULL, 0);
    g->s.request.method = TEXT("CONNECT");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reason why;

        scene_target(&g->s, rows[i].target);
        v->rule = NULL;
        why = run(g, CHAIN_JUDGE, &by);
        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].target, reason_token(why));
        if (by != rows[i].by)
            assert_string_equal(by, rows[i].by);
    }
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++)
        assert_string_equal(chain_name(v, CHAIN_JUDGE, i), judges[i]);
    assert_null(chain_name(v, CHAIN_JUDGE, 3));
    assert_null(chain_name(v, CHAIN_PRESENT, 0));
    scene_target(&g->s, "pinned.example");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OK);
    assert_int_equal(run(g, CHAIN_PRESENT, &by), REASON_OK);
    assert_null(v->evidence.binding);
}

static void
what_is_opened_finds_no_opaque_rule(void **state)
{
    struct stage *g = *state;
    const char *by;

    scene_target(&g->s, "pinned.example");
    assert_int_equal(run(g, CHAIN_JUDGE, &by), REASON_OPAQUE_ONLY);
    assert_string_equal(by, "policy");
}

static void
a_chain_opens_whole_or_not_at_all_and_tells_every_error(void **state)
{
    struct stage *g = *state;
    struct conf_grant *grants = g->conf->grants.at;
    struct conf_rule *rules = grants->rules.at;
    struct conf_door door = { .place = { "t.conf", 4 }, .kind = DOOR_GATE };
    struct buf report = { 0 };
    struct conf conf = *g->conf;
    struct chain *chain;
    const char *host = rules->host;

    rules->host = "*";
    conf.doors = (struct groups){ .at = &door, .n = 1 };
    assert_int_equal(chain_open(&conf, &report, &chain), REASON_CONFIG);
    assert_null(chain);
    assert_non_null(memmem(buf_text(&report).at, buf_length(&report), "grants[0]", 9));
    assert_non_null(memmem(buf_text(&report).at, buf_length(&report), "doors[0]", 8));
    buf_free(&report);
    rules->host = host;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_prohibited_is_told_as_such_even_where_no_rule_names_it),
        TEST(addresses_are_judged_by_the_rule_that_was_found),
        TEST(the_workloads_own_credential_goes_before_ours_is_put_there),
        TEST(a_credential_of_the_workloads_own_is_refused_by_strip),
        TEST(every_filter_with_keys_has_a_table_and_no_name_stands_twice),
        TEST(what_passes_unopened_is_judged_by_policy_and_guard),
        TEST(what_is_opened_finds_no_opaque_rule),
        TEST(a_chain_opens_whole_or_not_at_all_and_tells_every_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

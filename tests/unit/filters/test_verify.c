/* verify and vouch: a gate's two halves, in front of a request that a real presenter
 * signed. */
#include "filters/verify.h"

#include "authority.h"
#include "filters/vouch.h"

static const char *const get[] = { "GET" };
static const char *const orders_paths[] = { "/v1/**" };
static const char *const grants[] = { "nightly" };
static const char *const purposes[] = { "export" };
static const char *const subjects[] = { "spiffe://prod.example/ns/agents/*" };
static const char *const wimse[] = { "wimse" };
static const char *const none[] = { "nobody" };

struct stage {
    struct scene s;
    struct authority_scene a;
    struct identity *identity;
    struct presenter *presenter;
    struct conf_trust trust;
    struct conf_gate_rule rule;
    const char *names[1];
    char name[32];
    void *verify, *vouch;
};

static void
present(struct stage *g)
{
    const struct view *v = &g->s.view;
    const struct presented request = { .authority = v->target,
                                       .scheme = v->scheme,
                                       .method = g->s.request.method,
                                       .path = v->path,
                                       .query = v->query,
                                       .body_known = v->body_known,
                                       .body = v->body };
    const struct means with = { .presenter = g->presenter };
    struct evidence evidence;

    assert_int_equal(binding_present(&with, BINDING_WIMSE, &request, NOW,
                                     &g->s.request.headers, &evidence),
                     REASON_OK);
}

static void
open_filters(struct stage *g)
{
    struct buf report = { 0 };

    assert_int_equal(verify_filter.open(&g->s.conf, NULL, &report, &g->verify),
                     REASON_OK);
    assert_int_equal(vouch_filter.open(&g->s.conf, NULL, &report, &g->vouch),
                     REASON_OK);
    assert_int_equal(buf_length(&report), 0);
}

static void
close_filters(struct stage *g)
{
    verify_filter.close(g->verify);
    vouch_filter.close(g->vouch);
}

/* A gate that trusts our authority, with one rule that fits the request in the scene.
 */
static int
stage_open(void **state)
{
    static const struct context context = {
        .workload = { WORKLOAD, sizeof WORKLOAD - 1 },
        .task = { "t-1", 3 },
        .grant = { "nightly", 7 },
        .purpose = { "export", 6 },
        .owner = { "owner@example", 13 },
    };
    static unsigned turn; /* each test its own origin: memories outlive a gate */
    struct stage *g = calloc(1, sizeof *g);

    assert_non_null(g);
    scene_set(&g->s);
    authority_set(&g->a);
    assert_int_equal(identity_new(g->a.key, &context, NOW, NOW + 900, &g->identity),
                     REASON_OK);
    g->presenter = presenter_new(g->identity);
    (void)snprintf(g->name, sizeof g->name, "https://api%u.example", turn++);
    g->names[0] = g->name;
    scene_target(&g->s, g->name + strlen("https://"));
    g->trust = (struct conf_trust){ .place = { "t.conf", 3 },
                                    .domain = "prod.example",
                                    .jwks_file = g->a.jwks,
                                    .subjects = { .at = subjects, .n = 1 } };
    g->rule = (struct conf_gate_rule){ .place = { "t.conf", 5 },
                                       .methods = { .at = get, .n = 1 },
                                       .paths = { .at = orders_paths, .n = 1 },
                                       .subjects = { .at = subjects, .n = 1 },
                                       .grants = { .at = grants, .n = 1 },
                                       .purposes = { .at = purposes, .n = 1 } };
    g->s.door = (struct conf_door){ .place = { "t.conf", 1 },
                                    .kind = DOOR_GATE,
                                    .names = { .at = g->names, .n = 1 },
                                    .accept = { .at = wimse, .n = 1 },
                                    .trust = { .at = &g->trust, .n = 1 },
                                    .rules = { .at = &g->rule, .n = 1 },
                                    .replay_entries = 100 };
    g->s.conf.doors = (struct groups){ .at = &g->s.door, .n = 1 };
    open_filters(g);
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    close_filters(g);
    presenter_free(g->presenter);
    identity_unref(g->identity);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static enum reason
verify(struct stage *g)
{
    struct verdict verdict = verify_filter.on_request(g->verify, &g->s.view);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    assert_int_equal(g->s.view.gate_rule != NULL, verdict.answer == PASS);
    return verdict.reason;
}

static void
a_proved_request_passes_with_its_facts(void **state)
{
    struct stage *g = *state;

    present(g);
    assert_int_equal(verify(g), REASON_OK);
    assert_text(g->s.view.facts.context.workload, WORKLOAD);
    assert_text(g->s.view.facts.context.grant, "nightly");
    assert_int_equal(g->s.view.thumbprint.n, 43);
    assert_int_equal(g->s.view.rule_place.line, 5);
}

static void
an_unproved_request_is_refused_by_the_proofs_own_reason(void **state)
{
    struct stage *g = *state;

    assert_int_equal(verify(g), REASON_TOKEN_MISSING);
    present(g);
    g->s.request.method = TEXT("POST");
    assert_int_equal(verify(g), REASON_PROOF_METHOD);
    g->s.request.method = TEXT("GET");
    g->s.view.path = TEXT("/v1/other");
    assert_int_equal(verify(g), REASON_PROOF_AUDIENCE);
    assert_null(g->s.view.facts.context.workload.at);
    g->s.view.path = TEXT("/v1");
    assert_int_equal(verify(g), REASON_OK); /* none of these used it up */
}

static void
a_proof_is_refused_the_second_time(void **state)
{
    struct stage *g = *state;

    present(g);
    assert_int_equal(verify(g), REASON_OK);
    g->s.view.gate_rule = NULL;
    assert_int_equal(verify(g), REASON_PROOF_REPLAYED);
}

static void
a_proof_is_refused_the_second_time_across_a_reload(void **state)
{
    static const char *const more[] = { "https://new.example", NULL };
    struct stage *g = *state;
    const char *names[2];

    present(g);
    assert_int_equal(verify(g), REASON_OK);
    g->s.view.gate_rule = NULL;
    close_filters(g);
    /* The new config moves the door, gives it another name beside, and another size. */
    names[0] = more[0];
    names[1] = g->name;
    g->s.door.names = (struct strings){ .at = names, .n = 2 };
    g->s.door.listen.port = 1;
    g->s.door.replay_entries = 1000;
    open_filters(g);
    assert_int_equal(verify(g), REASON_PROOF_REPLAYED);
    close_filters(g);
    g->s.door.names = (struct strings){ .at = g->names, .n = 1 };
    open_filters(g);
    assert_int_equal(verify(g), REASON_PROOF_REPLAYED);
}

static void
two_doors_of_one_name_share_what_they_saw(void **state)
{
    struct stage *g = *state;
    struct conf_door doors[2];

    close_filters(g);
    doors[0] = doors[1] = g->s.door;
    g->s.conf.doors = (struct groups){ .at = doors, .n = 2 };
    open_filters(g);
    present(g);
    g->s.view.door = &doors[0];
    assert_int_equal(verify(g), REASON_OK);
    g->s.view.gate_rule = NULL;
    g->s.view.door = &doors[1];
    assert_int_equal(verify(g), REASON_PROOF_REPLAYED);
}

static void
what_no_rule_of_the_door_allows_is_told_what_it_missed(void **state)
{
    struct stage *g = *state;
    struct {
        struct strings methods, paths, subjects, grants, purposes;
        bool body;
        enum reason why;
    } rows[8];
    const struct strings nobody = { .at = none, .n = 1 };

    for (size_t i = 0; i < 8; i++) {
        rows[i].methods = g->rule.methods;
        rows[i].paths = g->rule.paths;
        rows[i].subjects = g->rule.subjects;
        rows[i].grants = g->rule.grants;
        rows[i].purposes = g->rule.purposes;
        rows[i].body = false;
        rows[i].why = REASON_CONTEXT_REFUSED;
    }
    rows[0].subjects = nobody;
    rows[1].grants = nobody;
    rows[2].purposes = nobody;
    rows[3].methods = nobody;
    rows[3].why = REASON_METHOD_NOT_ALLOWED;
    rows[4].paths = nobody;
    rows[4].why = REASON_PATH_NOT_ALLOWED;
    rows[5].body = true; /* the body was not known when it was signed */
    rows[5].why = REASON_PROOF_BODY;
    rows[6].subjects = rows[6].grants = rows[6].purposes = rows[6].methods =
        rows[6].paths = (struct strings){ .any = true };
    rows[6].why = REASON_OK;
    rows[7].grants = (struct strings){ 0 };
    for (size_t i = 0; i < 8; i++) {
        g->rule.methods = rows[i].methods;
        g->rule.paths = rows[i].paths;
        g->rule.subjects = rows[i].subjects;
        g->rule.grants = rows[i].grants;
        g->rule.purposes = rows[i].purposes;
        g->rule.require_body_digest = rows[i].body;
        g->s.view.gate_rule = NULL;
        proof_strip(&g->s.request.headers);
        present(g);
        if (verify(g) != rows[i].why)
            fail_msg("row %zu", i);
        assert_int_equal(g->s.view.rule_place.line, 5);
    }
}

static void
a_door_without_rules_lets_nothing_through(void **state)
{
    struct stage *g = *state;

    g->s.door.rules.n = 0;
    present(g);
    assert_int_equal(verify(g), REASON_CONTEXT_REFUSED);
}

static void
the_rule_that_fits_is_found_behind_those_that_do_not(void **state)
{
    struct stage *g = *state;
    struct conf_gate_rule rules[2] = { g->rule, g->rule };

    rules[0].purposes = (struct strings){ .at = none, .n = 1 };
    rules[1].place.line = 6;
    g->s.door.rules = (struct groups){ .at = rules, .n = 2 };
    present(g);
    assert_int_equal(verify(g), REASON_OK);
    assert_ptr_equal(g->s.view.gate_rule, &rules[1]);
    assert_int_equal(g->s.view.rule_place.line, 6);
}

/* The proof is looked at first: who has none is told of that. */
static void
a_websocket_passes_where_its_rule_says_so(void **state)
{
    struct stage *g = *state;

    g->s.request.upgrade = UPGRADE_WEBSOCKET;
    assert_int_equal(verify(g), REASON_TOKEN_MISSING);
    present(g);
    assert_int_equal(verify(g), REASON_WEBSOCKET_NOT_ALLOWED);
    assert_null(g->s.view.gate_rule);
    g->rule.websocket = true;
    proof_strip(&g->s.request.headers);
    present(g);
    assert_int_equal(verify(g), REASON_OK);
}

static void
a_body_that_must_be_covered_and_is_passes(void **state)
{
    struct stage *g = *state;

    g->rule.require_body_digest = true;
    g->s.view.body_known = true;
    g->s.view.body = TEXT("{}");
    present(g);
    g->s.view.body = TEXT("[]");
    assert_int_equal(verify(g), REASON_PROOF_BODY);
    g->s.view.body = TEXT("{}");
    assert_int_equal(verify(g), REASON_OK);
}

static void
subjects_end_at_a_slash(void **state)
{
    static const struct {
        const char *subject;
        enum reason why;
    } rows[] = {
        { WORKLOAD, REASON_OK },
        { "spiffe://prod.example/*", REASON_OK },
        { "spiffe://prod.example/ns/agents/sa/*", REASON_OK },
        { WORKLOAD "/*", REASON_CONTEXT_REFUSED },
        { "spiffe://prod.example/ns/agents/sa/build", REASON_CONTEXT_REFUSED },
        { "spiffe://prod.example/ns/agents/sa/build*", REASON_CONTEXT_REFUSED },
        { "spiffe://prod.example/ns/agent/*", REASON_CONTEXT_REFUSED },
    };
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        g->rule.subjects = (struct strings){ .at = &rows[i].subject, .n = 1 };
        g->s.view.gate_rule = NULL;
        proof_strip(&g->s.request.headers);
        present(g);
        if (verify(g) != rows[i].why)
            fail_msg("%s", rows[i].subject);
    }
}

static void
a_gate_that_could_trust_nobody_does_not_open(void **state)
{
    static const char *const bad_path[] = { "/a*" };
    struct stage *g = *state;
    struct buf report = { 0 };
    void *verify_state;

    g->trust.jwks_file = "/nonexistent/jwks.json";
    g->rule.paths = (struct strings){ .at = bad_path, .n = 1 };
    assert_int_equal(verify_filter.open(&g->s.conf, NULL, &report, &verify_state),
                     REASON_CONFIG);
    assert_null(verify_state);
    assert_true(text_starts(buf_text(&report),
                            TEXT("t.conf:3: doors[0].trust[0].jwks_file: ")));
    assert_non_null(memmem(buf_text(&report).at, buf_length(&report),
                           "t.conf:5: doors[0].rules[0].paths: ", 35));
    buf_free(&report);
}

/* ---- vouch */

static void
vouch(struct stage *g)
{
    assert_int_equal(vouch_filter.on_request(g->vouch, &g->s.view).answer, PASS);
}

static void
the_service_is_told_what_was_proved_and_nothing_forged(void **state)
{
    static const struct field forged[] = {
        { .name = { "X-Holdfast-Workload", 19 }, .value = { "root", 4 } },
        { .name = { "x_holdfast_grant", 16 }, .value = { "all", 3 } },
        { .name = { "X-Holdfast-Admin", 16 }, .value = { "yes", 3 } },
        { .name = { "X-Forwarded-For", 15 }, .value = { "10.0.0.1", 8 } },
        { .name = { "Forwarded", 9 }, .value = { "for=1", 5 } },
        { .name = { "X-HTTP-Method-Override", 22 }, .value = { "DELETE", 6 } },
        { .name = { "X-Original-URL", 14 }, .value = { "/admin", 6 } },
    };
    static const struct {
        const char *name, *value; /* NULL: something */
    } told[] = {
        { "X-Holdfast-Workload", WORKLOAD },
        { "X-Holdfast-Task", "t-1" },
        { "X-Holdfast-Grant", "nightly" },
        { "X-Holdfast-Purpose", "export" },
        { "X-Holdfast-Owner", "owner@example" },
        { "X-Holdfast-Proof", NULL },
        { "X-Holdfast-Key", NULL },
        { "X-Holdfast-Binding", "wimse" },
    };
    struct stage *g = *state;
    struct headers *h = &g->s.request.headers;

    headers_add(h, TEXT("Cookie"), TEXT("session=1"));
    for (size_t i = 0; i < 7; i++)
        headers_add(h, forged[i].name, forged[i].value);
    present(g);
    assert_int_equal(verify(g), REASON_OK);
    vouch(g);
    assert_int_equal(h->n, 1 + 8);
    assert_true(headers_has(h, TEXT("Cookie"))); /* the service's own affair */
    for (size_t i = 0; i < 8; i++) {
        const struct field *f = headers_get(h, text_z(told[i].name));

        assert_non_null(f);
        assert_true(f->value.n > 0);
        if (told[i].value != NULL)
            assert_text(f->value, told[i].value);
    }
    assert_int_equal(g->s.view.n_stripped, 7);
}

static void
the_proof_goes_on_only_where_the_door_says_so(void **state)
{
    struct stage *g = *state;
    const struct headers *h = &g->s.request.headers;

    g->s.door.keep_proof = true;
    present(g);
    for (size_t i = 0; i < h->n; i++)
        h->at[i].never_index = false; /* as an HTTP/1 client sends them */
    assert_int_equal(verify(g), REASON_OK);
    vouch(g);
    assert_true(headers_get(h, TEXT("Workload-Proof-Token"))->never_index);
    assert_true(headers_get(h, TEXT("Workload-Identity-Token"))->never_index);
    assert_false(headers_get(h, TEXT("X-Holdfast-Task"))->never_index);
    g->s.door.keep_proof = false;
    vouch(g);
    assert_int_equal(g->s.request.headers.n, 8);
}

static void
nothing_is_vouched_for_that_was_not_proved(void **state)
{
    struct stage *g = *state;

    assert_int_equal(vouch_filter.on_request(g->vouch, &g->s.view).reason,
                     REASON_TOKEN_MISSING);
    assert_int_equal(g->s.request.headers.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proved_request_passes_with_its_facts),
        TEST(an_unproved_request_is_refused_by_the_proofs_own_reason),
        TEST(a_proof_is_refused_the_second_time),
        TEST(a_proof_is_refused_the_second_time_across_a_reload),
        TEST(two_doors_of_one_name_share_what_they_saw),
        TEST(what_no_rule_of_the_door_allows_is_told_what_it_missed),
        TEST(a_door_without_rules_lets_nothing_through),
        TEST(the_rule_that_fits_is_found_behind_those_that_do_not),
        TEST(a_websocket_passes_where_its_rule_says_so),
        TEST(a_body_that_must_be_covered_and_is_passes),
        TEST(subjects_end_at_a_slash),
        TEST(a_gate_that_could_trust_nobody_does_not_open),
        TEST(the_service_is_told_what_was_proved_and_nothing_forged),
        TEST(the_proof_goes_on_only_where_the_door_says_so),
        TEST(nothing_is_vouched_for_that_was_not_proved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

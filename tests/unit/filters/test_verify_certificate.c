/* A client's certificate at a gate: whom it names, beside other proofs and without. */
#include "filters/verify.h"

#include "scene.h"

#define X5T      "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
#define WORKLOAD "spiffe://prod.example/ns/agents/sa/builder"

static const char *const accepted[] = { "wimse", "mtls" };
static const char *const names[] = { "https://certificates.example" };
static const char *const workloads[] = { "spiffe://prod.example/ns/agents/*" };

struct stage {
    struct scene s;
    struct conf_trust trust;
    struct conf_gate_rule rule;
    void *verify;
};

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);
    struct buf report = { 0 };

    assert_non_null(g);
    scene_set(&g->s);
    scene_target(&g->s, "certificates.example");
    g->trust = (struct conf_trust){ .domain = "prod.example",
                                    .subjects = { .at = workloads, .n = 1 } };
    g->rule = (struct conf_gate_rule){ .place = { "t.conf", 5 },
                                       .methods = { .any = true },
                                       .paths = { .any = true },
                                       .subjects = { .any = true },
                                       .grants = { .any = true },
                                       .purposes = { .any = true } };
    g->s.door = (struct conf_door){ .place = { "t.conf", 1 },
                                    .kind = DOOR_GATE,
                                    .names = { .at = names, .n = 1 },
                                    .accept = { .at = accepted, .n = 2 },
                                    .trust = { .at = &g->trust, .n = 1 },
                                    .rules = { .at = &g->rule, .n = 1 },
                                    .replay_entries = 100 };
    g->s.conf.doors = (struct groups){ .at = &g->s.door, .n = 1 };
    assert_int_equal(verify_filter.open(&g->s.conf, NULL, &report, &g->verify),
                     REASON_OK);
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    verify_filter.close(g->verify);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static enum reason
ask(struct stage *g, enum client_name kind, const char *name)
{
    struct view *v = &g->s.view;

    v->gate_rule = NULL;
    v->client = (struct client_certificate){ .kind = kind,
                                             .name = text_z(name),
                                             .thumbprint = TEXT(X5T) };
    return verify_filter.on_request(g->verify, v).reason;
}

static void
a_certificate_is_taken_for_whom_it_names(void **state)
{
    static const struct {
        enum client_name kind;
        const char *name;
        enum reason why;
    } rows[] = {
        { CLIENT_NAME_URI, WORKLOAD, REASON_OK },
        { CLIENT_NAME_DNS, "builder.example", REASON_OK },
        { CLIENT_NAME_NONE, NULL, REASON_CLIENT_CERTIFICATE_UNTRUSTED },
        { CLIENT_NAME_URI, "spiffe://prod.example/other",
          REASON_CLIENT_CERTIFICATE_UNTRUSTED },
        { CLIENT_NAME_URI, "spiffe://evil.example/ns/agents/sa/builder",
          REASON_CLIENT_CERTIFICATE_UNTRUSTED },
        { CLIENT_NAME_URI, "https://prod.example/ns/agents/sa/builder",
          REASON_CLIENT_CERTIFICATE_UNTRUSTED },
    };
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ask(g, rows[i].kind, rows[i].name) != rows[i].why)
            fail_msg("row %zu", i);
        if (rows[i].why != REASON_OK) {
            assert_true(text_is_empty(g->s.view.facts.subject));
            continue;
        }
        assert_int_equal(g->s.view.facts.binding, BINDING_MTLS);
        assert_text(g->s.view.facts.subject, rows[i].name);
        assert_text(g->s.view.thumbprint, X5T);
    }
}

static void
only_a_workloads_name_is_told_as_one(void **state)
{
    struct stage *g = *state;

    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_OK);
    assert_text(g->s.view.facts.context.workload, WORKLOAD);
    assert_int_equal(ask(g, CLIENT_NAME_DNS, "builder.example"), REASON_OK);
    assert_true(text_is_empty(g->s.view.facts.context.workload));
}

static void
a_proof_of_the_requests_own_is_judged_and_no_certificate(void **state)
{
    struct stage *g = *state;

    headers_add(&g->s.request.headers, TEXT("Workload-Proof-Token"), TEXT("x"));
    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_TOKEN_MISSING);
}

static void
without_a_certificate_the_reason_says_so(void **state)
{
    struct stage *g = *state;

    g->s.door.accept = (struct strings){ .at = accepted + 1, .n = 1 };
    assert_int_equal(verify_filter.on_request(g->verify, &g->s.view).reason,
                     REASON_CLIENT_CERTIFICATE_MISSING);
    g->s.door.accept = (struct strings){ .at = accepted, .n = 1 };
    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_TOKEN_MISSING);
}

/* A certificate has no context. */
static void
a_rule_that_asks_for_more_is_not_met(void **state)
{
    struct stage *g = *state;

    g->rule.require_body_digest = true;
    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_PROOF_BODY);
    g->rule.require_body_digest = false;
    g->rule.grants = (struct strings){ .at = accepted, .n = 1 };
    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_CONTEXT_REFUSED);
    g->rule.grants = (struct strings){ .any = true };
    g->rule.bindings = (struct strings){ .at = accepted, .n = 1 };
    assert_int_equal(ask(g, CLIENT_NAME_URI, WORKLOAD), REASON_CONTEXT_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_is_taken_for_whom_it_names),
        TEST(only_a_workloads_name_is_told_as_one),
        TEST(a_proof_of_the_requests_own_is_judged_and_no_certificate),
        TEST(without_a_certificate_the_reason_says_so),
        TEST(a_rule_that_asks_for_more_is_not_met),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which of several proofs a gate looks at, and access tokens among them: of an issuer
 * whose keys are in a file, each bound to a key that proves it. */
#include "filters/verify.h"

#include "authority.h"
#include "base/file.h"
#include "filters/vouch.h"
#include "tokens/dpop.h"
#include "tokens/jws.h"

#define ISSUER "https://idp.example"

static const char *const both[] = { "dpop", "wimse" };
static const char *const subjects[] = { "builder" };
static const char *const workloads[] = { "spiffe://prod.example/*" };
static const char *const orders[] = { "orders:read", "orders:write" };
static const char *const algorithms[] = { "ES256" };

struct stage {
    struct scene s;
    struct authority_scene a;
    char keys[64];
    struct key *issuer;
    struct dpop_key *holder;
    struct dpop_signer *signer;
    struct identity *identity;
    struct presenter *presenter;
    struct conf_trust trust;
    struct conf_issuer issuers[1];
    struct conf_gate_rule rule;
    const char *names[1];
    char name[32];
    void *verify, *vouch;
};

/* ---- making */

/* more: of what it is bound to. */
static struct text
token_with(struct stage *g, const char *claims, const char *more)
{
    static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}";
    char spelt[BASE64URL_SIZE(sizeof header)];
    size_t n = base64url_encode((const unsigned char *)header, sizeof header - 1,
                                spelt);
    struct text jkt = dpop_key_thumbprint(g->holder), t;
    struct buf out = { 0 };

    t = arena_printf(g->s.arena,
                     "{\"iss\":\"" ISSUER "\",\"aud\":\"orders\",\"iat\":%d,\"exp\":%d,"
                     "\"jti\":\"t-1\",\"client_id\":\"c-1\",%s,"
                     "\"cnf\":{\"jkt\":\"%.*s\"%s}}",
                     NOW, NOW + 300, claims, TEXT_ARG(jkt), more);
    assert_int_equal(jws_sign_as(g->issuer, KEY_ES256, text_of(spelt, n), t, &out),
                     REASON_OK);
    t = arena_copy(g->s.arena, buf_text(&out));
    buf_free(&out);
    return t;
}

static struct text
token_of(struct stage *g, const char *claims)
{
    return token_with(g, claims, "");
}

#define CLAIMS "\"sub\":\"builder\",\"scope\":\"orders:read orders:write\""

static void
show(struct stage *g, const char *scheme, struct text token)
{
    char ath[DPOP_ATH_SIZE];
    struct dpop_ask ask = { .method = g->s.request.method,
                            .origin = text_z(g->name),
                            .path = g->s.view.path,
                            .now_s = NOW };
    struct text proof, id;

    dpop_ath(token, ath);
    ask.ath = text_of(ath, sizeof ath);
    assert_int_equal(dpop_prove(g->signer, &ask, g->s.arena, &proof, &id), REASON_OK);
    headers_add(&g->s.request.headers, TEXT("DPoP"), proof);
    headers_add(&g->s.request.headers, TEXT("Authorization"),
                arena_printf(g->s.arena, "%s %.*s", scheme, TEXT_ARG(token)));
}

static void
show_workload(struct stage *g)
{
    const struct presented request = view_presented(&g->s.view);
    const struct means with = { .presenter = g->presenter };
    struct evidence evidence;

    assert_int_equal(binding_present(&with, BINDING_WIMSE, &request, NOW,
                                     &g->s.request.headers, &evidence),
                     REASON_OK);
}

static enum reason
verify(struct stage *g)
{
    struct view *v = &g->s.view;

    v->gate_rule = NULL;
    v->challenge = v->offered_nonce = text_z(NULL);
    return verify_filter.on_request(g->verify, v).reason;
}

/* A request of its own, with this token. */
static enum reason
ask(struct stage *g, const char *claims)
{
    headers_init(&g->s.request.headers, g->s.arena);
    show(g, "DPoP", token_of(g, claims));
    return verify(g);
}

/* ---- the stage */

static void
write_keys(struct stage *g)
{
    struct buf set = { 0 };

    (void)snprintf(g->keys, sizeof g->keys, "%s/idp.json", g->a.directory);
    buf_add_z(&set, "{\"keys\":[");
    jwk_print(g->issuer, "k", &set);
    buf_add_z(&set, "]}");
    assert_int_equal(file_write(g->keys, 0644, buf_text(&set)), REASON_OK);
    buf_free(&set);
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

static void
reopen(struct stage *g)
{
    close_filters(g);
    open_filters(g);
}

static void
build_door(struct stage *g)
{
    static unsigned turn; /* each test its own origin: memories outlive a gate */

    (void)snprintf(g->name, sizeof g->name, "https://as%u.example", turn++);
    g->names[0] = g->name;
    scene_target(&g->s, g->name + strlen("https://"));
    g->trust = (struct conf_trust){ .domain = "prod.example",
                                    .jwks_file = g->a.jwks,
                                    .subjects = { .at = workloads, .n = 1 } };
    g->issuers[0] = (struct conf_issuer){ .place = { "t.conf", 4 },
                                          .issuer = ISSUER,
                                          .audience = "orders",
                                          .jwks_file = g->keys,
                                          .algorithms = { .at = algorithms, .n = 1 } };
    g->rule = (struct conf_gate_rule){ .place = { "t.conf", 5 },
                                       .methods = { .any = true },
                                       .paths = { .any = true },
                                       .subjects = { .any = true },
                                       .grants = { .any = true },
                                       .purposes = { .any = true } };
    g->s.door = (struct conf_door){ .place = { "t.conf", 1 },
                                    .kind = DOOR_GATE,
                                    .names = { .at = g->names, .n = 1 },
                                    .accept = { .at = both, .n = 2 },
                                    .trust = { .at = &g->trust, .n = 1 },
                                    .issuers = { .at = g->issuers, .n = 1 },
                                    .rules = { .at = &g->rule, .n = 1 },
                                    .replay_entries = 100 };
    g->s.conf.doors = (struct groups){ .at = &g->s.door, .n = 1 };
}

static int
stage_open(void **state)
{
    static const struct context context = { .workload = { WORKLOAD,
                                                          sizeof WORKLOAD - 1 },
                                            .task = { "t-1", 3 },
                                            .grant = { "nightly", 7 },
                                            .purpose = { "export", 6 },
                                            .owner = { "owner@example", 13 } };
    struct stage *g = calloc(1, sizeof *g);

    assert_non_null(g);
    scene_set(&g->s);
    authority_set(&g->a);
    g->issuer = key_new();
    g->holder = dpop_key_new();
    g->signer = dpop_signer_new(g->holder);
    assert_int_equal(identity_new(g->a.key, &context, NOW, NOW + 900, &g->identity),
                     REASON_OK);
    g->presenter = presenter_new(g->identity);
    write_keys(g);
    build_door(g);
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
    dpop_signer_free(g->signer);
    dpop_key_unref(g->holder);
    key_free(g->issuer);
    (void)unlink(g->keys);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return 0;
}

/* ---- which proof */

static void
a_bound_token_passes_with_what_it_says(void **state)
{
    struct stage *g = *state;
    const struct facts *f = &g->s.view.facts;

    assert_int_equal(ask(g, CLAIMS), REASON_OK);
    assert_int_equal(f->binding, BINDING_DPOP);
    assert_text(f->subject, "builder");
    assert_text(f->client_id, "c-1");
    assert_text(f->issuer, ISSUER);
    assert_text(f->scope, "orders:read orders:write");
    assert_true(text_equals(f->thumbprint, dpop_key_thumbprint(g->holder)));
    assert_true(text_is_empty(f->context.workload));
    assert_true(f->proof_id.n > 0);
    assert_int_equal(verify(g), REASON_PROOF_REPLAYED);
}

static void
a_workload_is_taken_by_the_same_door(void **state)
{
    struct stage *g = *state;

    show_workload(g);
    assert_int_equal(verify(g), REASON_OK);
    assert_int_equal(g->s.view.facts.binding, BINDING_WIMSE);
    assert_text(g->s.view.facts.subject, WORKLOAD);
}

static void
what_the_door_does_not_accept_is_not_looked_at(void **state)
{
    struct stage *g = *state;

    g->s.door.accept = (struct strings){ .at = both, .n = 1 };
    show_workload(g);
    assert_int_equal(verify(g), REASON_TOKEN_MISSING);
    g->s.door.accept = (struct strings){ .at = both + 1, .n = 1 };
    assert_int_equal(ask(g, CLAIMS), REASON_TOKEN_MISSING);
    assert_true(text_is_empty(g->s.view.challenge));
    g->s.door.accept.n = 0;
    show_workload(g);
    assert_int_equal(verify(g), REASON_TOKEN_MISSING);
}

static void
two_proofs_that_are_accepted_are_taken_for_none(void **state)
{
    struct stage *g = *state;

    headers_init(&g->s.request.headers, g->s.arena);
    show(g, "DPoP", token_of(g, CLAIMS));
    show_workload(g);
    assert_int_equal(verify(g), REASON_PROOF_SEVERAL);
    g->s.door.accept = (struct strings){ .at = both, .n = 1 };
    assert_int_equal(verify(g), REASON_OK);
}

static void
a_bound_token_shown_as_a_bearers_is_refused(void **state)
{
    struct stage *g = *state;

    show(g, "Bearer", token_of(g, CLAIMS));
    assert_int_equal(verify(g), REASON_TOKEN_BEARER);
    headers_remove(&g->s.request.headers, TEXT("DPoP"));
    assert_int_equal(verify(g), REASON_TOKEN_BEARER);
}

static void
a_token_that_is_also_bound_to_a_certificate_needs_that_too(void **state)
{
    struct stage *g = *state;

    show(g, "DPoP",
         token_with(g, CLAIMS,
                    ",\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2\""));
    assert_int_equal(verify(g), REASON_TOKEN_CERTIFICATE);
    assert_true(text_is_empty(g->s.view.facts.subject));
}

/* ---- whom it may name */

static void
an_issuer_names_whom_it_may(void **state)
{
    static const struct {
        const char *claims;
        const char *const *subjects;
        enum reason why;
    } rows[] = {
        { CLAIMS, NULL, REASON_OK },
        { CLAIMS, subjects, REASON_OK },
        { CLAIMS, workloads, REASON_TOKEN_SUBJECT },
        { "\"sub\":\"" WORKLOAD "\"", NULL, REASON_TOKEN_SUBJECT },
        { "\"sub\":\"wimse://prod.example/a\"", NULL, REASON_TOKEN_SUBJECT },
        { "\"sub\":\"" WORKLOAD "\"", workloads, REASON_OK },
        { "\"sub\":\"spiffe://other.example/a\"", workloads, REASON_TOKEN_SUBJECT },
    };
    struct stage *g = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        g->issuers[0].subjects = (struct strings){ .at = rows[i].subjects,
                                                   .n = rows[i].subjects != NULL };
        reopen(g);
        if (ask(g, rows[i].claims) != rows[i].why)
            fail_msg("row %zu", i);
    }
}

static void
a_rule_asks_for_subject_scopes_and_binding(void **state)
{
    static const char *const wimse[] = { "wimse" };
    struct stage *g = *state;

    g->rule.scopes = (struct strings){ .at = orders, .n = 2 };
    assert_int_equal(ask(g, CLAIMS), REASON_OK);
    assert_int_equal(ask(g, "\"sub\":\"builder\",\"scope\":\"orders:read\""),
                     REASON_SCOPE_MISSING);
    assert_int_equal(
        ask(g, "\"sub\":\"builder\",\"scope\":\"orders:reader orders:write\""),
        REASON_SCOPE_MISSING);
    assert_int_equal(ask(g, "\"sub\":\"builder\""), REASON_SCOPE_MISSING);
    g->rule.scopes.n = 0;
    g->rule.subjects = (struct strings){ .at = workloads, .n = 1 };
    assert_int_equal(ask(g, CLAIMS), REASON_CONTEXT_REFUSED);
    g->rule.subjects = (struct strings){ .at = subjects, .n = 1 };
    assert_int_equal(ask(g, CLAIMS), REASON_OK);
    g->rule.bindings = (struct strings){ .at = wimse, .n = 1 };
    assert_int_equal(ask(g, CLAIMS), REASON_CONTEXT_REFUSED);
    /* A token has no context: a rule that asks for one is not met. */
    g->rule.bindings.n = 0;
    g->rule.grants = (struct strings){ .at = subjects, .n = 1 };
    assert_int_equal(ask(g, CLAIMS), REASON_CONTEXT_REFUSED);
}

/* ---- what the client is told */

static void
assert_told(const struct stage *g, const char *word)
{
    struct text t = g->s.view.challenge;

    if (memmem(t.at, t.n, word, strlen(word)) == NULL)
        fail_msg("%.*s", TEXT_ARG(t));
}

static void
a_refusal_says_what_to_show(void **state)
{
    struct stage *g = *state;

    assert_int_equal(verify(g), REASON_TOKEN_MISSING);
    assert_told(g, "DPoP algs=\"ES256 ES384 EdDSA PS256 RS256\"");
    show(g, "DPoP", token_of(g, CLAIMS));
    g->s.view.path = TEXT("/v1/other");
    assert_int_equal(verify(g), REASON_PROOF_AUDIENCE);
    assert_told(g, "error=\"invalid_dpop_proof\"");
    g->s.view.now_s = NOW + 400;
    assert_int_equal(verify(g), REASON_TOKEN_EXPIRED);
    assert_told(g, "error=\"invalid_token\"");
    assert_true(text_is_empty(g->s.view.offered_nonce));
}

static void
a_nonce_is_demanded_where_the_door_says_so(void **state)
{
    struct stage *g = *state;

    g->s.door.nonce = NONCE_DEMAND;
    reopen(g);
    assert_int_equal(ask(g, CLAIMS), REASON_PROOF_NONCE);
    assert_told(g, "error=\"use_dpop_nonce\"");
    assert_true(g->s.view.offered_nonce.n > 0);
    assert_true(dpop_learn(g->signer, text_z(g->name), g->s.view.offered_nonce));
    reopen(g); /* what was given before a reload is good after it */
    assert_int_equal(ask(g, CLAIMS), REASON_OK);
}

static void
the_service_is_told_whose_token_it_was_and_does_not_get_it(void **state)
{
    static const struct {
        const char *name, *value;
    } told[] = {
        { "X-Holdfast-Binding", "dpop" },
        { "X-Holdfast-Subject", "builder" },
        { "X-Holdfast-Issuer", ISSUER },
        { "X-Holdfast-Client", "c-1" },
        { "X-Holdfast-Proof", NULL },
        { "X-Holdfast-Key", NULL },
        { "X-Holdfast-Scope", "orders:read orders:write" },
    };
    struct stage *g = *state;
    const struct headers *h = &g->s.request.headers;

    assert_int_equal(ask(g, CLAIMS), REASON_OK);
    assert_int_equal(vouch_filter.on_request(g->vouch, &g->s.view).answer, PASS);
    assert_int_equal(h->n, sizeof told / sizeof *told);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const struct field *f = headers_get(h, text_z(told[i].name));

        assert_non_null(f);
        if (told[i].value != NULL)
            assert_text(f->value, told[i].value);
    }
}

static void
a_gate_whose_issuers_keys_cannot_be_read_does_not_open(void **state)
{
    struct stage *g = *state;
    struct buf report = { 0 };
    void *opened;

    g->issuers[0].jwks_file = "/nonexistent/idp.json";
    assert_int_equal(verify_filter.open(&g->s.conf, NULL, &report, &opened),
                     REASON_CONFIG);
    assert_true(text_starts(buf_text(&report),
                            TEXT("t.conf:4: doors[0].issuers[0].jwks_file: ")));
    buf_free(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bound_token_passes_with_what_it_says),
        TEST(a_workload_is_taken_by_the_same_door),
        TEST(what_the_door_does_not_accept_is_not_looked_at),
        TEST(two_proofs_that_are_accepted_are_taken_for_none),
        TEST(a_bound_token_shown_as_a_bearers_is_refused),
        TEST(a_token_that_is_also_bound_to_a_certificate_needs_that_too),
        TEST(an_issuer_names_whom_it_may),
        TEST(a_rule_asks_for_subject_scopes_and_binding),
        TEST(a_refusal_says_what_to_show),
        TEST(a_nonce_is_demanded_where_the_door_says_so),
        TEST(the_service_is_told_whose_token_it_was_and_does_not_get_it),
        TEST(a_gate_whose_issuers_keys_cannot_be_read_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What leaves with a request, and that our own gate takes it: once, and for that
 * request. */
#include "forge.h"

#include "conf/conf.h"
#include "tokens/authority.h"
#include "tokens/carried.h"

#include <pthread.h>

struct stage {
    char directory[40], keep[64], jwks[64];
    struct authority_key *authority;
    struct identity *identity;
    struct presenter *presenter;
    struct means with;
    struct verifier verifier;
    struct trust_anchors *anchors;
    struct replay_cache *replays;
    struct arena *arena;
    struct headers headers; /* of the outgoing request */
    struct presented request;
    struct evidence evidence;
};

static const struct context context = {
    .workload = { WORKLOAD, sizeof WORKLOAD - 1 },
    .task = { "task-7", 6 },
    .grant = { "nightly-orders", 14 },
    .purpose = { "nightly-export", 14 },
    .owner = { "orders-team@example", 19 },
};

static int
stage_open(void **state)
{
    static const char *const origins[] = { ORIGIN };
    static const char *const subjects[] = { "spiffe://prod.example/*" };
    static struct stage s;

    memset(&s, 0, sizeof s);
    strcpy(s.directory, "/tmp/holdfast-binding-XXXXXX");
    assert_non_null(mkdtemp(s.directory));
    snprintf(s.keep, sizeof s.keep, "%s/keep", s.directory);
    snprintf(s.jwks, sizeof s.jwks, "%s/jwks.json", s.directory);
    assert_int_equal(authority_open(s.keep, "prod.example", &s.authority), REASON_OK);
    assert_int_equal(authority_publish(s.authority, s.directory), REASON_OK);
    assert_int_equal(identity_new(s.authority, &context, NOW, NOW + 900, &s.identity),
                     REASON_OK);
    s.presenter = presenter_new(s.identity);
    s.with.presenter = s.presenter;
    s.anchors = trust_anchors_new();
    assert_int_equal(
        trust_anchors_add(s.anchors, "prod.example", s.jwks, subjects, 1, NULL, 0),
        REASON_OK);
    s.replays = replay_cache_new(100);
    s.verifier = (struct verifier){ s.anchors, s.replays, origins, 1, 60, 5 };
    s.arena = arena_new();
    headers_init(&s.headers, s.arena);
    headers_add(&s.headers, TEXT("Accept"), TEXT("*/*"));
    s.request = (struct presented){
        .scheme = TEXT("https"),
        .method = TEXT("GET"),
        .path = TEXT("/v1/orders"),
        .body_known = true,
    };
    assert_int_equal(
        authority_parse(TEXT("orders.example:443"), 0, &s.request.authority),
        REASON_OK);
    *state = &s;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *s = *state;
    char key[96];

    presenter_free(s->presenter);
    identity_unref(s->identity);
    authority_free(s->authority);
    trust_anchors_free(s->anchors);
    replay_cache_free(s->replays);
    arena_free(s->arena);
    snprintf(key, sizeof key, "%s/authority.key", s->keep);
    unlink(key);
    unlink(s->jwks);
    rmdir(s->keep);
    return rmdir(s->directory);
}

static enum reason
present(struct stage *s, int64_t now_s)
{
    return binding_present(&s->with, BINDING_WIMSE, &s->request, now_s, &s->headers,
                           &s->evidence);
}

static enum reason
verify(struct stage *s, int64_t now_s, struct facts *facts)
{
    struct request request = { .headers = s->headers };

    return proof_verify(&s->verifier, &request, &s->request, now_s, s->arena, facts);
}

static struct jws
proof_of(struct stage *s)
{
    struct jws j;

    assert_int_equal(headers_count(&s->headers, FIELD_PROOF), 1);
    assert_true(headers_get(&s->headers, FIELD_PROOF)->never_index);
    assert_true(headers_get(&s->headers, FIELD_TOKEN)->never_index);
    assert_int_equal(jws_parse(headers_get(&s->headers, FIELD_PROOF)->value, &j),
                     JWS_FINE);
    return j;
}

/* The requests that leave: what varies in them, and what the proof must then say. */
static const struct {
    const char *name, *authority, *method, *path, *query, *body, *fields, *aud;
} requests[] = {
    { "GET", "orders.example:443", "GET", "/v1/orders", NULL, "", "",
      "https://orders.example/v1/orders" },
    { "GET with a query", "orders.example:443", "GET", "/v1/orders", "tenant=7&x=%22",
      "", "", "https://orders.example/v1/orders" },
    { "GET with an empty query", "orders.example:443", "GET", "/", "", "", "",
      "https://orders.example/" },
    { "POST", "orders.example:443", "POST", "/v1/orders", NULL, "{\"item\":1}", "",
      "https://orders.example/v1/orders" },
    { "POST that streams", "orders.example:443", "POST", "/v1/orders", NULL, NULL, "",
      "https://orders.example/v1/orders" },
    { "another port", "orders.example:8443", "GET", "/v1/orders", NULL, "", "",
      "https://orders.example:8443/v1/orders" },
    { "an address", "[2001:db8::1]:443", "GET", "/", NULL, "", "",
      "https://[2001:db8::1]/" },
    { "escapes in the path", "orders.example:443", "GET", "/a%20b/%C3%A9", NULL, "", "",
      "https://orders.example/a%20b/%C3%A9" },
    { "an access token beside it", "orders.example:443", "GET", "/", NULL, "",
      "Authorization: Bearer 16_mAd0GiwaZokU26_0902100", "https://orders.example/" },
    { "a transaction token beside it", "orders.example:443", "GET", "/", NULL, "",
      "Txn-Token: abc", "https://orders.example/" },
    { "other tokens beside it", "orders.example:443", "GET", "/", NULL, "",
      "X-API-Key: abc\nprivate-token: def\nTxn-Token: ghi", "https://orders.example/" },
};

static void
set_request(struct stage *s, size_t i)
{
    struct presented *r = &s->request;

    headers_init(&s->headers, s->arena);
    add_fields(&s->headers, text_z(requests[i].fields));
    assert_int_equal(authority_parse(text_z(requests[i].authority), 0, &r->authority),
                     REASON_OK);
    r->method = text_z(requests[i].method);
    r->path = text_z(requests[i].path);
    r->query = requests[i].query == NULL ? (struct text){ NULL, 0 }
                                         : text_z(requests[i].query);
    r->body_known = requests[i].body != NULL;
    r->body = text_z(requests[i].body);
}

static void
whatever_we_present_our_gate_takes_once(void **state)
{
    static const char *const origins[] = { "https://orders.example",
                                           "https://orders.example:8443",
                                           "https://[2001:db8::1]" };
    struct stage *s = *state;
    struct facts facts;

    s->verifier.origins = origins;
    s->verifier.n_origins = 3;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        enum reason why;
        struct jws j;
        struct text aud;

        set_request(s, i);
        assert_int_equal(present(s, NOW), REASON_OK);
        j = proof_of(s);
        assert_true(json_string(json_get(j.claims, "aud"), &aud));
        assert_true(text_equals(aud, text_z(requests[i].aud)));
        if ((why = verify(s, NOW + 1, &facts)) != REASON_OK)
            fail_msg("%s: %s", requests[i].name, reason_token(why));
        assert_true(facts.body_covered == s->request.body_known);
        assert_true(text_equals(facts.proof_id, s->evidence.proof_id));
        assert_true(text_equals(facts.thumbprint, presenter_thumbprint(s->presenter)));
        assert_true(text_equals(facts.context.task, context.task));
        assert_int_equal(verify(s, NOW + 1, &facts), REASON_PROOF_REPLAYED);
        jws_clear(&j);
    }
}

static void
a_proof_has_exactly_the_claims_it_should(void **state)
{
    static const char *const names[] = { "wth", "aud", "exp", "jti", CLAIM_REQUEST };
    struct stage *s = *state;
    struct jws j;
    struct text name;
    int64_t exp_s;

    assert_int_equal(present(s, NOW), REASON_OK);
    j = proof_of(s);
    assert_int_equal(json_count(j.header), 2);
    assert_true(jws_typ_is(&j, "wpt+jwt"));
    assert_int_equal(json_count(j.claims), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(json_member(j.claims, i, &name));
        assert_true(text_equals(name, text_z(names[i])));
    }
    assert_true(json_number(json_get(j.claims, "exp"), &exp_s) && exp_s == NOW + 30);
    assert_int_equal(json_count(json_get(j.claims, CLAIM_REQUEST)), 2);
    assert_string_equal(s->evidence.binding, "wimse");
    assert_int_equal(s->evidence.proof_id.n, 22);
    jws_clear(&j);
}

static void
no_two_proofs_share_an_id(void **state)
{
    struct stage *s = *state;
    struct text first;

    assert_int_equal(present(s, NOW), REASON_OK);
    first = s->evidence.proof_id;
    assert_int_equal(present(s, NOW), REASON_OK);
    assert_false(text_equals(first, s->evidence.proof_id));
}

static void
a_strangers_proof_does_not_leave_beside_ours(void **state)
{
    struct stage *s = *state;
    struct facts facts;

    headers_add(&s->headers, TEXT("workload-identity-token"), TEXT("stolen"));
    headers_add(&s->headers, TEXT("workload-proof-token"), TEXT("stolen"));
    headers_add(&s->headers, TEXT("Workload-Proof-Token"), TEXT("stolen"));
    assert_int_equal(present(s, NOW), REASON_OK);
    assert_int_equal(s->headers.n, 3);
    assert_int_equal(verify(s, NOW, &facts), REASON_OK);
}

static void
a_proof_never_outlives_its_token(void **state)
{
    struct stage *s = *state;
    struct jws j;
    int64_t exp_s;

    assert_int_equal(presenter_expires(s->presenter), NOW + 900);
    assert_int_equal(present(s, NOW + 890), REASON_OK);
    j = proof_of(s);
    assert_true(json_number(json_get(j.claims, "exp"), &exp_s) && exp_s == NOW + 900);
    jws_clear(&j);
    assert_int_equal(present(s, NOW + 900), REASON_SIGN);
}

struct refusal {
    const char *name;
    enum binding binding;
    const char *scheme, *fields;
    bool sign_fails;
    enum reason why;
};

static const struct refusal refusals[] = {
    { "no binding", BINDING_NONE, "https", "", false, REASON_NO_BINDING },
    { "no access token", BINDING_DPOP, "https", "", false, REASON_NO_BINDING },
    { "no secret", BINDING_BEARER, "https", "", false, REASON_NO_BINDING },
    { "no certificate shown", BINDING_MTLS, "https", "", false,
      REASON_CERTIFICATE_CHANGED },
    { "plain http", BINDING_WIMSE, "http", "", false, REASON_PLAIN_CREDENTIAL },
    { "no scheme", BINDING_WIMSE, "", "", false, REASON_PLAIN_CREDENTIAL },
    { "signing fails", BINDING_WIMSE, "https", "", true, REASON_SIGN },
    { "two access tokens", BINDING_WIMSE, "https", "Authorization: a\nAuthorization: b",
      false, REASON_SIGN },
    { "two API keys", BINDING_WIMSE, "https", "X-Api-Key: a\nx-api-key: b", false,
      REASON_SIGN },
};

static void
what_cannot_be_presented_is_refused_and_adds_nothing(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        enum reason why;
        size_t before;

        headers_init(&s->headers, s->arena);
        add_fields(&s->headers, text_z(r->fields));
        before = s->headers.n;
        s->request.scheme = text_z(r->scheme);
        key_fail_signing(r->sign_fails);
        why = binding_present(&s->with, r->binding, &s->request, NOW, &s->headers,
                              &s->evidence);
        key_fail_signing(false);
        if (why != r->why)
            fail_msg("%s: %s", r->name, reason_token(why));
        assert_int_equal(s->headers.n, before);
        assert_null(s->evidence.binding);
    }
    s->request.scheme = TEXT("https");
    headers_init(&s->headers, s->arena);
    assert_int_equal(present(s, NOW), REASON_OK); /* a refusal leaves nothing behind */
}

static struct conf_rule
rule_of(const char *const *words, size_t n)
{
    return (struct conf_rule){ .bind = { .at = words, .n = n } };
}

static const struct choice {
    const char *name;
    enum conf_source_kind source;
    const char *header, *certificate;
    const char *words[3];
    enum binding choice;
} choices[] = {
    { "authority", SOURCE_AUTHORITY, NULL, NULL, { "wimse" }, BINDING_WIMSE },
    { "it signs",
      SOURCE_AUTHORITY,
      NULL,
      NULL,
      { "httpsig", "wimse" },
      BINDING_HTTPSIG },
    { "it yields no secret", SOURCE_AUTHORITY, NULL, NULL, { "bearer" }, BINDING_NONE },
    { "key", SOURCE_KEY, NULL, NULL, { "httpsig" }, BINDING_HTTPSIG },
    { "a key has no token", SOURCE_KEY, NULL, NULL, { "dpop", "wimse" }, BINDING_NONE },
    { "certificate", SOURCE_CERTIFICATE, NULL, NULL, { "mtls" }, BINDING_MTLS },
    { "oauth", SOURCE_OAUTH, NULL, NULL, { "dpop", "mtls", "bearer" }, BINDING_DPOP },
    { "no certificate to show", SOURCE_OAUTH, NULL, NULL, { "mtls" }, BINDING_NONE },
    { "a certificate to show", SOURCE_OAUTH, NULL, "c", { "mtls" }, BINDING_MTLS },
    { "a plain token", SOURCE_OAUTH, NULL, "c", { "bearer" }, BINDING_BEARER },
    { "command", SOURCE_COMMAND, NULL, NULL, { "bearer" }, BINDING_BEARER },
    { "file", SOURCE_FILE, NULL, NULL, { "bearer" }, BINDING_BEARER },
    { "it signs nothing",
      SOURCE_FILE,
      NULL,
      NULL,
      { "dpop", "bearer" },
      BINDING_BEARER },
    { "header", SOURCE_FILE, "X-Key", NULL, { "header", "bearer" }, BINDING_HEADER },
    { "by strength",
      SOURCE_FILE,
      "X-Key",
      NULL,
      { "bearer", "header" },
      BINDING_HEADER },
    { "no field", SOURCE_FILE, NULL, NULL, { "header", "bearer" }, BINDING_BEARER },
    { "nothing", SOURCE_AUTHORITY, NULL, NULL, { NULL }, BINDING_NONE },
};

static void
the_strongest_binding_that_the_credential_can_do_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const struct choice *c = &choices[i];
        struct conf_credential credential = { .source.kind = c->source,
                                              .header = c->header };

        credential.source.client_certificate = c->certificate;
        struct conf_rule rule;
        size_t n = 0;

        while (n < 3 && c->words[n] != NULL)
            n++;
        rule = rule_of(c->words, n);
        if (binding_choose(&rule, &credential) != c->choice)
            fail_msg("%s: %s", c->name,
                     binding_word(binding_choose(&rule, &credential)));
    }
}

static const char *const with_digest[] = { "@method", "content-digest" };
static const char *const without_digest[] = { "@method", "@target-uri" };

static const struct body_case {
    enum binding binding;
    struct strings signs;
    bool covers, needs;
} body_cases[] = {
    { BINDING_WIMSE, { .n = 0 }, true, false },
    { BINDING_DPOP, { .n = 0 }, false, false },
    { BINDING_MTLS, { .n = 0 }, false, false },
    { BINDING_BEARER, { .n = 0 }, false, false },
    { BINDING_HTTPSIG, { .n = 0 }, true, true },
    { BINDING_HTTPSIG, { .at = with_digest, .n = 2 }, true, true },
    { BINDING_HTTPSIG, { .at = without_digest, .n = 2 }, false, false },
    { BINDING_DPOP, { .at = with_digest, .n = 2 }, false, false },
};

static void
a_body_is_waited_for_where_the_binding_says_something_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof body_cases / sizeof *body_cases; i++) {
        const struct body_case *c = &body_cases[i];
        const struct conf_signature signature = { .components = c->signs };
        const struct conf_rule rule = { .signature = &signature };
        const struct conf_credential key = { .source.kind = SOURCE_KEY };
        const struct conf_credential task = { .source.kind = SOURCE_AUTHORITY };

        if (binding_covers_body(c->binding, &rule, &key) != c->covers ||
            binding_needs_body(c->binding, &rule, &key) != c->needs ||
            binding_needs_body(c->binding, &rule, &task) !=
                (c->binding == BINDING_HTTPSIG))
            fail_msg("%zu: %s", i, binding_word(c->binding));
    }
}

static void
a_task_without_a_token_has_no_identity(void **state)
{
    struct stage *s = *state;
    uint64_t issued = identity_issued();
    struct identity *i;

    authority_fail_issuing(true);
    assert_int_equal(identity_new(s->authority, &context, NOW, NOW + 900, &i),
                     REASON_MINT_TOKEN);
    authority_fail_issuing(false);
    assert_null(i);
    assert_int_equal(identity_new(s->authority, &context, NOW, NOW, &i),
                     REASON_MINT_TOKEN);
    assert_null(i);
    assert_int_equal(identity_issued(), issued);
}

static void
two_tasks_share_no_key(void **state)
{
    struct stage *s = *state;
    uint64_t issued = identity_issued();
    struct identity *i;

    assert_int_equal(identity_new(s->authority, &context, NOW, NOW + 900, &i),
                     REASON_OK);
    assert_false(
        text_equals(identity_thumbprint(i), presenter_thumbprint(s->presenter)));
    assert_int_equal(identity_issued(), issued + 1);
    identity_unref(i);
}

/* Enough at once for a shared signing context to be caught. */
static void *
present_many(void *arg)
{
    struct stage *s = arg;
    struct presenter *p = presenter_new(s->identity);
    const struct means with = { .presenter = p };
    struct verifier verifier = s->verifier;
    struct arena *arena = arena_new();
    uintptr_t bad = p == NULL;

    verifier.replays = replay_cache_new(100);
    for (int n = 0; n < 50 && bad == 0; n++) {
        struct request request = { .method = s->request.method };
        struct evidence evidence;
        struct facts facts;

        headers_init(&request.headers, arena);
        bad += binding_present(&with, BINDING_WIMSE, &s->request, NOW, &request.headers,
                               &evidence) != REASON_OK;
        bad += proof_verify(&verifier, &request, &s->request, NOW, arena, &facts) !=
               REASON_OK;
        arena_reset(arena);
    }
    replay_cache_free(verifier.replays);
    arena_free(arena);
    presenter_free(p);
    return (void *)bad;
}

static void
threads_that_share_an_identity_sign_at_the_same_time(void **state)
{
    pthread_t threads[4];
    void *bad;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, present_many, *state), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

static void
an_identity_lives_as_long_as_its_last_presenter(void **state)
{
    struct stage *s = *state;
    struct identity *i;
    struct presenter *p;
    struct means with;

    assert_int_equal(identity_new(s->authority, &context, NOW, NOW + 900, &i),
                     REASON_OK);
    p = presenter_new(i);
    identity_unref(i);
    with = (struct means){ .presenter = p };
    assert_int_equal(binding_present(&with, BINDING_WIMSE, &s->request, NOW,
                                     &s->headers, &s->evidence),
                     REASON_OK);
    presenter_free(p);
}

#define staged(test) cmocka_unit_test_setup_teardown(test, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        staged(whatever_we_present_our_gate_takes_once),
        staged(a_proof_has_exactly_the_claims_it_should),
        staged(no_two_proofs_share_an_id),
        staged(a_strangers_proof_does_not_leave_beside_ours),
        staged(a_proof_never_outlives_its_token),
        staged(what_cannot_be_presented_is_refused_and_adds_nothing),
        cmocka_unit_test(the_strongest_binding_that_the_credential_can_do_is_chosen),
        cmocka_unit_test(a_body_is_waited_for_where_the_binding_says_something_of_it),
        staged(a_task_without_a_token_has_no_identity),
        staged(threads_that_share_an_identity_sign_at_the_same_time),
        staged(an_identity_lives_as_long_as_its_last_presenter),
        staged(two_tasks_share_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

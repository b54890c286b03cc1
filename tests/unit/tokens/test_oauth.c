/* tokens/oauth: what is asked, byte for byte, and what every kind of answer is worth.
 */
#include "tests/unit/tokens/published.h"

#include "tokens/jws.h"
#include "tokens/oauth.h"

#define NOW 1800000000

static struct arena *arena;

static int
begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void
assert_text(struct text t, const char *z)
{
    if (!text_equals(t, text_z(z)))
        fail_msg("%.*s is not %s", TEXT_ARG(t), z);
}

/* ---- what is asked */

static const char *const resources[] = { "https://a.example/?b=c&d", "urn:x" };

static const struct asked {
    const char *id;
    struct oauth_ask ask;
    struct conf_source source;
    const char *authorization, *body;
} asked[] = {
    { .id = "basic",
      .source = { .client_auth = CLIENT_SECRET_BASIC,
                  .client_id = "agent:7",
                  .scope = "read write:all" },
      .ask = { .client_secret = { "a+b /%", 6 } },
      .authorization = "Basic YWdlbnQlM0E3OmElMkJiKyUyRiUyNQ==",
      .body = "grant_type=client_credentials&scope=read+write%3Aall" },
    { .id = "post",
      .source = { .client_auth = CLIENT_SECRET_POST, .client_id = "agent" },
      .ask = { .client_secret = { "s&cret", 6 } },
      .body = "grant_type=client_credentials&client_id=agent&client_secret=s%26cret" },
    { .id = "none",
      .source = { .client_auth = CLIENT_NONE,
                  .client_id = "agent",
                  .resource = { .at = resources, .n = 2 },
                  .audience = "https://api.example" },
      .ask = { .details = { "[{\"type\":\"t\"}]", 14 } },
      .body =
          "grant_type=client_credentials&audience=https%3A%2F%2Fapi.example&"
          "resource=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d&resource=urn%3Ax&"
          "authorization_details=%5B%7B%22type%22%3A%22t%22%7D%5D&client_id=agent" },
    { .id = "svid",
      .source = { .client_auth = CLIENT_JWT_SVID },
      .ask = { .client_assertion = { "h.c.s", 5 } },
      .body = "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%"
              "3Aoauth%3Aclient-assertion-type%3Ajwt-spiffe&client_assertion=h.c.s" },
    { .id = "refresh",
      .source = { .client_auth = CLIENT_NONE, .grant_type = OAUTH_REFRESH_TOKEN },
      .ask = { .refresh_token = { "r~t", 3 } },
      .body = "grant_type=refresh_token&refresh_token=r%7Et" },
    { .id = "jwt bearer",
      .source = { .client_auth = CLIENT_NONE, .grant_type = OAUTH_JWT_BEARER },
      .ask = { .assertion = { "a.b.c", 5 } },
      .body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"
              "assertion=a.b.c" },
    { .id = "exchange without an actor",
      .source = { .client_auth = CLIENT_NONE,
                  .grant_type = OAUTH_TOKEN_EXCHANGE,
                  .subject_token_type = "urn:s",
                  .actor_token_type = "urn:a" },
      .ask = { .subject_token = { "s", 1 } },
      .body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&"
              "subject_token=s&subject_token_type=urn%3As" },
};

static void
a_request_says_what_the_config_does_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct oauth_ask ask = asked[i].ask;
        struct oauth_request r;

        ask.source = &asked[i].source;
        assert_int_equal(oauth_request(&ask, arena, &r), REASON_OK);
        assert_text(r.body, asked[i].body);
        assert_text(r.fields[0].value, "application/x-www-form-urlencoded");
        assert_text(r.fields[1].value, "application/json");
        assert_int_equal(r.n_fields, asked[i].authorization != NULL ? 3 : 2);
        if (asked[i].authorization != NULL)
            assert_text(r.fields[2].value, asked[i].authorization);
    }
}

static void
a_revocation_names_the_token_and_who_asks(void **state)
{
    const struct conf_source source = { .client_auth = CLIENT_NONE, .client_id = "a" };
    const struct oauth_ask ask = { .source = &source };
    struct oauth_request r;

    (void)state;
    assert_int_equal(oauth_revocation(&ask, TEXT("t/1"), arena, &r), REASON_OK);
    assert_text(r.body, "token=t%2F1&token_type_hint=access_token&client_id=a");
}

/* ---- who asks, by a key */

static void
an_assertion_is_signed_for_one_reader_and_for_a_minute(void **state)
{
    const struct conf_source source = { .client_auth = CLIENT_PRIVATE_KEY_JWT,
                                        .client_id = "agent",
                                        .token_endpoint = "https://as.example/token" };
    struct conf_source issuer = source;
    char thumbprint[THUMBPRINT_SIZE];
    struct key *k = key_new();
    struct buf one = { 0 }, two = { 0 };
    struct jws j, other;
    int64_t iat, exp;

    (void)state;
    issuer.issuer = "https://as.example";
    issuer.client_key_id = "key-1";
    assert_int_equal(client_assertion_write(k, &source, NOW, &one), REASON_OK);
    assert_int_equal(client_assertion_write(k, &issuer, NOW, &two), REASON_OK);
    assert_int_equal(jws_parse(buf_text(&one), &j), JWS_FINE);
    assert_int_equal(jws_parse(buf_text(&two), &other), JWS_FINE);
    key_thumbprint(k, thumbprint);
    assert_true(text_equals(j.kid, text_of(thumbprint, sizeof thumbprint)));
    assert_text(other.kid, "key-1");
    assert_text(json_text_of(j.claims, "iss"), "agent");
    assert_text(json_text_of(j.claims, "sub"), "agent");
    assert_text(json_text_of(j.claims, "aud"), "https://as.example/token");
    assert_text(json_text_of(other.claims, "aud"), "https://as.example");
    assert_true(json_number(json_get(j.claims, "iat"), &iat) && iat == NOW);
    assert_true(json_number(json_get(j.claims, "exp"), &exp) && exp == NOW + 60);
    assert_false(
        text_equals(json_text_of(j.claims, "jti"), json_text_of(other.claims, "jti")));
    jws_clear(&j);
    jws_clear(&other);
    buf_free(&one);
    buf_free(&two);
    key_free(k);
}

static void
a_client_without_its_key_asks_for_nothing(void **state)
{
    const struct conf_source source = { .client_auth = CLIENT_PRIVATE_KEY_JWT };
    const struct oauth_ask ask = { .source = &source };
    struct oauth_request r;

    (void)state;
    assert_int_equal(oauth_request(&ask, arena, &r), REASON_SIGN);
}

/* ---- what is answered */

#define JSON "application/json"
#define GOOD "\"access_token\":\"abc\",\"token_type\":\"DPoP\""
#define JKT  "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
/* {"cnf":{"jkt":JKT}}, {"cnf":{"jkt":"other"}}, {"sub":"x"} as tokens */
#define BOUND                                                                          \
    "e30."                                                                             \
    "eyJjbmYiOnsiamt0IjoiMFpjT0NPUlpOWXktRFdwcXEzMGpaeUpHSFROMGQySGdsQlYzdWlndUE0SSJ9" \
    "fQ.c2ln"
#define STRANGE  "e30.eyJjbmYiOnsiamt0Ijoib3RoZXIifX0.c2ln"
#define UNBOUND  "e30.eyJzdWIiOiJ4In0.c2ln"
#define TYPED(t) "\"token_type\":\"" t "\""

static const struct answered {
    const char *id;
    enum token_form form;
    int status;
    const char *type, *body;
    enum reason why;
    int64_t lives_s; /* of a token */
    const char *error;
} answered[] = {
    { "good", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":60}", REASON_OK, 60, 0 },
    { "typed with more", FORM_DPOP, 200, "Application/JSON; charset=utf-8",
      "{" GOOD ",\"expires_in\":60}", REASON_OK, 60, 0 },
    { "says no life", FORM_DPOP, 200, JSON, "{" GOOD "}", REASON_OK, OAUTH_LIFE_S, 0 },
    { "life in quotes", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":\"3599\"}",
      REASON_OK, 3599, 0 },
    { "long life", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":99999999}",
      REASON_OK, OAUTH_LIFE_MAX_S, 0 },
    { "case of the type", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"abc\"," TYPED("dpop") "}", REASON_OK, OAUTH_LIFE_S, 0 },
    { "bearer", FORM_BEARER, 200, JSON,
      "{\"access_token\":\"abc\"," TYPED("bearer") "}", REASON_OK, OAUTH_LIFE_S, 0 },
    { "bound to our key", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"" BOUND "\"," TYPED("DPoP") "}", REASON_OK, OAUTH_LIFE_S,
      0 },
    { "opaque with mtls", FORM_MTLS, 200, JSON,
      "{\"access_token\":\"abc\"," TYPED("Bearer") "}", REASON_OK, OAUTH_LIFE_S, 0 },

    { "bound to another key", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"" STRANGE "\"," TYPED("DPoP") "}", REASON_TOKEN_UNBOUND, 0,
      0 },
    { "bearer for dpop", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"abc\"," TYPED("Bearer") "}", REASON_TOKEN_UNBOUND, 0, 0 },
    { "bound to no certificate", FORM_MTLS, 200, JSON,
      "{\"access_token\":\"" UNBOUND "\"," TYPED("Bearer") "}", REASON_TOKEN_UNBOUND, 0,
      0 },

    { "dpop for bearer", FORM_BEARER, 200, JSON, "{" GOOD "}", REASON_AS_MALFORMED, 0,
      0 },
    { "dpop for mtls", FORM_MTLS, 200, JSON, "{" GOOD "}", REASON_AS_MALFORMED, 0, 0 },
    { "no type", FORM_DPOP, 200, JSON, "{\"access_token\":\"abc\"}",
      REASON_AS_MALFORMED, 0, 0 },
    { "no token", FORM_DPOP, 200, JSON, "{" TYPED("DPoP") "}", REASON_AS_MALFORMED, 0,
      0 },
    { "control byte", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"a\\u0001\"," TYPED("DPoP") "}", REASON_AS_MALFORMED, 0, 0 },
    { "line end", FORM_DPOP, 200, JSON,
      "{\"access_token\":\"a\\r\\nb: c\"," TYPED("DPoP") "}", REASON_AS_MALFORMED, 0,
      0 },
    { "quote", FORM_DPOP, 200, JSON, "{\"access_token\":\"a\\\"\"," TYPED("DPoP") "}",
      REASON_AS_MALFORMED, 0, 0 },
    { "zero", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":0}", REASON_AS_MALFORMED,
      0, 0 },
    { "negative", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":-1}",
      REASON_AS_MALFORMED, 0, 0 },
    { "beyond numbers", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":1e300}",
      REASON_AS_MALFORMED, 0, 0 },
    { "a sign in quotes", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":\"+5\"}",
      REASON_AS_MALFORMED, 0, 0 },
    { "null", FORM_DPOP, 200, JSON, "{" GOOD ",\"expires_in\":null}",
      REASON_AS_MALFORMED, 0, 0 },
    { "a name twice", FORM_DPOP, 200, JSON, "{" GOOD "," TYPED("DPoP") "}",
      REASON_AS_MALFORMED, 0, 0 },
    { "no json", FORM_DPOP, 200, JSON, "{", REASON_AS_MALFORMED, 0, 0 },
    { "a list", FORM_DPOP, 200, JSON, "[]", REASON_AS_MALFORMED, 0, 0 },
    { "called text", FORM_DPOP, 200, "text/plain", "{" GOOD "}", REASON_AS_MALFORMED, 0,
      0 },
    { "called nothing", FORM_DPOP, 200, "", "{" GOOD "}", REASON_AS_MALFORMED, 0, 0 },
    { "created", FORM_DPOP, 201, JSON, "{" GOOD "}", REASON_AS_MALFORMED, 0, 0 },
    { "moved", FORM_DPOP, 302, JSON, "{" GOOD "}", REASON_AS_MALFORMED, 0, 0 },

    { "refused", FORM_DPOP, 400, JSON, "{\"error\":\"invalid_grant\"}",
      REASON_AS_REFUSED, 0, "invalid_grant" },
    { "refused in words of its own", FORM_DPOP, 400, JSON, "{\"error\":\"s3cret\"}",
      REASON_AS_REFUSED, 0, "other" },
    { "refused by a page", FORM_DPOP, 403, "text/html", "<p>", REASON_AS_REFUSED, 0,
      0 },
    { "wants a nonce", FORM_DPOP, 400, JSON, "{\"error\":\"use_dpop_nonce\"}",
      REASON_AS_REFUSED, 0, "use_dpop_nonce" },
    { "too many", FORM_DPOP, 429, JSON, "{}", REASON_AS_UNREACHABLE, 0, 0 },
    { "unwell", FORM_DPOP, 503, "", "", REASON_AS_UNREACHABLE, 0, 0 },
};

static void
an_answer_is_a_token_that_can_be_presented_or_has_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
        const struct answered *a = &answered[i];
        const struct oauth_wish wish = { a->form, TEXT(JKT) };
        const struct oauth_reply reply = { a->status, text_z(a->type),
                                           text_z(a->body) };
        struct oauth_answer got;
        enum reason why = oauth_answer(&wish, &reply, arena, &got);

        if (why != a->why || (why == REASON_OK && got.lives_s != a->lives_s))
            fail_msg("%s: %s, lives %lld", a->id, reason_token(why),
                     (long long)got.lives_s);
        if ((a->error == NULL) != (got.error == NULL) ||
            (a->error != NULL && strcmp(a->error, got.error) != 0))
            fail_msg("%s: error %s", a->id, got.error != NULL ? got.error : "none");
        assert_int_equal(got.wants_nonce,
                         a->error != NULL && strcmp(a->error, "use_dpop_nonce") == 0);
        /* What is not bound, or lives nobody knows how long, is known all the same: it
         * has to be taken back. */
        assert_int_equal(got.token.n > 0,
                         why == REASON_OK || why == REASON_TOKEN_UNBOUND ||
                             (a->form != FORM_DPOP && why == REASON_AS_MALFORMED) ||
                             strcmp(a->id, "no type") == 0 ||
                             strstr(a->body, "expires_in") != NULL);
    }
}

/* A server that gives a new one takes the old one back. */
static void
a_refresh_token_is_taken_from_whatever_answer_it_stands_in(void **state)
{
    static const char *const bodies[] = {
        "{" GOOD ",\"refresh_token\":\"next\"}",
        "{" GOOD ",\"refresh_token\":\"next\",\"expires_in\":\"soon\"}",
        "{\"access_token\":\"a b\",\"refresh_token\":\"next\"}",
        "{\"access_token\":\"abc\"," TYPED("Bearer") ",\"refresh_token\":\"next\"}",
    };
    const struct oauth_wish wish = { FORM_DPOP, TEXT(JKT) };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const struct oauth_reply reply = { 200, TEXT(JSON), text_z(bodies[i]) };
        struct oauth_answer got;

        assert_int_equal(oauth_answer(&wish, &reply, arena, &got) == REASON_OK, i == 0);
        assert_text(got.refresh, "next");
        assert_true(got.lives_s >= 0);
    }
}

static void
a_token_is_only_so_long(void **state)
{
    const struct oauth_wish wish = { .form = FORM_BEARER };
    struct oauth_answer got;
    struct buf body = { 0 };

    (void)state;
    for (size_t n = OAUTH_TOKEN_MAX; n <= OAUTH_TOKEN_MAX + 1; n++) {
        buf_truncate(&body, 0);
        buf_add_z(&body, "{" TYPED("Bearer") ",\"access_token\":\"");
        for (size_t i = 0; i < n; i++)
            buf_add_byte(&body, 'x');
        buf_add_z(&body, "\"}");
        assert_int_equal(
            oauth_answer(&wish,
                         &(struct oauth_reply){ 200, TEXT(JSON), buf_text(&body) },
                         arena, &got),
            n > OAUTH_TOKEN_MAX ? REASON_AS_MALFORMED : REASON_OK);
    }
    buf_free(&body);
}

/* ---- the grant in other words */

static const char *const reads[] = { "GET", "HEAD" }, *const writes[] = { "GET",
                                                                          "POST" };
static const char *const testing[] = { "testing" }, *const billing[] = { "billing" };

static struct conf_rule
rule(const char *host, int64_t port, const char *const *methods, const char *purpose)
{
    return (struct conf_rule){ .host = host,
                               .port = port,
                               .credential = "crm",
                               .methods = { .at = methods, .n = 2 },
                               .purposes = { .at = purpose == NULL ? NULL
                                                   : strcmp(purpose, "testing") == 0
                                                       ? testing
                                                       : billing,
                                             .n = purpose != NULL } };
}

static void
details_say_where_the_credential_may_go_and_for_what(void **state)
{
    struct conf_rule rules[] = { rule("a.example", 0, reads, NULL),
                                 rule("a.example", 0, writes, "testing"),
                                 rule("*.b.example", 8443, reads, NULL),
                                 rule("c.example", 0, reads, "billing"),
                                 rule("d.example", 0, reads, NULL) };
    const struct conf_grant grant = { .name = "nightly",
                                      .rules = { .at = rules, .n = 5 } };
    const struct conf_credential crm = { .name = "crm",
                                         .source.authorization_details_type = "t" };
    const struct oauth_terms terms = { &grant, &crm, "testing", TEXT("t-1") };
    struct buf out = { 0 };

    (void)state;
    rules[4].credential = "other";
    assert_true(oauth_details(&terms, &out));
    assert_text(buf_text(&out),
                "[{\"type\":\"t\",\"identifier\":\"nightly\","
                "\"locations\":[\"https://a.example\",\"https://*.b.example:8443\"],"
                "\"actions\":[\"GET\",\"HEAD\",\"POST\"],"
                "\"purpose\":\"testing\",\"task\":\"t-1\"}]");
    buf_free(&out);
}

static void
details_that_are_too_many_are_none(void **state)
{
    enum { MANY = 300 };
    static struct conf_rule rules[MANY];
    static char hosts[MANY][32];
    const struct conf_grant grant = { .name = "n",
                                      .rules = { .at = rules, .n = MANY } };
    const struct conf_credential crm = { .name = "crm",
                                         .source.authorization_details_type = "t" };
    const struct oauth_terms terms = { &grant, &crm, "testing", TEXT("t-1") };
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(hosts[i], sizeof hosts[i], "h%zu.example", i);
        rules[i] = rule(hosts[i], 0, reads, NULL);
    }
    assert_false(oauth_details(&terms, &out));
    assert_int_equal(buf_length(&out), 0);
    buf_free(&out);
}

/* ---- one credential and another */

static void
a_digest_changes_with_what_a_token_depends_on(void **state)
{
    struct conf_credential all[2] = {
        { .name = "crm",
          .source = { .kind = SOURCE_OAUTH, .client_certificate = "shop" } },
        { .name = "shop", .source = { .kind = SOURCE_CERTIFICATE, .certificate = "a" } }
    };
    const struct conf conf = { .credentials = { .at = all, .n = 2 } };
    unsigned char first[SHA256_SIZE], next[SHA256_SIZE];

    (void)state;
    oauth_digest(&conf, &all[0], first);
    all[0].owner = "another"; /* who answers for it is nothing to the server */
    oauth_digest(&conf, &all[0], next);
    assert_memory_equal(first, next, sizeof first);
    all[0].source.scope = "more";
    oauth_digest(&conf, &all[0], next);
    assert_memory_not_equal(first, next, sizeof first);
    all[0].source.scope = NULL;
    all[1].source.certificate = "b";
    oauth_digest(&conf, &all[0], next);
    assert_memory_not_equal(first, next, sizeof first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_the_config_does_and_no_more),
        cmocka_unit_test(a_revocation_names_the_token_and_who_asks),
        cmocka_unit_test(an_assertion_is_signed_for_one_reader_and_for_a_minute),
        cmocka_unit_test(a_client_without_its_key_asks_for_nothing),
        cmocka_unit_test(an_answer_is_a_token_that_can_be_presented_or_has_a_reason),
        cmocka_unit_test(a_refresh_token_is_taken_from_whatever_answer_it_stands_in),
        cmocka_unit_test(a_token_is_only_so_long),
        cmocka_unit_test(details_say_where_the_credential_may_go_and_for_what),
        cmocka_unit_test(details_that_are_too_many_are_none),
        cmocka_unit_test(a_digest_changes_with_what_a_token_depends_on),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

/* DPoP's maker: what its proofs say, which nonce stands in them, and what a token is
 * never shown without. */
#include "tokens/presenter.h"

#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW    1800000000
#define ORIGIN "https://orders.example"

struct stage {
    struct dpop_key *key;
    struct dpop_signer *signer;
    struct token *token;
    struct arena *arena;
    struct headers headers;
    struct presented request;
    struct evidence evidence;
    struct means with;
};

static int
stage_open(void **state)
{
    static struct stage s;

    memset(&s, 0, sizeof s);
    assert_non_null(s.key = dpop_key_new());
    assert_non_null(s.signer = dpop_signer_new(s.key));
    s.token = token_new(TEXT("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), FORM_DPOP,
                        s.key, NULL, NOW + 300);
    s.arena = arena_new();
    headers_init(&s.headers, s.arena);
    s.request = (struct presented){ .scheme = TEXT("https"),
                                    .method = TEXT("POST"),
                                    .path = TEXT("/v1/orders/%22"),
                                    .query = TEXT("tenant=7") };
    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &s.request.authority),
                     REASON_OK);
    s.with = (struct means){ .token = s.token, .dpop = s.signer };
    *state = &s;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *s = *state;

    key_fail_signing(false);
    token_unref(s->token);
    dpop_signer_free(s->signer);
    dpop_key_unref(s->key);
    arena_free(s->arena);
    return 0;
}

static enum reason
present(struct stage *s, enum binding b)
{
    return binding_present(&s->with, b, &s->request, NOW, &s->headers, &s->evidence);
}

/* Verified with the key in its own header, as a stranger would. */
static struct jws
read_proof(struct text compact)
{
    struct jws j;
    struct text alg;
    struct public_key *k;

    assert_int_equal(jws_parse(compact, &j), JWS_FINE);
    k = jwk_import(json_get(j.header, "jwk"), &alg);
    assert_non_null(k);
    assert_true(jws_verify(&j, k));
    public_key_free(k);
    return j;
}

static struct jws
proof_of(const struct stage *s)
{
    assert_int_equal(headers_count(&s->headers, TEXT("DPoP")), 1);
    return read_proof(headers_get(&s->headers, TEXT("DPoP"))->value);
}

static void
assert_claim(const struct jws *j, const char *name, const char *value)
{
    struct text said;

    assert_true(json_string(json_get(j->claims, name), &said));
    if (!text_equals(said, text_z(value)))
        fail_msg("%s: %.*s", name, TEXT_ARG(said));
}

static void
a_proof_names_the_request_the_key_and_the_token(void **state)
{
    struct stage *s = *state;
    char thumbprint[THUMBPRINT_SIZE];
    struct jws j;
    int64_t iat;

    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
    j = proof_of(s);
    assert_true(jws_typ_is(&j, "dpop+jwt"));
    assert_int_equal(json_count(j.header), 3);
    assert_true(jwk_thumbprint(json_get(j.header, "jwk"), thumbprint));
    assert_true(text_equals(text_of(thumbprint, sizeof thumbprint),
                            dpop_key_thumbprint(s->key)));
    assert_int_equal(json_count(j.claims), 5);
    assert_claim(&j, "htm", "POST");
    assert_claim(&j, "htu", ORIGIN "/v1/orders/%22");
    assert_claim(&j, "ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert_true(json_number(json_get(j.claims, "iat"), &iat) && iat == NOW);
    assert_true(text_equals(json_text_of(j.claims, "jti"), s->evidence.proof_id));
    assert_int_equal(s->evidence.proof_id.n, 22);
    jws_clear(&j);
}

static void
the_token_leaves_beside_its_proof_and_a_strangers_does_not(void **state)
{
    struct stage *s = *state;

    headers_add(&s->headers, TEXT("authorization"), TEXT("DPoP stolen"));
    headers_add(&s->headers, TEXT("dpop"), TEXT("stolen"));
    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
    assert_int_equal(s->headers.n, 2);
    assert_true(text_equals(headers_get(&s->headers, TEXT("Authorization"))->value,
                            TEXT("DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")));
    assert_true(headers_get(&s->headers, TEXT("Authorization"))->never_index);
    assert_true(headers_get(&s->headers, TEXT("DPoP"))->never_index);
    assert_string_equal(s->evidence.binding, "dpop");
    assert_true(text_equals(s->evidence.thumbprint, dpop_key_thumbprint(s->key)));
}

static void
no_two_proofs_share_an_id(void **state)
{
    struct stage *s = *state;
    struct text first;

    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
    first = s->evidence.proof_id;
    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
    assert_false(text_equals(first, s->evidence.proof_id));
}

static void
without_a_token_there_is_no_ath(void **state)
{
    struct stage *s = *state;
    const struct dpop_ask ask = { .method = TEXT("POST"),
                                  .origin = TEXT("https://as.example:8443"),
                                  .path = TEXT("/token"),
                                  .now_s = NOW };
    struct text proof, jti;
    struct jws j;

    assert_int_equal(dpop_prove(s->signer, &ask, s->arena, &proof, &jti), REASON_OK);
    j = read_proof(proof);
    assert_int_equal(json_count(j.claims), 4);
    assert_claim(&j, "htu", "https://as.example:8443/token");
    jws_clear(&j);
}

/* ---- what is not shown */

static void
a_token_bound_to_one_thing_is_not_shown_with_another(void **state)
{
    struct stage *s = *state;
    struct dpop_key *other = dpop_key_new();
    struct dpop_signer *signer = dpop_signer_new(other);
    struct token *bearer = token_new(TEXT("t"), FORM_BEARER, NULL, NULL, 0);

    s->with.dpop = signer;
    assert_int_equal(present(s, BINDING_DPOP), REASON_SIGN);
    s->with.dpop = NULL;
    assert_int_equal(present(s, BINDING_DPOP), REASON_NO_BINDING);
    assert_int_equal(present(s, BINDING_BEARER), REASON_NO_BINDING);
    assert_int_equal(present(s, BINDING_MTLS), REASON_NO_BINDING);
    s->with = (struct means){ .token = bearer, .dpop = s->signer };
    assert_int_equal(present(s, BINDING_DPOP), REASON_NO_BINDING);
    assert_int_equal(s->headers.n, 0);
    token_unref(bearer);
    dpop_signer_free(signer);
    dpop_key_unref(other);
}

static void
a_proof_that_cannot_be_signed_takes_the_token_with_it(void **state)
{
    struct stage *s = *state;

    key_fail_signing(true);
    assert_int_equal(present(s, BINDING_DPOP), REASON_SIGN);
    assert_int_equal(s->headers.n, 0);
    assert_null(s->evidence.binding);
    key_fail_signing(false);
    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
}

#define X5T_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X5T_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void
a_certificates_token_leaves_on_a_connection_that_showed_it(void **state)
{
    struct stage *s = *state;
    struct token *token = token_new(TEXT("t0k3n"), FORM_MTLS, NULL, X5T_A, NOW);

    s->with = (struct means){ .token = token };
    assert_int_equal(present(s, BINDING_MTLS), REASON_CERTIFICATE_CHANGED);
    s->with.connection_x5t = TEXT(X5T_B);
    assert_int_equal(present(s, BINDING_MTLS), REASON_CERTIFICATE_CHANGED);
    assert_int_equal(s->headers.n, 0);
    s->with.connection_x5t = TEXT(X5T_A);
    assert_int_equal(present(s, BINDING_MTLS), REASON_OK);
    assert_true(text_equals(headers_get(&s->headers, TEXT("Authorization"))->value,
                            TEXT("Bearer t0k3n")));
    assert_string_equal(s->evidence.binding, "mtls");
    assert_true(text_equals(s->evidence.thumbprint, TEXT(X5T_A)));
    assert_int_equal(token_expires(token), NOW);
    token_unref(token);
}

static void
where_the_certificate_is_all_nothing_is_put_into_the_head(void **state)
{
    struct stage *s = *state;

    s->with = (struct means){ .token = NULL };
    assert_int_equal(present(s, BINDING_MTLS), REASON_CERTIFICATE_CHANGED);
    s->with.connection_x5t = TEXT(X5T_A);
    assert_int_equal(present(s, BINDING_MTLS), REASON_OK);
    assert_int_equal(s->headers.n, 0);
    assert_true(text_equals(s->evidence.thumbprint, TEXT(X5T_A)));
}

/* ---- nonces */

static void
the_newest_nonce_of_the_origin_stands_in_the_next_proof(void **state)
{
    struct stage *s = *state;
    struct jws j;

    assert_true(dpop_learn(s->signer, TEXT(ORIGIN), TEXT("first")));
    assert_false(dpop_learn(s->signer, TEXT(ORIGIN), TEXT("first")));
    assert_true(dpop_learn(s->signer, TEXT(ORIGIN), TEXT("second")));
    assert_true(dpop_learn(s->signer, TEXT("https://as.example"), TEXT("third")));
    assert_int_equal(present(s, BINDING_DPOP), REASON_OK);
    j = proof_of(s);
    assert_claim(&j, "nonce", "second");
    jws_clear(&j);
}

static void
what_is_no_nonce_is_not_learned(void **state)
{
    static char longest[DPOP_NONCE_MAX + 1];
    static const char *const bad[] = {
        "", "a b", "a\"", "a\\", "a\x7f", "a\n", "\xc3"
    };
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dpop_learn(s->signer, TEXT(ORIGIN), text_z(bad[i])));
    memset(longest, 'a', sizeof longest);
    assert_false(dpop_learn(s->signer, TEXT(ORIGIN), text_of(longest, sizeof longest)));
    assert_int_equal(dpop_nonce(s->signer, TEXT(ORIGIN)).n, 0);
    assert_true(dpop_learn(s->signer, TEXT(ORIGIN), text_of(longest, DPOP_NONCE_MAX)));
    assert_int_equal(dpop_nonce(s->signer, TEXT(ORIGIN)).n, DPOP_NONCE_MAX);
}

static struct text
origin_numbered(struct stage *s, int i)
{
    return arena_printf(s->arena, "https://%d.example", i);
}

static void
of_too_many_origins_the_one_used_least_lately_is_forgotten(void **state)
{
    struct stage *s = *state;

    for (int i = 0; i < 8; i++)
        assert_true(dpop_learn(s->signer, origin_numbered(s, i), TEXT("n")));
    assert_int_equal(dpop_nonce(s->signer, origin_numbered(s, 0)).n, 1);
    assert_true(dpop_learn(s->signer, origin_numbered(s, 8), TEXT("n")));
    assert_int_equal(dpop_nonce(s->signer, origin_numbered(s, 0)).n, 1);
    assert_int_equal(dpop_nonce(s->signer, origin_numbered(s, 1)).n, 0);
    assert_int_equal(dpop_nonce(s->signer, origin_numbered(s, 8)).n, 1);
}

static const struct challenge {
    const char *field;
    bool asks;
} challenges[] = {
    { "DPoP error=\"use_dpop_nonce\"", true },
    { "dpop error=use_dpop_nonce", true },
    { "DPoP realm=\"a, b\", error=\"use_dpop_nonce\", error_description=\"x\"", true },
    { "DPoP error = \"use_dpop_nonce\"", true },
    { "Bearer realm=\"x\", DPoP algs=\"ES256 EdDSA\", error=\"use_dpop_nonce\"", true },
    { "Negotiate abc==, DPoP error=\"use_dpop_nonce\"", true },
    { "Basic, DPoP error=\"use_dpop_nonce\"", true },
    { "DPoP ERROR=\"use_dpop_nonce\"", true },
    { ", ,DPoP error=\"use_dpop_nonce\"", true },
    { "", false },
    { "DPoP", false },
    { "DPoP error=\"invalid_token\"", false },
    { "DPoP error=\"USE_DPOP_NONCE\"", false },
    { "Bearer error=\"use_dpop_nonce\"", false },
    { "DPoP algs=\"ES256\", Bearer error=\"use_dpop_nonce\"", false },
    { "DPoP realm=\"error=use_dpop_nonce\"", false },
    { "DPoP realm=\"\\\", error=use_dpop_nonce\"", false },
    { "DPoP realm=\"x, error=\"use_dpop_nonce\"", false },
    { "DPoP error=\"use_dpop_nonce", false },
    { "DPoPerror=\"use_dpop_nonce\"", false },
    { "DPoP xerror=\"use_dpop_nonce\"", false },
};

static void
a_challenge_for_a_nonce_is_found_among_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof challenges / sizeof *challenges; i++)
        if (dpop_challenges(text_z(challenges[i].field)) != challenges[i].asks)
            fail_msg("%s", challenges[i].field);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proof_names_the_request_the_key_and_the_token),
        TEST(the_token_leaves_beside_its_proof_and_a_strangers_does_not),
        TEST(no_two_proofs_share_an_id),
        TEST(without_a_token_there_is_no_ath),
        TEST(a_token_bound_to_one_thing_is_not_shown_with_another),
        TEST(a_proof_that_cannot_be_signed_takes_the_token_with_it),
        TEST(a_certificates_token_leaves_on_a_connection_that_showed_it),
        TEST(where_the_certificate_is_all_nothing_is_put_into_the_head),
        TEST(the_newest_nonce_of_the_origin_stands_in_the_next_proof),
        TEST(what_is_no_nonce_is_not_learned),
        TEST(of_too_many_origins_the_one_used_least_lately_is_forgotten),
        cmocka_unit_test(a_challenge_for_a_nonce_is_found_among_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

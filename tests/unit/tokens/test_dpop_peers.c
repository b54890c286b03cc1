/* Strangers judge our access token and proof (npm oauth4webapi as a resource server,
 * python3-jwcrypto step by step), and we judge what strangers make (npm dpop, jose). */
#include "tests/unit/stranger.h"

#include "base/digest.h"
#include "tokens/dpop_verify.h"
#include "tokens/jws.h"

#define NOW        1800000000
#define ASK_PYTHON SOURCE_DIR "/tests/unit/tokens/verify_dpop.py"
#define URL        "https://orders.example/v1/orders/%C3%A9"

/* ---- what we make */

struct made {
    struct key *issuer;
    struct dpop_key *key;
    struct dpop_signer *signer;
    struct token *token;
    struct arena *arena;
    struct headers headers;
};

static void
spell(struct buf *out, const char *json)
{
    size_t n = strlen(json);

    buf_commit(out, base64url_encode((const unsigned char *)json, n,
                                     buf_reserve(out, BASE64URL_SIZE(n) + 1)));
}

/* As an authorization server would. */
static struct token *
issue(const struct made *m)
{
    struct text jkt = dpop_key_thumbprint(m->key);
    struct buf header = { 0 }, claims = { 0 }, compact = { 0 };
    struct token *token;

    spell(&header, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}");
    buf_printf(&claims,
               "{\"iss\":\"https://as.example\",\"aud\":\"https://orders.example\","
               "\"exp\":%d,\"iat\":%d,\"sub\":\"builder\",\"client_id\":\"c\","
               "\"jti\":\"1\",\"cnf\":{\"jkt\":\"%.*s\"}}",
               NOW + 300, NOW, TEXT_ARG(jkt));
    assert_int_equal(
        jws_sign(m->issuer, buf_text(&header), buf_text(&claims), &compact), REASON_OK);
    token = token_new(buf_text(&compact), FORM_DPOP, m->key, NULL, NOW + 300);
    buf_free(&header);
    buf_free(&claims);
    buf_free(&compact);
    return token;
}

static int
make(void **state)
{
    static struct made m;
    struct presented request = { .scheme = TEXT("https"),
                                 .method = TEXT("POST"),
                                 .path = TEXT("/v1/orders/%C3%A9"),
                                 .query = TEXT("tenant=7") };
    struct evidence evidence;
    struct means with;

    m.issuer = key_new();
    m.key = dpop_key_new();
    m.signer = dpop_signer_new(m.key);
    m.token = issue(&m);
    m.arena = arena_new();
    headers_init(&m.headers, m.arena);
    with = (struct means){ .token = m.token, .dpop = m.signer };
    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &request.authority),
                     REASON_OK);
    assert_int_equal(
        binding_present(&with, BINDING_DPOP, &request, NOW, &m.headers, &evidence),
        REASON_OK);
    *state = &m;
    return 0;
}

static int
unmake(void **state)
{
    struct made *m = *state;

    token_unref(m->token);
    dpop_signer_free(m->signer);
    dpop_key_unref(m->key);
    key_free(m->issuer);
    arena_free(m->arena);
    return 0;
}

static void
write_member(struct buf *out, const char *name_and_colon, struct text value)
{
    buf_add_z(out, name_and_colon);
    json_write_string(out, value);
}

static void
describe(const struct made *m, struct buf *out)
{
    buf_printf(out,
               "{\"now\":%d,\"issuer\":\"https://as.example\",\"method\":\"POST\","
               "\"audience\":\"https://orders.example\",\"jwks\":{\"keys\":[",
               NOW);
    jwk_print(m->issuer, "k", out);
    write_member(out, "]},\"url\":", TEXT(URL "?tenant=7"));
    write_member(out, ",\"authorization\":",
                 headers_get(&m->headers, TEXT("Authorization"))->value);
    write_member(out, ",\"dpop\":", headers_get(&m->headers, TEXT("DPoP"))->value);
    write_member(out, ",\"thumbprint\":", dpop_key_thumbprint(m->key));
    buf_add_byte(out, '}');
}

static int
ask(const struct made *m, const char *const *command, struct buf *said)
{
    struct buf asked = { 0 };
    int status;

    describe(m, &asked);
    status = stranger_ask(command, buf_text(&asked), said);
    buf_free(&asked);
    return status;
}

static void
oauth4webapi_takes_our_token_and_proof(void **state)
{
    static const char *const command[] = { "node", "verify_dpop.mjs", NULL };
    struct made *m = *state;
    struct buf said = { 0 };
    struct json *answer;

    stranger_need(__func__, "oauth4webapi");
    if (ask(m, command, &said) != 0)
        fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
    answer = json_parse(buf_text(&said), 4096);
    assert_true(
        text_equals(json_text_of(answer, "thumbprint"), dpop_key_thumbprint(m->key)));
    json_free(answer);
    buf_free(&said);
}

/* The witness must be able to say no. */
static void
oauth4webapi_refuses_them_with_one_letter_changed(void **state)
{
    static const char *const command[] = { "node", "verify_dpop.mjs", NULL };
    static const char *const places[] = { "\"DPoP ey", "\"dpop\":\"ey",
                                          "\"method\":\"P", "/v1/orders",
                                          "\"https://as" };

    stranger_need(__func__, "oauth4webapi");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct buf asked = { 0 }, said = { 0 };
        char *at;

        describe(*state, &asked);
        buf_add_byte(&asked, '\0');
        at = strstr(asked.mem + asked.start, places[i]);
        assert_non_null(at);
        at[strlen(places[i]) - 1]++;
        if (stranger_ask(command, text_z(asked.mem + asked.start), &said) != 1)
            fail_msg("%s: %.*s", places[i], TEXT_ARG(buf_text(&said)));
        buf_free(&asked);
        buf_free(&said);
    }
}

static void
jwcrypto_takes_our_proof(void **state)
{
    static const char *const command[] = { "/usr/bin/python3", ASK_PYTHON, NULL };
    struct buf said = { 0 };
    int status = ask(*state, command, &said);

    if (status != 0 && status != NOT_THERE)
        fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
    buf_free(&said);
    if (status == NOT_THERE) {
        printf("SKIPPED: %s: python3-jwcrypto is not there\n", __func__);
        skip();
    }
}

/* ---- what strangers make */

static enum reason
judge(const struct dpop_policy *policy, const struct json *row, struct arena *arena)
{
    struct presented received = { .scheme = TEXT("https"),
                                  .method = json_text_of(row, "method"),
                                  .path = json_text_of(row, "path") };
    struct headers headers;
    struct dpop_facts facts;
    int64_t at;

    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &received.authority),
                     REASON_OK);
    assert_true(json_number(json_get(row, "at"), &at));
    headers_init(&headers, arena);
    headers_add(&headers, TEXT("Authorization"),
                arena_printf(arena, "DPoP %.*s", TEXT_ARG(json_text_of(row, "token"))));
    headers_add(&headers, TEXT("DPoP"), json_text_of(row, "proof"));
    return dpop_verify(policy, &headers, &received, json_text_of(row, "thumbprint"), at,
                       arena, &facts);
}

static void
what_dpop_and_jose_make_is_taken_when_honest_and_refused_when_not(void **state)
{
    static const char *const command[] = { "node", "mint_dpop.mjs", NULL };
    static const char *const origins[] = { "https://orders.example" };
    struct dpop_policy policy = { .origins = origins,
                                  .n_origins = 1,
                                  .algs = JWS_ALGS_ALL };
    struct arena *arena;
    struct buf said = { 0 };
    const struct json *rows;
    struct json *doc;

    (void)state;
    stranger_need(__func__, "dpop");
    policy.replays = replay_cache_new(100);
    arena = arena_new();
    assert_int_equal(stranger_ask(command, TEXT("{}"), &said), 0);
    doc = json_parse(buf_text(&said), 4 * 1024 * 1024);
    rows = json_get(doc, "rows");
    assert_true(json_count(rows) > 30);
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        enum reason why = judge(&policy, row, arena);

        if (!text_equals(json_text_of(row, "verdict"), text_z(reason_token(why))))
            fail_msg("%.*s: %s", TEXT_ARG(json_text_of(row, "name")),
                     reason_token(why));
    }
    json_free(doc);
    buf_free(&said);
    replay_cache_free(policy.replays);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(oauth4webapi_takes_our_token_and_proof, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(
            oauth4webapi_refuses_them_with_one_letter_changed, make, unmake),
        cmocka_unit_test_setup_teardown(jwcrypto_takes_our_proof, make, unmake),
        cmocka_unit_test(
            what_dpop_and_jose_make_is_taken_when_honest_and_refused_when_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

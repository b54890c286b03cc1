/* Access tokens bound to a key, and the proofs beside them, as a gate judges them: what
 * is good is taken once, and each way of being bad has a reason of its own. */
#include "published.h"

#include "base/digest.h"
#include "tokens/access_token.h"
#include "tokens/dpop_verify.h"

#define NOW    1800000000
#define ORIGIN "https://orders.example"
#define AS     "https://as.example"

struct stage {
    struct key *issuer, *holder, *thief;
    struct jwks *jwks;
    struct replay_cache *replays;
    struct nonces *nonces;
    struct dpop_policy policy;
    struct access_policy access;
    struct arena *arena;
    char jkt[THUMBPRINT_SIZE];
    struct text token;
    struct presented received;
    struct headers headers;
    struct dpop_facts facts;
};

static const char *const origins[] = { "https://other.example", ORIGIN };

/* ---- forging */

static struct text
replaced(struct arena *a, struct text t, const char *word, struct text with)
{
    const char *at = memmem(t.at, t.n, word, strlen(word));

    if (at == NULL)
        return t;
    return arena_printf(a, "%.*s%.*s%.*s", (int)(at - t.at), t.at, TEXT_ARG(with),
                        (int)(t.n - (size_t)(at - t.at) - strlen(word)),
                        at + strlen(word));
}

static struct text
sealed(struct stage *s, struct key *k, struct text header, struct text claims)
{
    struct buf spelt = { 0 }, out = { 0 };
    struct text compact;

    buf_commit(&spelt,
               base64url_encode((const unsigned char *)header.at, header.n,
                                buf_reserve(&spelt, BASE64URL_SIZE(header.n) + 1)));
    assert_int_equal(jws_sign_as(k, KEY_ES256, buf_text(&spelt), claims, &out),
                     REASON_OK);
    compact = arena_copy(s->arena, buf_text(&out));
    buf_free(&spelt);
    buf_free(&out);
    return compact;
}

static struct text
jwk_of(struct stage *s, const struct key *k)
{
    struct buf jwk = { 0 };
    struct text t;

    jwk_print(k, NULL, &jwk);
    t = arena_copy(s->arena, buf_text(&jwk));
    buf_free(&jwk);
    return t;
}

#define PROOF_HEADER "{\"alg\":\"ES256\",\"jwk\":JWK,\"typ\":\"dpop+jwt\"}"
#define PROOF_CLAIMS                                                                   \
    "{\"htm\":\"POST\",\"htu\":\"" ORIGIN "/v1/orders\",\"iat\":1800000000,"           \
    "\"jti\":\"e1j3V_bKic8-LAEB\",\"ath\":\"ATH\"}"
#define TOKEN_HEADER "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}"
#define TOKEN_CLAIMS                                                                   \
    "{\"iss\":\"" AS "\",\"aud\":\"" ORIGIN                                            \
    "\",\"exp\":1800000300,\"iat\":1800000000,"                                        \
    "\"sub\":\"builder\",\"client_id\":\"c\",\"jti\":\"t-1\",\"scope\":\"a b:c\","     \
    "\"cnf\":{\"jkt\":\"JKT\"}}"

static struct text
token_with(struct stage *s, const char *header, const char *claims)
{
    struct text jkt = text_of(s->jkt, sizeof s->jkt);

    return sealed(s, s->issuer, text_z(header),
                  replaced(s->arena, text_z(claims), "JKT", jkt));
}

static struct text
proof_with(struct stage *s, struct key *signer, const struct key *shown,
           const char *header, const char *claims)
{
    char ath[DPOP_ATH_SIZE];

    dpop_ath(s->token, ath);
    return sealed(s, signer,
                  replaced(s->arena, text_z(header), "JWK", jwk_of(s, shown)),
                  replaced(s->arena, text_z(claims), "ATH", text_of(ath, sizeof ath)));
}

static void
put(struct stage *s, const char *name, const char *scheme, struct text value)
{
    headers_add(&s->headers, text_z(name),
                arena_printf(s->arena, "%s%.*s", scheme, TEXT_ARG(value)));
}

static enum reason
ask_at(struct stage *s, int64_t now_s)
{
    return dpop_verify(&s->policy, &s->headers, &s->received,
                       text_of(s->jkt, sizeof s->jkt), now_s, s->arena, &s->facts);
}

static void
show(struct stage *s, struct text proof)
{
    headers_init(&s->headers, s->arena);
    put(s, "Authorization", "DPoP ", s->token);
    put(s, "DPoP", "", proof);
}

static int
stage_open(void **state)
{
    static struct stage s;
    struct buf set = { 0 };

    memset(&s, 0, sizeof s);
    s.arena = arena_new();
    s.issuer = key_new();
    s.holder = key_new();
    s.thief = key_new();
    buf_add_z(&set, "{\"keys\":[");
    jwk_print(s.issuer, "k", &set);
    buf_add_z(&set, "]}");
    assert_int_equal(jwks_parse(buf_text(&set), &s.jwks), REASON_OK);
    buf_free(&set);
    key_thumbprint(s.holder, s.jkt);
    s.replays = replay_cache_new(100);
    s.nonces = nonces_new();
    s.policy = (struct dpop_policy){ .origins = origins,
                                     .n_origins = 2,
                                     .replays = s.replays,
                                     .algs = JWS_ALGS_WORKLOAD };
    s.access = (struct access_policy){ .issuer = TEXT(AS),
                                       .audience = TEXT(ORIGIN),
                                       .jwks = s.jwks,
                                       .algs = JWS_ALGS(KEY_ES256) };
    s.received = (struct presented){ .scheme = TEXT("https"),
                                     .method = TEXT("POST"),
                                     .path = TEXT("/v1/orders") };
    assert_int_equal(
        authority_parse(TEXT("orders.example"), 443, &s.received.authority), REASON_OK);
    s.token = token_with(&s, TOKEN_HEADER, TOKEN_CLAIMS);
    *state = &s;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *s = *state;

    key_free(s->issuer);
    key_free(s->holder);
    key_free(s->thief);
    jwks_unref(s->jwks);
    replay_cache_free(s->replays);
    nonces_free(s->nonces);
    arena_free(s->arena);
    return 0;
}

/* ---- proofs */

static void
show_good(struct stage *s)
{
    show(s, proof_with(s, s->holder, s->holder, PROOF_HEADER, PROOF_CLAIMS));
}

static void
a_good_proof_is_taken_once(void **state)
{
    struct stage *s = *state;

    show_good(s);
    assert_true(dpop_is_tried(&s->headers));
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    assert_true(text_equals(s->facts.proof_id, TEXT("e1j3V_bKic8-LAEB")));
    assert_true(text_equals(s->facts.thumbprint, text_of(s->jkt, sizeof s->jkt)));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_REPLAYED);
    assert_int_equal(ask_at(s, NOW + 60), REASON_PROOF_REPLAYED);
    assert_int_equal(ask_at(s, NOW + 61), REASON_PROOF_EXPIRED);
}

/* RFC 9449 section 11.1 knows no query in htu: the proof is one for this path, and used
 * up with whatever query came first. */
static void
another_query_is_taken_but_not_a_second_time(void **state)
{
    struct stage *s = *state;

    show_good(s);
    s->received.query = TEXT("tenant=7");
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    s->received.query = TEXT("tenant=8");
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_REPLAYED);
}

static void
a_proof_is_taken_60_seconds_behind_and_5_ahead(void **state)
{
    static const struct {
        int64_t now_s;
        enum reason why;
    } rows[] = {
        { NOW + 61, REASON_PROOF_EXPIRED },
        { NOW - 6, REASON_PROOF_NOT_YET },
        { NOW - 5, REASON_OK },
        { NOW + 60, REASON_PROOF_REPLAYED }, /* good, but for the one before */
    };
    struct stage *s = *state;

    show_good(s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(ask_at(s, rows[i].now_s), rows[i].why);
    replay_cache_free(s->replays);
    s->policy.replays = s->replays = replay_cache_new(100);
    assert_int_equal(ask_at(s, NOW + 60), REASON_OK);
}

static void
an_id_is_used_up_by_its_own_key_alone(void **state)
{
    struct stage *s = *state;
    char theirs[THUMBPRINT_SIZE];

    show_good(s);
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    key_thumbprint(s->thief, theirs);
    memcpy(s->jkt, theirs, sizeof theirs);
    s->token = token_with(s, TOKEN_HEADER, TOKEN_CLAIMS);
    show(s, proof_with(s, s->thief, s->thief, PROOF_HEADER, PROOF_CLAIMS));
    assert_int_equal(ask_at(s, NOW), REASON_OK);
}

static void
a_proof_that_cannot_be_remembered_is_refused(void **state)
{
    struct stage *s = *state;

    replay_cache_free(s->replays);
    s->policy.replays = s->replays = replay_cache_new(1);
    show_good(s);
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    show(s, proof_with(s, s->holder, s->holder, PROOF_HEADER,
                       "{\"htm\":\"POST\",\"htu\":\"" ORIGIN
                       "/v1/orders\",\"iat\":1800000000,\"jti\":\"2\","
                       "\"ath\":\"ATH\"}"));
    assert_int_equal(ask_at(s, NOW), REASON_REPLAY_CACHE_FULL);
}

/* ---- each way of being bad */

#define CLAIMS(htm, htu, rest) "{\"htm\":\"" htm "\",\"htu\":\"" htu "\"," rest "}"
#define REST                   "\"iat\":1800000000,\"jti\":\"1\",\"ath\":\"ATH\""

static const struct row {
    const char *name, *header, *claims;
    enum reason why;
} rows[] = {
    { "typ JWT", "{\"alg\":\"ES256\",\"jwk\":JWK,\"typ\":\"JWT\"}", NULL,
      REASON_PROOF_TYPE },
    { "no typ", "{\"alg\":\"ES256\",\"jwk\":JWK}", NULL, REASON_PROOF_TYPE },
    { "a WPT", "{\"alg\":\"ES256\",\"jwk\":JWK,\"typ\":\"wpt+jwt\"}", NULL,
      REASON_PROOF_TYPE },
    { "alg none", "{\"alg\":\"none\",\"jwk\":JWK,\"typ\":\"dpop+jwt\"}", NULL,
      REASON_PROOF_ALGORITHM },
    { "alg HS256", "{\"alg\":\"HS256\",\"jwk\":JWK,\"typ\":\"dpop+jwt\"}", NULL,
      REASON_PROOF_ALGORITHM },
    { "alg of another key", "{\"alg\":\"EdDSA\",\"jwk\":JWK,\"typ\":\"dpop+jwt\"}",
      NULL, REASON_PROOF_ALGORITHM },
    { "crit", "{\"alg\":\"ES256\",\"crit\":[\"a\"],\"jwk\":JWK,\"typ\":\"dpop+jwt\"}",
      NULL, REASON_PROOF_MALFORMED },
    { "no jwk", "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}", NULL,
      REASON_PROOF_MALFORMED },
    { "a kid for a jwk", "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"dpop+jwt\"}", NULL,
      REASON_PROOF_MALFORMED },
    { "a jwk that is none", "{\"alg\":\"ES256\",\"jwk\":{},\"typ\":\"dpop+jwt\"}", NULL,
      REASON_PROOF_MALFORMED },
    { "a private key",
      "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\"},"
      "\"typ\":\"dpop+jwt\"}",
      NULL, REASON_PROOF_PRIVATE_KEY },
    { "a repeated member", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders", "\"htm\":\"POST\"," REST),
      REASON_PROOF_MALFORMED },
    { "no htm", NULL, "{\"htu\":\"" ORIGIN "/v1/orders\"," REST "}",
      REASON_PROOF_MALFORMED },
    { "no htu", NULL, "{\"htm\":\"POST\"," REST "}", REASON_PROOF_MALFORMED },
    { "another method", NULL, CLAIMS("GET", ORIGIN "/v1/orders", REST),
      REASON_PROOF_METHOD },
    { "the method in another case", NULL, CLAIMS("post", ORIGIN "/v1/orders", REST),
      REASON_PROOF_METHOD },
    { "another path", NULL, CLAIMS("POST", ORIGIN "/v1/order", REST),
      REASON_PROOF_AUDIENCE },
    { "the path in another case", NULL, CLAIMS("POST", ORIGIN "/v1/Orders", REST),
      REASON_PROOF_AUDIENCE },
    { "a slash more", NULL, CLAIMS("POST", ORIGIN "/v1/orders/", REST),
      REASON_PROOF_AUDIENCE },
    { "two slashes", NULL, CLAIMS("POST", ORIGIN "//v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "an encoded slash", NULL, CLAIMS("POST", ORIGIN "/v1%2Forders", REST),
      REASON_PROOF_AUDIENCE },
    { "no path", NULL, CLAIMS("POST", ORIGIN, REST), REASON_PROOF_AUDIENCE },
    { "another of our names", NULL,
      CLAIMS("POST", "https://other.example/v1/orders", REST), REASON_PROOF_AUDIENCE },
    { "another host", NULL, CLAIMS("POST", "https://evil.example/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "another port", NULL, CLAIMS("POST", ORIGIN ":8443/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "plain http", NULL, CLAIMS("POST", "http://orders.example/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "userinfo", NULL, CLAIMS("POST", "https://a@orders.example/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "userinfo that looks like us", NULL,
      CLAIMS("POST", "https://orders.example@evil.example/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "a dot behind the host", NULL,
      CLAIMS("POST", "https://orders.example./v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "a dot behind the host, and a port", NULL,
      CLAIMS("POST", "https://orders.example.:443/v1/orders", REST),
      REASON_PROOF_AUDIENCE },
    { "a path alone", NULL, CLAIMS("POST", "/v1/orders", REST), REASON_PROOF_AUDIENCE },
    { "nothing", NULL, CLAIMS("POST", "", REST), REASON_PROOF_AUDIENCE },
    { "no iat", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders", "\"jti\":\"1\",\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "iat as text", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":\"1800000000\",\"jti\":\"1\",\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "iat beyond all clocks", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1e300,\"jti\":\"1\",\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "iat ahead", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1800000006,\"jti\":\"1\",\"ath\":\"ATH\""),
      REASON_PROOF_NOT_YET },
    { "iat behind", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1799999939,\"jti\":\"1\",\"ath\":\"ATH\""),
      REASON_PROOF_EXPIRED },
    { "no jti", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders", "\"iat\":1800000000,\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "an empty jti", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1800000000,\"jti\":\"\",\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "a jti with a line's end", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1800000000,\"jti\":\"a\\n\",\"ath\":\"ATH\""),
      REASON_PROOF_MALFORMED },
    { "no ath", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders", "\"iat\":1800000000,\"jti\":\"1\""),
      REASON_PROOF_AUTHORIZATION },
    { "ath of another token", NULL,
      CLAIMS("POST", ORIGIN "/v1/orders",
             "\"iat\":1800000000,\"jti\":\"1\","
             "\"ath\":\"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo\""),
      REASON_PROOF_AUTHORIZATION },
};

static const char *
or_else(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static void
what_is_wrong_with_a_proof_has_a_reason_of_its_own(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reason why;

        show(s,
             proof_with(s, s->holder, s->holder, or_else(rows[i].header, PROOF_HEADER),
                        or_else(rows[i].claims, PROOF_CLAIMS)));
        if ((why = ask_at(s, NOW)) != rows[i].why)
            fail_msg("%s: %s", rows[i].name, reason_token(why));
        assert_true(text_is_empty(s->facts.proof_id));
    }
    show_good(s);
    assert_int_equal(ask_at(s, NOW), REASON_OK); /* nothing was used up */
}

static const struct spelling {
    const char *htu, *path;
} spellings[] = {
    { "HTTPS://ORDERS.EXAMPLE/v1/orders", "/v1/orders" },
    { ORIGIN ":443/v1/orders", "/v1/orders" },
    { ORIGIN "/v1/./x/../orders", "/v1/orders" },
    { ORIGIN "/v1/%6Frders", "/v1/orders" },
    { ORIGIN "/v1/orders?tenant=7", "/v1/orders" },
    { ORIGIN "/v1/orders#top", "/v1/orders" },
    { ORIGIN "/a%2fb", "/a%2Fb" },
    { ORIGIN "/%7euser", "/~user" },
    { ORIGIN, "/" },
    { ORIGIN "?a", "/" },
};

static void
an_address_spelt_otherwise_is_the_same(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct text claims = arena_printf(s->arena,
                                          CLAIMS("POST", "%s",
                                                 "\"iat\":1800000000,\"jti\":\"s%zu\","
                                                 "\"ath\":\"ATH\"") "%c",
                                          spellings[i].htu, i, '\0');

        s->received.path = text_z(spellings[i].path);
        show(s, proof_with(s, s->holder, s->holder, PROOF_HEADER, claims.at));
        if (ask_at(s, NOW) != REASON_OK)
            fail_msg("%s", spellings[i].htu);
    }
}

static void
a_very_long_id_is_refused(void **state)
{
    static char claims[4096];
    struct stage *s = *state;

    for (int n = 256; n <= 257; n++) {
        snprintf(claims, sizeof claims,
                 CLAIMS("POST", ORIGIN "/v1/orders",
                        "\"iat\":1800000000,\"jti\":\"%0*d\",\"ath\":\"ATH\""),
                 n, 0);
        show(s, proof_with(s, s->holder, s->holder, PROOF_HEADER, claims));
        assert_int_equal(ask_at(s, NOW), n == 256 ? REASON_OK : REASON_PROOF_MALFORMED);
    }
}

static void
a_proof_by_any_other_key_is_refused(void **state)
{
    struct stage *s = *state;

    show(s, proof_with(s, s->thief, s->thief, PROOF_HEADER, PROOF_CLAIMS));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_KEY);
    show(s, proof_with(s, s->thief, s->holder, PROOF_HEADER, PROOF_CLAIMS));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_SIGNATURE);
    show(s, proof_with(s, s->holder, s->thief, PROOF_HEADER, PROOF_CLAIMS));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_KEY);
}

/* 70 bytes or so, where r||s has 64. */
static void
a_signature_in_der_is_malformed(void **state)
{
    struct stage *s = *state;
    struct text good = proof_with(s, s->holder, s->holder, PROOF_HEADER, PROOF_CLAIMS);

    show(s, arena_printf(s->arena, "%.*sAAAAAAAA", TEXT_ARG(good)));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_MALFORMED);
}

/* ---- where they stand */

static const struct place_row {
    const char *name;
    struct {
        const char *name, *scheme;
        bool is_proof;
    } fields[3];
    enum reason why;
} places[] = {
    { "no token", { { "DPoP", "", true } }, REASON_TOKEN_MISSING },
    { "no proof", { { "Authorization", "DPoP ", false } }, REASON_PROOF_MISSING },
    { "two proofs",
      { { "Authorization", "DPoP ", false },
        { "DPoP", "", true },
        { "dpop", "", true } },
      REASON_PROOF_REPEATED },
    { "two proofs in one field",
      { { "Authorization", "DPoP ", false }, { "DPoP", "a.b.c, ", true } },
      REASON_PROOF_MALFORMED },
    { "two tokens",
      { { "Authorization", "DPoP ", false },
        { "Authorization", "Bearer ", false },
        { "DPoP", "", true } },
      REASON_TOKEN_REPEATED },
    { "as a bearer's",
      { { "Authorization", "Bearer ", false }, { "DPoP", "", true } },
      REASON_TOKEN_BEARER },
    { "as a bearer's without proof",
      { { "Authorization", "bearer ", false } },
      REASON_TOKEN_BEARER },
    { "of another scheme",
      { { "Authorization", "Basic ", false }, { "DPoP", "", true } },
      REASON_TOKEN_MALFORMED },
    { "with more behind it",
      { { "Authorization", "DPoP a ", false }, { "DPoP", "", true } },
      REASON_TOKEN_MALFORMED },
    { "in any case",
      { { "authorization", "dpop ", false }, { "DPoP", "", true } },
      REASON_OK },
};

static void
one_token_as_bound_and_one_proof_are_looked_for(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct text proof = proof_with(s, s->holder, s->holder, PROOF_HEADER,
                                       PROOF_CLAIMS);
        enum reason why;

        headers_init(&s->headers, s->arena);
        for (size_t f = 0; f < 3 && places[i].fields[f].name != NULL; f++)
            put(s, places[i].fields[f].name, places[i].fields[f].scheme,
                places[i].fields[f].is_proof ? proof : s->token);
        if ((why = ask_at(s, NOW)) != places[i].why)
            fail_msg("%s: %s", places[i].name, reason_token(why));
    }
    dpop_strip(&s->headers);
    assert_int_equal(s->headers.n, 0);
    assert_false(dpop_is_tried(&s->headers));
}

/* ---- nonces */

static struct text
proof_with_nonce(struct stage *s, const char *jti, struct text nonce)
{
    struct text claims = arena_printf(
        s->arena,
        CLAIMS("POST", ORIGIN "/v1/orders",
               "\"iat\":1800000000,\"jti\":\"%s\",\"ath\":\"ATH\","
               "\"nonce\":\"%.*s\"") "%c",
        jti, TEXT_ARG(nonce), '\0');

    return proof_with(s, s->holder, s->holder, PROOF_HEADER, claims.at);
}

static void
where_a_nonce_is_demanded_only_ours_and_only_a_new_one_will_do(void **state)
{
    struct stage *s = *state;
    struct text jkt = text_of(s->jkt, sizeof s->jkt);
    struct nonces *others = nonces_new();
    char room[NONCE_SIZE];

    s->policy.nonces = s->nonces;
    show_good(s);
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_NONCE);
    assert_true(text_equals(s->facts.thumbprint, jkt));
    show(s, proof_with_nonce(s, "1", nonce_make(others, jkt, NOW, room)));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_NONCE);
    show(s, proof_with_nonce(s, "1", nonce_make(s->nonces, jkt, NOW - 120, room)));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_NONCE);
    show(s, proof_with_nonce(s, "1", nonce_make(s->nonces, TEXT("other"), NOW, room)));
    assert_int_equal(ask_at(s, NOW), REASON_PROOF_NONCE);
    show(s, proof_with_nonce(s, "1", nonce_make(s->nonces, jkt, NOW - 60, room)));
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    assert_true(s->facts.nonce_aged);
    show(s, proof_with_nonce(s, "2", nonce_make(s->nonces, jkt, NOW, room)));
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    assert_false(s->facts.nonce_aged);
    show(s, proof_with_nonce(s, "3", nonce_make(s->nonces, text_z(NULL), NOW, room)));
    assert_int_equal(ask_at(s, NOW), REASON_OK);
    nonces_free(others);
}

static void
what_a_client_is_told_follows_from_the_reason(void **state)
{
    (void)state;
    assert_string_equal(dpop_error(REASON_PROOF_NONCE), "use_dpop_nonce");
    assert_string_equal(dpop_error(REASON_TOKEN_EXPIRED), "invalid_token");
    assert_string_equal(dpop_error(REASON_PROOF_KEY), "invalid_dpop_proof");
    assert_null(dpop_error(REASON_REPLAY_CACHE_FULL));
}

/* ---- access tokens */

#define TOKEN(iss, aud, exp, rest)                                                     \
    "{\"iss\":" iss ",\"aud\":" aud ",\"exp\":" exp "," rest "}"
#define GOOD_ISS  "\"" AS "\""
#define GOOD_AUD  "\"" ORIGIN "\""
#define GOOD_EXP  "1800000300"
#define GOOD_REST "\"iat\":1800000000,\"sub\":\"b\",\"client_id\":\"c\",\"jti\":\"t\""

static const struct row tokens[] = {
    { "good", NULL, NULL, REASON_OK },
    { "the long type", "{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\"}", NULL,
      REASON_OK },
    { "an ID token", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", NULL, REASON_TOKEN_TYPE },
    { "no type", "{\"alg\":\"ES256\"}", NULL, REASON_TOKEN_TYPE },
    { "another kid", "{\"alg\":\"ES256\",\"kid\":\"x\",\"typ\":\"at+jwt\"}", NULL,
      REASON_TOKEN_KEY_UNKNOWN },
    { "alg none", "{\"alg\":\"none\",\"typ\":\"at+jwt\"}", NULL,
      REASON_TOKEN_ALGORITHM },
    { "an algorithm that is not taken", "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}", NULL,
      REASON_TOKEN_ALGORITHM },
    { "of another issuer", NULL,
      TOKEN("\"https://evil.example\"", GOOD_AUD, GOOD_EXP, GOOD_REST),
      REASON_TOKEN_UNTRUSTED },
    { "of an issuer with a slash", NULL,
      TOKEN("\"" AS "/\"", GOOD_AUD, GOOD_EXP, GOOD_REST), REASON_TOKEN_UNTRUSTED },
    { "of no issuer", NULL, "{\"aud\":" GOOD_AUD ",\"exp\":1800000300," GOOD_REST "}",
      REASON_TOKEN_UNTRUSTED },
    { "of issuers", NULL, TOKEN("[" GOOD_ISS "]", GOOD_AUD, GOOD_EXP, GOOD_REST),
      REASON_TOKEN_MALFORMED },
    { "for another", NULL,
      TOKEN(GOOD_ISS, "\"https://other.example\"", GOOD_EXP, GOOD_REST),
      REASON_TOKEN_AUDIENCE },
    { "for several", NULL,
      TOKEN(GOOD_ISS, "[\"https://other.example\"," GOOD_AUD "]", GOOD_EXP, GOOD_REST),
      REASON_OK },
    { "for nobody", NULL, TOKEN(GOOD_ISS, "[]", GOOD_EXP, GOOD_REST),
      REASON_TOKEN_AUDIENCE },
    { "expired within the skew", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, "1799999996", GOOD_REST), REASON_OK },
    { "expired", NULL, TOKEN(GOOD_ISS, GOOD_AUD, "1799999995", GOOD_REST),
      REASON_TOKEN_EXPIRED },
    { "a time with a fraction", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, "1800000000.5", GOOD_REST), REASON_OK },
    { "no end", NULL, "{\"iss\":" GOOD_ISS ",\"aud\":" GOOD_AUD "," GOOD_REST "}",
      REASON_TOKEN_MALFORMED },
    { "not yet", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP, GOOD_REST ",\"nbf\":1800000006"),
      REASON_TOKEN_NOT_YET },
    { "no subject", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP,
            "\"iat\":1800000000,\"client_id\":\"c\",\"jti\":\"t\""),
      REASON_TOKEN_MALFORMED },
    { "no iat", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP,
            "\"sub\":\"b\",\"client_id\":\"c\",\"jti\":\"t\""),
      REASON_TOKEN_MALFORMED },
    { "a subject for another line", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP,
            "\"iat\":1800000000,\"sub\":\"b\\r\\n\",\"client_id\":\"c\",\"jti\":\"t\""),
      REASON_TOKEN_MALFORMED },
    { "bound in a way we do not know", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP, GOOD_REST ",\"cnf\":{\"kid\":\"a\"}"),
      REASON_TOKEN_MALFORMED },
    { "bound to something short", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP, GOOD_REST ",\"cnf\":{\"jkt\":\"a\"}"),
      REASON_TOKEN_MALFORMED },
    { "bound to nothing", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP, GOOD_REST ",\"cnf\":{}"),
      REASON_TOKEN_MALFORMED },
    { "a repeated claim", NULL,
      TOKEN(GOOD_ISS, GOOD_AUD, GOOD_EXP, GOOD_REST ",\"sub\":\"c\""),
      REASON_TOKEN_MALFORMED },
};

static void
an_access_token_is_judged_claim_by_claim(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct text token = token_with(s, or_else(tokens[i].header, TOKEN_HEADER),
                                       or_else(tokens[i].claims, TOKEN_CLAIMS));
        struct access a;
        enum reason why = access_token_verify(&s->access, token, NOW, s->arena, &a);

        if (why != tokens[i].why)
            fail_msg("%s: %s", tokens[i].name, reason_token(why));
        assert_int_equal(text_is_empty(a.issuer), why != REASON_OK);
    }
}

static void
what_a_good_access_token_says_is_told(void **state)
{
    struct stage *s = *state;
    struct access a;

    assert_true(text_equals(access_token_issuer(s->token, s->arena), TEXT(AS)));
    assert_true(text_is_empty(access_token_issuer(TEXT("opaque"), s->arena)));
    assert_int_equal(access_token_verify(&s->access, s->token, NOW, s->arena, &a),
                     REASON_OK);
    assert_true(text_equals(a.subject, TEXT("builder")));
    assert_true(text_equals(a.client_id, TEXT("c")));
    assert_true(text_equals(a.jti, TEXT("t-1")));
    assert_true(text_equals(a.jkt, text_of(s->jkt, sizeof s->jkt)));
    assert_true(text_is_empty(a.x5t));
    assert_int_equal(a.exp_s, NOW + 300);
    assert_true(access_has_scope(&a, TEXT("a")) && access_has_scope(&a, TEXT("b:c")));
    assert_false(access_has_scope(&a, TEXT("b")) || access_has_scope(&a, TEXT("")));
}

static void
an_access_token_by_another_key_is_refused(void **state)
{
    struct stage *s = *state;
    struct text token = sealed(s, s->thief, TEXT(TOKEN_HEADER), TEXT(TOKEN_CLAIMS));
    struct access a;

    assert_int_equal(access_token_verify(&s->access, TEXT("opaque"), NOW, s->arena, &a),
                     REASON_TOKEN_MALFORMED);
    token = sealed(
        s, s->thief, TEXT(TOKEN_HEADER),
        replaced(s->arena, TEXT(TOKEN_CLAIMS), "JKT", text_of(s->jkt, sizeof s->jkt)));
    assert_int_equal(access_token_verify(&s->access, token, NOW, s->arena, &a),
                     REASON_TOKEN_SIGNATURE);
}

#define ACTIVE "\"active\":true,\"exp\":1800000300,\"aud\":" GOOD_AUD

static const struct answer {
    const char *name, *json;
    enum reason why;
} answers[] = {
    { "good", "{" ACTIVE "}", REASON_OK },
    { "bound",
      "{" ACTIVE ",\"cnf\":{\"x5t#S256\":\"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O8"
      "9jdN-dg2\"},\"scope\":\"a\",\"iss\":" GOOD_ISS "}",
      REASON_OK },
    { "not active", "{\"active\":false}", REASON_TOKEN_INACTIVE },
    { "not active, but for the rest", "{\"active\":false,\"exp\":1800000300}",
      REASON_TOKEN_INACTIVE },
    { "active in words", "{\"active\":\"true\",\"exp\":1800000300}",
      REASON_TOKEN_MALFORMED },
    { "says nothing", "{}", REASON_TOKEN_MALFORMED },
    { "is no object", "true", REASON_TOKEN_MALFORMED },
    { "is no JSON", "<html>", REASON_TOKEN_MALFORMED },
    { "expired", "{\"active\":true,\"exp\":1799999995,\"aud\":" GOOD_AUD "}",
      REASON_TOKEN_EXPIRED },
    { "no end", "{\"active\":true,\"aud\":" GOOD_AUD "}", REASON_OK },
    { "an end in words", "{\"active\":true,\"exp\":\"later\",\"aud\":" GOOD_AUD "}",
      REASON_TOKEN_MALFORMED },
    { "of another", "{" ACTIVE ",\"iss\":\"https://evil.example\"}",
      REASON_TOKEN_UNTRUSTED },
    { "for another", "{\"active\":true,\"exp\":1800000300,\"aud\":\"x\"}",
      REASON_TOKEN_AUDIENCE },
    { "for nobody", "{\"active\":true,\"exp\":1800000300}", REASON_TOKEN_AUDIENCE },
};

static void
an_issuers_answer_is_judged_as_its_tokens_are(void **state)
{
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct access a;
        enum reason why = access_from_introspection(&s->access, text_z(answers[i].json),
                                                    NOW, s->arena, &a);

        if (why != answers[i].why)
            fail_msg("%s: %s", answers[i].name, reason_token(why));
        if (why == REASON_OK)
            assert_true(text_equals(a.issuer, TEXT(AS)));
    }
}

/* ---- published */

static void
the_proofs_of_the_rfc_are_good_proofs_of_their_time(void **state)
{
    static const char *const theirs[] = { "https://server.example.com",
                                          "https://resource.example.org" };
    struct json *root = published("rfc9449/dpop-examples.json");
    const struct json *all = json_get(root, "tokens");
    struct stage *s = *state;
    size_t taken = 0;

    s->policy.origins = theirs;
    s->token = member_text(root, "access_token");
    memcpy(s->jkt, member_text(root, "bound_token_jkt").at, THUMBPRINT_SIZE);
    for (size_t i = 0; i < json_count(all); i++) {
        const struct json *claims = json_get(json_at(all, i), "claims");
        struct text htu = member_text(claims, "htu"), host;
        int64_t iat;

        if (json_get(claims, "ath") == NULL ||
            !json_number(json_get(claims, "iat"), &iat))
            continue;
        assert_true(text_starts(htu, text_z(theirs[1])));
        host = TEXT("resource.example.org");
        assert_int_equal(authority_parse(host, 443, &s->received.authority), REASON_OK);
        s->received.method = member_text(claims, "htm");
        s->received.path = text_of(htu.at + strlen(theirs[1]),
                                   htu.n - strlen(theirs[1]));
        show(s, member_text(json_at(all, i), "token"));
        assert_int_equal(ask_at(s, iat + 1), REASON_OK);
        assert_int_equal(ask_at(s, iat + 1), REASON_PROOF_REPLAYED);
        taken++;
    }
    assert_true(taken > 0);
    json_free(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_proof_is_taken_once),
        TEST(another_query_is_taken_but_not_a_second_time),
        TEST(a_proof_is_taken_60_seconds_behind_and_5_ahead),
        TEST(an_id_is_used_up_by_its_own_key_alone),
        TEST(a_proof_that_cannot_be_remembered_is_refused),
        TEST(what_is_wrong_with_a_proof_has_a_reason_of_its_own),
        TEST(an_address_spelt_otherwise_is_the_same),
        TEST(a_very_long_id_is_refused),
        TEST(a_proof_by_any_other_key_is_refused),
        TEST(a_signature_in_der_is_malformed),
        TEST(one_token_as_bound_and_one_proof_are_looked_for),
        TEST(where_a_nonce_is_demanded_only_ours_and_only_a_new_one_will_do),
        TEST(what_a_client_is_told_follows_from_the_reason),
        TEST(an_access_token_is_judged_claim_by_claim),
        TEST(what_a_good_access_token_says_is_told),
        TEST(an_access_token_by_another_key_is_refused),
        TEST(an_issuers_answer_is_judged_as_its_tokens_are),
        TEST(the_proofs_of_the_rfc_are_good_proofs_of_their_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

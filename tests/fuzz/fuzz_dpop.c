/* The gate's verdict on access tokens and DPoP proofs, and what strangers say about
 * them. An input is seven lines: the token's header and claims, the proof's header and
 * claims, the target, a WWW-Authenticate field; and an issuer's answer, which may have
 * more. Token and proof are signed with the right keys, so that the reading behind the
 * signature is reached; ATH, JKT and JWK in them stand for the right digests and the
 * holder's key. Who is let in said what a careful reader would insist on; and is let in
 * once. */
#include "tests/fuzz/fuzz.h"

#include "base/digest.h"
#include "base/path.h"
#include "tokens/access_token.h"
#include "tokens/dpop_verify.h"

enum { NOW = 1800000000, PIECE_MAX = 4096 };

#define AS     "https://as.example"
#define ORIGIN "https://orders.example"

static const char *const origins[] = { ORIGIN };

static struct key *issuer, *holder;
static struct jwks *jwks;
static struct nonces *nonces;
static char jkt[THUMBPRINT_SIZE];
static struct buf jwk;

static void
leave(void)
{
    key_free(issuer);
    key_free(holder);
    jwks_unref(jwks);
    nonces_free(nonces);
    buf_free(&jwk);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct buf set = { 0 };

    (void)argc, (void)argv;
    log_to_nowhere();
    issuer = key_new();
    holder = key_new();
    nonces = nonces_new();
    buf_add_z(&set, "{\"keys\":[");
    jwk_print(issuer, "k", &set);
    buf_add_z(&set, "]}");
    PROMISE(jwks_parse(buf_text(&set), &jwks) == REASON_OK);
    buf_free(&set);
    jwk_print(holder, NULL, &jwk);
    key_thumbprint(holder, jkt);
    atexit(leave);
    return 0;
}

/* ---- the request */

/* The text, with `word` in it replaced where it stands first. */
static struct text
replaced(struct arena *a, struct text t, const char *word, struct text with)
{
    size_t n = strlen(word), before;
    const char *at = t.n == 0 ? NULL : memmem(t.at, t.n, word, n);
    char *mem;

    if (at == NULL)
        return t;
    before = (size_t)(at - t.at);
    mem = arena_alloc(a, t.n - n + with.n);
    memcpy(mem, t.at, before);
    memcpy(mem + before, with.at, with.n);
    memcpy(mem + before + with.n, at + n, t.n - before - n);
    return text_of(mem, t.n - n + with.n);
}

static struct text
take_piece(struct text *in)
{
    struct text t = take_part(in, '\n');

    return t.n < PIECE_MAX ? t : text_of(t.at, PIECE_MAX);
}

static struct text
sealed(struct arena *a, struct key *k, struct text header, struct text claims)
{
    struct buf spelt = { 0 }, out = { 0 };
    struct text compact;

    buf_commit(&spelt,
               base64url_encode((const unsigned char *)header.at, header.n,
                                buf_reserve(&spelt, BASE64URL_SIZE(header.n) + 1)));
    PROMISE(jws_sign(k, buf_text(&spelt), claims, &out) == REASON_OK);
    compact = arena_copy(a, buf_text(&out));
    buf_free(&spelt);
    buf_free(&out);
    return compact;
}

/* ---- the careful reader */

static struct json *
claims_of(struct text compact)
{
    struct json *claims;
    struct jws j;

    PROMISE(jws_parse_among(compact, JWS_ALGS_ALL, &j) == JWS_FINE);
    claims = j.claims;
    j.claims = NULL;
    jws_clear(&j);
    return claims;
}

static void
promise_tame(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        PROMISE(t.at[i] >= ' ' && t.at[i] < 0x7f);
}

static void
promise_access(const struct access *a)
{
    const struct text all[] = { a->issuer, a->subject, a->client_id, a->jti,
                                a->scope,  a->jkt,     a->x5t };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        promise_tame(all[i]);
    PROMISE(text_equals(a->issuer, TEXT(AS)));
    PROMISE(a->jkt.n == 0 || a->jkt.n == THUMBPRINT_SIZE);
    PROMISE(a->x5t.n == 0 || a->x5t.n == THUMBPRINT_SIZE);
}

static void
promise_proof(struct text compact, struct text token, const struct dpop_facts *facts)
{
    struct json *claims = claims_of(compact);
    char ath[DPOP_ATH_SIZE];
    int64_t iat;

    dpop_ath(token, ath);
    PROMISE(text_equals(json_text_of(claims, "htm"), TEXT("POST")));
    PROMISE(text_equals(json_text_of(claims, "ath"), text_of(ath, sizeof ath)));
    PROMISE(text_equals(json_text_of(claims, "jti"), facts->proof_id));
    PROMISE(json_number(json_get(claims, "iat"), &iat));
    PROMISE(iat >= NOW - DPOP_BACK_S && iat <= NOW + DPOP_AHEAD_S);
    promise_tame(facts->proof_id);
    PROMISE(facts->proof_id.n > 0);
    PROMISE(text_equals(facts->thumbprint, text_of(jkt, sizeof jkt)));
    json_free(claims);
}

/* ---- asking */

static void
judge_token(struct arena *a, struct text token)
{
    const struct access_policy policy = { .issuer = TEXT(AS),
                                          .audience = TEXT(ORIGIN),
                                          .jwks = jwks,
                                          .algs = JWS_ALGS(KEY_ES256) };
    struct access access;

    promise_tame(access_token_issuer(token, a));
    if (access_token_verify(&policy, token, NOW, a, &access) == REASON_OK) {
        promise_access(&access);
        PROMISE(access.exp_s > NOW - ACCESS_SKEW_S);
        PROMISE(text_equals(access_token_issuer(token, a), access.issuer));
    }
}

static void
judge_answer(struct arena *a, struct text json)
{
    const struct access_policy policy = { .issuer = TEXT(AS),
                                          .audience = TEXT(ORIGIN) };
    struct access access;

    if (access_from_introspection(&policy, json, NOW, a, &access) == REASON_OK) {
        promise_access(&access);
        PROMISE(access.exp_s == 0 || access.exp_s > NOW - ACCESS_SKEW_S);
    }
}

static void
judge_proof(struct arena *a, struct text token, struct text proof, struct text target)
{
    struct replay_cache *replays = replay_cache_new(64);
    const struct dpop_policy policy = {
        .origins = origins, .n_origins = 1, .replays = replays, .algs = JWS_ALGS_ALL
    };
    struct presented received = { .scheme = TEXT("https"), .method = TEXT("POST") };
    struct dpop_facts facts;
    struct headers h;
    struct text bound = text_of(jkt, sizeof jkt);

    PROMISE(authority_parse(TEXT("orders.example"), 443, &received.authority) ==
            REASON_OK);
    headers_init(&h, a);
    headers_add(&h, TEXT("Authorization"),
                arena_printf(a, "DPoP %.*s", TEXT_ARG(token)));
    headers_add(&h, TEXT("DPoP"), proof);
    if (path_normalise(a, target, &received.path, &received.query) == REASON_OK &&
        dpop_verify(&policy, &h, &received, bound, NOW, a, &facts) == REASON_OK) {
        promise_proof(proof, token, &facts);
        PROMISE(dpop_verify(&policy, &h, &received, bound, NOW, a, &facts) ==
                REASON_PROOF_REPLAYED);
        received.method = TEXT("GET");
        PROMISE(dpop_verify(&policy, &h, &received, bound, NOW, a, &facts) ==
                REASON_PROOF_METHOD);
    }
    replay_cache_free(replays);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size), part[6], token, proof;
    struct arena *a = arena_new();
    char ath[DPOP_ATH_SIZE];

    for (size_t i = 0; i < 6; i++)
        part[i] = take_piece(&in);
    token = sealed(a, issuer, part[0],
                   replaced(a, part[1], "JKT", text_of(jkt, sizeof jkt)));
    dpop_ath(token, ath);
    proof = sealed(a, holder, replaced(a, part[2], "JWK", buf_text(&jwk)),
                   replaced(a, part[3], "ATH", text_of(ath, sizeof ath)));
    judge_token(a, token);
    judge_proof(a, token, proof, part[4]);
    if (dpop_challenges(part[5]))
        PROMISE(memmem(part[5].at, part[5].n, "use_dpop_nonce", 14) != NULL);
    judge_answer(a, in);
    arena_free(a);
    return 0;
}

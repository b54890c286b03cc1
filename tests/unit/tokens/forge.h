/* A good request to a gate, in pieces that a test may spoil before they are signed. */
#ifndef TESTS_TOKENS_FORGE_H
#define TESTS_TOKENS_FORGE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/file.h"
#include "tokens/binding.h"
#include "tokens/jws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW                                                                            \
    1800000000 /* exp of the good token: 1800000900; of the good proof: 1800000030 */
#define ORIGIN   "https://orders.example"
#define WORKLOAD "spiffe://prod.example/ns/agents/sa/builder"

/* The pieces of text of which a request is made. */
enum piece {
    NO_PIECE,
    WIT_HEADER, /* JSON, before it is encoded and signed */
    WIT_CLAIMS,
    WPT_HEADER,
    WPT_CLAIMS,
    WIT_FIELD, /* the compact form, after it was signed and hashed */
    WPT_FIELD,
    FIELDS, /* "Name: value\n" each, besides the two */
    METHOD,
    PATH,
    QUERY, /* "-": the request has none */
    BODY,  /* "-": not known */
    PIECES
};

enum { PIECE_MAX = 24 * 1024 };

enum signer { PROPER, OTHER_DOMAIN, THIEF };

/* Who signs what. */
struct scene {
    char directory[32];
    struct key *ours, *theirs, *holder,
        *thief; /* authorities of two domains; two workloads */
    struct trust_anchors *anchors;
    struct replay_cache *replays;
    struct verifier verifier;
};

struct forged {
    char at[PIECES][PIECE_MAX];
};

static inline struct text
piece(const struct forged *f, enum piece p)
{
    return text_z(f->at[p]);
}

static inline void
jwks_write(const char *path, const struct key *k, const char *kid)
{
    struct buf json = { 0 };

    buf_add_z(&json, "{\"keys\":[");
    jwk_print(k, kid, &json);
    buf_add_z(&json, "]}");
    assert_int_equal(file_write(path, 0644, buf_text(&json)), REASON_OK);
    buf_free(&json);
}

static inline void
trust_add(struct scene *s, const struct key *k, const char *domain,
          const char *const *subjects, size_t n)
{
    static const char *const issuers[] = { "https://issuer.example" };
    char path[64];

    snprintf(path, sizeof path, "%s/jwks.json", s->directory);
    jwks_write(path, k, domain);
    assert_int_equal(
        trust_anchors_add(s->anchors, domain, path, subjects, n, issuers, 1),
        REASON_OK);
    unlink(path);
}

static inline void
scene_open(struct scene *s)
{
    static const char *const ours[] = { "spiffe://prod.example/ns/agents/*",
                                        "wimse://prod.example/one" };
    static const char *const theirs[] = { "spiffe://other.example/*" };
    static const char *const origins[] = { "https://alias.example:8443", ORIGIN };

    memset(s, 0, sizeof *s);
    strcpy(s->directory, "/tmp/holdfast-tokens-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    s->ours = key_new();
    s->theirs = key_new();
    s->holder = key_new();
    s->thief = key_new();
    s->anchors = trust_anchors_new();
    trust_add(s, s->ours, "prod.example", ours, 2);
    trust_add(s, s->theirs, "other.example", theirs, 1);
    s->replays = replay_cache_new(1000);
    s->verifier = (struct verifier){
        .anchors = s->anchors,
        .replays = s->replays,
        .origins = origins,
        .n_origins = 2,
        .max_proof_s = 60,
        .skew_s = 5,
    };
}

static inline void
scene_close(struct scene *s)
{
    key_free(s->ours);
    key_free(s->theirs);
    key_free(s->holder);
    key_free(s->thief);
    trust_anchors_free(s->anchors);
    replay_cache_free(s->replays);
    rmdir(s->directory);
}

/* Whatever must still be said of the request: its digests, in base64url. */
static inline const char *
digest_z(struct text t, char out[SHA256_BASE64URL_SIZE + 1])
{
    digest_sha256_base64url(t, out);
    out[SHA256_BASE64URL_SIZE] = '\0';
    return out;
}

static inline void
forge_token(const struct scene *s, struct forged *f)
{
    struct buf jwk = { 0 };

    jwk_print(s->holder, NULL, &jwk);
    strcpy(f->at[WIT_HEADER],
           "{\"alg\":\"ES256\",\"kid\":\"prod.example\",\"typ\":\"wit+jwt\"}");
    snprintf(f->at[WIT_CLAIMS], PIECE_MAX,
             "{\"iss\":\"spiffe://prod.example\",\"sub\":\"" WORKLOAD "\","
             "\"iat\":1800000000,\"exp\":1800000900,\"jti\":\"wit-1\","
             "\"cnf\":{\"jwk\":%.*s},"
             "\"" CLAIM_CONTEXT
             "\":{\"grant\":\"nightly-orders\",\"owner\":\"orders-team@example\","
             "\"purpose\":\"nightly-export\",\"task\":\"task-7\"}}",
             TEXT_ARG(buf_text(&jwk)));
    buf_free(&jwk);
}

static inline void
forge_proof(struct forged *f)
{
    char query[SHA256_BASE64URL_SIZE + 1], body[SHA256_BASE64URL_SIZE + 1];

    strcpy(f->at[METHOD], "POST");
    strcpy(f->at[PATH], "/v1/orders");
    strcpy(f->at[QUERY], "tenant=7");
    strcpy(f->at[BODY], "{\"item\":1}");
    strcpy(f->at[WPT_HEADER], "{\"alg\":\"ES256\",\"typ\":\"wpt+jwt\"}");
    snprintf(f->at[WPT_CLAIMS], PIECE_MAX,
             "{\"wth\":\"WTH\",\"aud\":\"" ORIGIN "/v1/orders\",\"exp\":1800000030,"
             "\"jti\":\"proof-1\",\"" CLAIM_REQUEST "\":{\"method\":\"POST\","
             "\"query\":\"%s\",\"body\":\"%s\"}}",
             digest_z(piece(f, QUERY), query), digest_z(piece(f, BODY), body));
}

static inline void
forge(const struct scene *s, struct forged *f)
{
    memset(f, 0, sizeof *f);
    forge_token(s, f);
    forge_proof(f);
}

/* from NULL: the whole piece becomes `to`. Else the first `from`, which must be there:
 * a spoiling that changes nothing would prove nothing. */
static inline void
spoil(struct forged *f, enum piece p, const char *from, const char *to)
{
    static char rest[PIECE_MAX];
    char *at = f->at[p];

    if (p == NO_PIECE)
        return;
    if (from == NULL) {
        snprintf(at, PIECE_MAX, "%s", to);
        return;
    }
    at = strstr(at, from);
    assert_non_null(at);
    strcpy(rest, at + strlen(from));
    assert_true((size_t)(at - f->at[p]) + strlen(to) + strlen(rest) < PIECE_MAX);
    strcpy(at, to);
    strcat(at, rest);
}

static inline void
sign(struct key *k, struct text header, struct text claims, char out[PIECE_MAX])
{
    static char encoded[PIECE_MAX];
    struct buf compact = { 0 };
    size_t n = base64url_encode((const unsigned char *)header.at, header.n, encoded);

    assert_int_equal(jws_sign(k, text_of(encoded, n), claims, &compact), REASON_OK);
    snprintf(out, PIECE_MAX, "%.*s", TEXT_ARG(buf_text(&compact)));
    buf_free(&compact);
}

static inline void
seal_token(struct scene *s, struct forged *f, enum signer by)
{
    struct key *keys[] = { s->ours, s->theirs, s->thief };

    sign(keys[by], piece(f, WIT_HEADER), piece(f, WIT_CLAIMS), f->at[WIT_FIELD]);
}

/* After the token: WTH in the claims becomes its hash. */
static inline void
seal_proof(struct scene *s, struct forged *f, enum signer by)
{
    struct key *keys[] = { s->holder, s->theirs, s->thief };
    char wth[SHA256_BASE64URL_SIZE + 1];

    if (strstr(f->at[WPT_CLAIMS], "WTH") != NULL)
        spoil(f, WPT_CLAIMS, "WTH", digest_z(piece(f, WIT_FIELD), wth));
    sign(keys[by], piece(f, WPT_HEADER), piece(f, WPT_CLAIMS), f->at[WPT_FIELD]);
}

static inline void
add_fields(struct headers *h, struct text lines)
{
    struct text line, name;

    while (lines.n > 0 && text_split(&lines, '\n', &line)) {
        if (text_split(&line, ':', &name))
            headers_add(h, name, text_trim(line));
    }
}

/* What the gate answers to it. */
static inline enum reason
ask(const struct scene *s, const struct forged *f, int64_t now_s, struct arena *arena,
    struct facts *facts)
{
    struct request request = { .method = piece(f, METHOD) };
    struct presented received = {
        .scheme = TEXT("https"),
        .method = piece(f, METHOD),
        .path = piece(f, PATH),
        .body_known = strcmp(f->at[BODY], "-") != 0,
    };

    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &received.authority),
                     REASON_OK);
    if (strcmp(f->at[QUERY], "-") != 0)
        received.query = piece(f, QUERY);
    if (received.body_known)
        received.body = piece(f, BODY);
    headers_init(&request.headers, arena);
    if (f->at[WIT_FIELD][0] != '\0')
        headers_add(&request.headers, TEXT("workload-identity-token"),
                    piece(f, WIT_FIELD));
    if (f->at[WPT_FIELD][0] != '\0')
        headers_add(&request.headers, TEXT("Workload-Proof-Token"),
                    piece(f, WPT_FIELD));
    add_fields(&request.headers, piece(f, FIELDS));
    return proof_verify(&s->verifier, &request, &received, now_s, arena, facts);
}

#endif

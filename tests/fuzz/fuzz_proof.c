/* The gate's verdict on tokens and proofs. An input is five lines and a body: the
 * token's header and claims, the proof's header and claims, the target, and what is
 * left is the body. They are signed with the right keys, so that the reading behind the
 * signature is reached; WTH, JWK, QUERY and BODY in them stand for the right digests
 * and the holder's key. Who is let in said what a careful reader would insist on; and
 * is let in once. */
#include "tests/fuzz/fuzz.h"

#include "base/path.h"
#include "tests/unit/tokens/forge.h"

static struct scene scene;

static void
leave(void)
{
    scene_close(&scene);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    scene_open(&scene);
    atexit(leave);
    return 0;
}

/* ---- the request */

/* The piece, with `word` in it replaced where it stands first. */
static void
replace(struct forged *f, enum piece p, const char *word, struct text with)
{
    char *at = strstr(f->at[p], word);
    size_t n = strlen(f->at[p]), length = strlen(word);

    if (at == NULL || n + with.n >= PIECE_MAX)
        return;
    memmove(at + with.n, at + length, strlen(at + length) + 1);
    memcpy(at, with.at, with.n);
}

static void
put_piece(struct forged *f, enum piece p, struct text t)
{
    snprintf(f->at[p], PIECE_MAX / 2, "%.*s", (int)(t.n < 4096 ? t.n : 4096), t.at);
}

static bool
put_target(struct forged *f, struct arena *a, struct text target)
{
    struct text path, query;

    if (path_normalise(a, target, &path, &query) != REASON_OK)
        return false;
    put_piece(f, PATH, path);
    put_piece(f, QUERY, query.at == NULL ? TEXT("-") : query);
    return true;
}

static void
put_digests(struct forged *f)
{
    char digest[SHA256_BASE64URL_SIZE + 1];
    struct buf jwk = { 0 };

    jwk_print(scene.holder, NULL, &jwk);
    replace(f, WIT_CLAIMS, "JWK", buf_text(&jwk));
    replace(f, WPT_CLAIMS, "QUERY", text_z(digest_z(piece(f, QUERY), digest)));
    replace(f, WPT_CLAIMS, "OTH", text_z(digest_z(TEXT("abc"), digest)));
    replace(f, WPT_CLAIMS, "BODY", text_z(digest_z(piece(f, BODY), digest)));
    buf_free(&jwk);
}

static bool
forge_from(struct forged *f, struct arena *a, struct text in)
{
    memset(f, 0, sizeof *f);
    put_piece(f, METHOD, TEXT("POST"));
    put_piece(f, WIT_HEADER, take_part(&in, '\n'));
    put_piece(f, WIT_CLAIMS, take_part(&in, '\n'));
    put_piece(f, WPT_HEADER, take_part(&in, '\n'));
    put_piece(f, WPT_CLAIMS, take_part(&in, '\n'));
    if (!put_target(f, a, take_part(&in, '\n')))
        return false;
    put_piece(f, FIELDS, take_part(&in, '\n'));
    put_piece(f, BODY, in);
    put_digests(f);
    seal_token(&scene, f, PROPER);
    seal_proof(&scene, f, PROPER);
    return true;
}

/* ---- the careful reader */

static struct text
said(const struct json *claims, const char *name)
{
    struct text t = { NULL, 0 };

    PROMISE(json_string(json_get(claims, name), &t));
    return t;
}

static void
promise_times(const struct json *claims, int64_t longest)
{
    int64_t exp, at;

    PROMISE(json_number(json_get(claims, "exp"), &exp));
    PROMISE(exp > NOW - 6 && exp <= longest);
    if (json_get(claims, "iat") != NULL)
        PROMISE(json_number(json_get(claims, "iat"), &at) && at <= NOW + 5);
    if (json_get(claims, "nbf") != NULL)
        PROMISE(json_number(json_get(claims, "nbf"), &at) && at <= NOW + 5);
}

static void
promise_token(const struct forged *f, const struct facts *facts)
{
    struct json *claims = json_parse(piece(f, WIT_CLAIMS), PIECE_MAX);
    struct text sub = said(claims, "sub");
    const struct json *context = json_get(claims, CLAIM_CONTEXT);

    PROMISE(text_starts(sub, TEXT("spiffe://prod.example/ns/agents/")) ||
            text_equals(sub, TEXT("wimse://prod.example/one")));
    PROMISE(text_equals(sub, facts->context.workload));
    PROMISE(text_equals(said(context, "grant"), facts->context.grant));
    PROMISE(text_equals(said(context, "task"), facts->context.task));
    PROMISE(json_get(claims, "aud") == NULL);
    promise_times(claims, INT64_MAX);
    json_free(claims);
}

static void
promise_proof(const struct forged *f, const struct facts *facts)
{
    struct json *claims = json_parse(piece(f, WPT_CLAIMS), PIECE_MAX);
    const struct json *req = json_get(claims, CLAIM_REQUEST);
    char digest[SHA256_BASE64URL_SIZE + 1], audience[PIECE_MAX + 64];

    snprintf(audience, sizeof audience, "%s%s", ORIGIN, f->at[PATH]);
    PROMISE(text_equals(said(claims, "aud"), text_z(audience)));
    PROMISE(text_equals(said(claims, "wth"),
                        text_z(digest_z(piece(f, WIT_FIELD), digest))));
    PROMISE(text_equals(said(claims, "jti"), facts->proof_id));
    PROMISE(text_equals(said(req, "method"), TEXT("POST")));
    PROMISE((json_get(req, "query") != NULL) == (strcmp(f->at[QUERY], "-") != 0));
    PROMISE((json_get(req, "body") != NULL) == facts->body_covered);
    if (facts->body_covered)
        PROMISE(
            text_equals(said(req, "body"), text_z(digest_z(piece(f, BODY), digest))));
    promise_times(claims, NOW + 60);
    json_free(claims);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct forged f;
    struct arena *a = arena_new();
    struct facts facts;

    replay_cache_free(scene.replays);
    scene.verifier.replays = scene.replays = replay_cache_new(64);
    if (forge_from(&f, a, input_of(data, size)) &&
        ask(&scene, &f, NOW, a, &facts) == REASON_OK) {
        promise_token(&f, &facts);
        promise_proof(&f, &facts);
        PROMISE(ask(&scene, &f, NOW, a, &facts) == REASON_PROOF_REPLAYED);
    }
    arena_free(a);
    return 0;
}

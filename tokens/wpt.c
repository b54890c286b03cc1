/* The workload proof token (draft-ietf-wimse-wpt): a signature over this very request,
 * made at the moment of sending. Its cost is one ECDSA signature; everything else is
 * written straight into a buffer that is kept. */
#include "tokens/presenter.h"

#include "base/digest.h"
#include "base/json.h"
#include "tokens/carried.h"
#include "tokens/claims.h"

#include <assert.h>

enum {
    PROOF_SECONDS =
        30, /* STANDARDS: who may ask us to sign must not be able to hoard */
    HTTPS_PORT = 443
};

#define HEADER       "{\"alg\":\"ES256\",\"typ\":\"wpt+jwt\"}"
#define CLAIMS_FRONT "{\"wth\":\""
/* base64url(SHA-256("")): most requests have no body. */
#define DIGEST_OF_NOTHING "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

static void
encode(struct buf *out, struct text t)
{
    buf_commit(out, base64url_encode((const unsigned char *)t.at, t.n,
                                     buf_reserve(out, BASE64URL_SIZE(t.n))));
}

void
wpt_prepare(struct text wit, struct buf *out)
{
    char front[sizeof CLAIMS_FRONT - 1 + SHA256_BASE64URL_SIZE] = CLAIMS_FRONT;

    /* A whole number of base64 groups, so that what follows can be encoded alone. */
    _Static_assert(sizeof front % 3 == 0, "the constant claims must fill their groups");
    digest_sha256_base64url(wit, front + sizeof CLAIMS_FRONT - 1);
    encode(out, TEXT(HEADER));
    buf_add_byte(out, '.');
    encode(out, text_of(front, sizeof front));
}

/* separator and name first, then the digest of t in quotes. */
static void
write_digest(struct buf *out, const char *name_and_colon, struct text t)
{
    char digest[SHA256_BASE64URL_SIZE];

    buf_add_z(out, name_and_colon);
    buf_add_byte(out, '"');
    if (t.n == 0) {
        buf_add(out, TEXT(DIGEST_OF_NOTHING));
    } else {
        digest_sha256_base64url(t, digest);
        buf_add(out, text_of(digest, sizeof digest));
    }
    buf_add_byte(out, '"');
}

/* The target URI without its query: what we will send, not what we received. */
static void
write_audience(struct presenter *p, const struct presented *request)
{
    char authority[AUTHORITY_PRINT_SIZE];
    struct buf *uri = &p->proof;

    buf_add(uri, request->scheme);
    buf_add(uri, TEXT("://"));
    buf_add(uri, authority_print(&request->authority, HTTPS_PORT, authority));
    buf_add(uri, request->path);
    buf_add(&p->claims, TEXT("\",\"aud\":"));
    json_write_string(&p->claims, buf_text(uri));
    buf_drop(uri, buf_length(uri));
}

static void
write_others(struct buf *out, const struct carried *carried)
{
    const char *before = ",\"oth\":{\"";
    bool any = false;

    for (size_t i = 0; i < CARRIED_OTHERS; i++) {
        if (carried->others[i].at == NULL)
            continue;
        buf_add_z(out, before);
        buf_add(out, carried_names[i]);
        write_digest(out, "\":", carried->others[i]);
        before = ",\"";
        any = true;
    }
    if (any)
        buf_add_byte(out, '}');
}

static void
write_carried(struct buf *out, const struct carried *carried)
{
    if (carried->access.at != NULL)
        write_digest(out, ",\"ath\":", carried->access);
    if (carried->transaction.at != NULL)
        write_digest(out, ",\"tth\":", carried->transaction);
    write_others(out, carried);
}

/* The claims behind the constant front, which ends inside the quotes of wth. */
static void
write_claims(struct presenter *p, const struct presented *request,
             const struct carried *carried, int64_t exp_s, struct text jti)
{
    struct buf *out = &p->claims;

    write_audience(p, request);
    buf_add(out, TEXT(",\"exp\":"));
    buf_add_u64(out, (uint64_t)exp_s);
    buf_add(out, TEXT(",\"jti\":\""));
    buf_add(out, jti);
    buf_add_byte(out, '"');
    write_carried(out, carried);
    buf_add(out, TEXT(",\"" CLAIM_REQUEST "\":{\"method\":"));
    json_write_string(out, request->method);
    if (request->query.at != NULL)
        write_digest(out, ",\"query\":", request->query);
    if (request->body_known)
        write_digest(out, ",\"body\":", request->body);
    buf_add(out, TEXT("}}"));
}

enum reason
wpt_present(const struct means *with, const struct presented *request, int64_t now_s,
            struct headers *headers, struct evidence *evidence)
{
    struct presenter *p = with->presenter;
    const struct identity *i;
    struct carried carried;
    int64_t exp_s = now_s + PROOF_SECONDS;
    struct text jti;
    enum reason why;

    if (p == NULL)
        return REASON_NO_BINDING;
    i = p->identity;
    carried_find(headers, &carried);
    if (carried.access_repeated || carried.other_repeated || now_s >= i->expires_s)
        return REASON_SIGN;
    if (exp_s > i->expires_s)
        exp_s = i->expires_s;
    jti = claim_id_new(headers->arena);
    write_claims(p, request, &carried, exp_s, jti);
    why = jws_sign_on(p->key, i->wpt_front, buf_text(&p->claims), &p->proof);
    if (why == REASON_OK) {
        /* A workload's own must not leave beside ours: some verifier reads the first.
         */
        proof_strip(headers);
        headers_add_secret(headers, FIELD_TOKEN, arena_copy(headers->arena, i->wit));
        headers_add_secret(headers, FIELD_PROOF,
                           arena_copy(headers->arena, buf_text(&p->proof)));
        *evidence = (struct evidence){
            .binding = "wimse",
            .proof_id = jti,
            .thumbprint = arena_copy(headers->arena, presenter_thumbprint(p)),
        };
    }
    buf_drop(&p->claims, buf_length(&p->claims));
    buf_drop(&p->proof, buf_length(&p->proof));
    return why;
}

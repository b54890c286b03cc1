/* Making DPoP proofs. One costs an ECDSA signature and little else: the header, which
 * holds the public key, is spelt once for a key, and the rest is written straight into
 * buffers that are kept. */
#include "tokens/dpop.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "tokens/claims.h"
#include "tokens/dpop_nonce.h"
#include "tokens/jws.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct dpop_key {
    atomic_uint references;
    struct key *key; /* never signs: signers share it */
    char thumbprint[DPOP_THUMBPRINT_SIZE];
    struct buf header; /* base64url */
};

struct dpop_signer {
    struct dpop_key *of;
    struct key *key;
    struct buf claims, proof; /* kept for the next proof */
    struct nonce_memory nonces;
};

_Static_assert((int)DPOP_THUMBPRINT_SIZE == (int)THUMBPRINT_SIZE, "one thumbprint");
_Static_assert((int)DPOP_ATH_SIZE == (int)SHA256_BASE64URL_SIZE, "one digest");

/* ---- keys */

static void
header_spell(struct dpop_key *k)
{
    struct buf json = { 0 };
    struct text t;

    buf_add_z(&json, "{\"alg\":\"ES256\",\"jwk\":");
    jwk_print(k->key, NULL, &json);
    buf_add_z(&json, ",\"typ\":\"dpop+jwt\"}");
    t = buf_text(&json);
    buf_commit(&k->header,
               base64url_encode((const unsigned char *)t.at, t.n,
                                buf_reserve(&k->header, BASE64URL_SIZE(t.n))));
    buf_free(&json);
}

struct dpop_key *
dpop_key_new(void)
{
    struct key *key = key_new();
    struct dpop_key *k;

    if (key == NULL)
        return NULL;
    k = memory_new(sizeof *k);
    atomic_init(&k->references, 1);
    k->key = key;
    key_thumbprint(key, k->thumbprint);
    header_spell(k);
    return k;
}

struct dpop_key *
dpop_key_ref(struct dpop_key *k)
{
    atomic_fetch_add(&k->references, 1);
    return k;
}

void
dpop_key_unref(struct dpop_key *k)
{
    if (k == NULL || atomic_fetch_sub(&k->references, 1) != 1)
        return;
    key_free(k->key);
    buf_free(&k->header);
    free(k);
}

struct text
dpop_key_thumbprint(const struct dpop_key *k)
{
    return text_of(k->thumbprint, sizeof k->thumbprint);
}

/* ---- signers */

struct dpop_signer *
dpop_signer_new(struct dpop_key *k)
{
    struct key *key = key_share(k->key);
    struct dpop_signer *s;

    if (key == NULL)
        return NULL;
    s = memory_new(sizeof *s);
    s->of = dpop_key_ref(k);
    s->key = key;
    return s;
}

void
dpop_signer_free(struct dpop_signer *s)
{
    if (s == NULL)
        return;
    key_free(s->key);
    dpop_key_unref(s->of);
    buf_wipe(&s->claims);
    buf_wipe(&s->proof);
    nonce_forget_all(&s->nonces);
    free(s);
}

const struct dpop_key *
dpop_signer_key(const struct dpop_signer *s)
{
    return s->of;
}

bool
dpop_learn(struct dpop_signer *s, struct text origin, struct text nonce)
{
    return nonce_learn(&s->nonces, origin, nonce);
}

struct text
dpop_nonce(struct dpop_signer *s, struct text origin)
{
    return nonce_newest(&s->nonces, origin);
}

/* ---- proofs */

void
dpop_ath(struct text access_token, char out[DPOP_ATH_SIZE])
{
    digest_sha256_base64url(access_token, out);
}

/* A member that needs no escapes: digests, ids, nonces (NQCHAR leaves out what JSON
 * would escape). */
static void
write_plain(struct buf *out, struct text name_and_colon, struct text value)
{
    buf_add(out, name_and_colon);
    buf_add_byte(out, '"');
    buf_add(out, value);
    buf_add_byte(out, '"');
}

static void
write_uri(struct dpop_signer *s, const struct dpop_ask *ask)
{
    struct buf *uri = &s->proof;

    buf_add(uri, ask->origin);
    buf_add(uri, ask->path);
    json_write_string(&s->claims, buf_text(uri));
    buf_drop(uri, buf_length(uri));
}

static void
write_claims(struct dpop_signer *s, const struct dpop_ask *ask, struct text jti)
{
    struct text nonce = nonce_newest(&s->nonces, ask->origin);
    struct buf *out = &s->claims;

    buf_add(out, TEXT("{\"htm\":"));
    json_write_string(out, ask->method);
    buf_add(out, TEXT(",\"htu\":"));
    write_uri(s, ask);
    buf_add(out, TEXT(",\"iat\":"));
    buf_add_u64(out, (uint64_t)ask->now_s);
    write_plain(out, TEXT(",\"jti\":"), jti);
    if (ask->ath.n > 0)
        write_plain(out, TEXT(",\"ath\":"), ask->ath);
    if (nonce.n > 0)
        write_plain(out, TEXT(",\"nonce\":"), nonce);
    buf_add_byte(out, '}');
}

enum reason
dpop_prove(struct dpop_signer *s, const struct dpop_ask *ask, struct arena *arena,
           struct text *proof, struct text *jti)
{
    struct text id = claim_id_new(arena);
    enum reason why;

    assert(ask->ath.n == 0 || ask->ath.n == DPOP_ATH_SIZE);
    *proof = *jti = text_z(NULL);
    write_claims(s, ask, id);
    why = jws_sign(s->key, buf_text(&s->of->header), buf_text(&s->claims), &s->proof);
    if (why == REASON_OK) {
        *proof = arena_copy(arena, buf_text(&s->proof));
        *jti = id;
    }
    buf_drop(&s->claims, buf_length(&s->claims));
    buf_drop(&s->proof, buf_length(&s->proof));
    return why;
}

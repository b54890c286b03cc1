/* Compact JWS, JWK and their pieces, as strangers write them. Nothing is taken that the
 * specifications forbid; what is taken has one spelling. An input is a token, and a
 * JWK.
 */
#include "tests/fuzz/fuzz.h"

#include "base/digest.h"
#include "tokens/identifier.h"
#include "tokens/jwks.h"

PREPARE_NOTHING

/* Three parts of base64url that would be written as they were read. */
static void
promise_parts(struct text compact)
{
    struct text rest = compact, part;
    unsigned n = 0;

    for (; text_split(&rest, '.', &part); n++) {
        unsigned char *bytes = malloc(part.n + 3);
        char *again = malloc(BASE64URL_SIZE(part.n + 3));
        size_t length;

        PROMISE(base64url_decode(part, bytes, &length));
        PROMISE(
            text_equals(part, text_of(again, base64url_encode(bytes, length, again))));
        free(bytes);
        free(again);
    }
    PROMISE(n == 3);
}

static void
promise_nothing_was_found(const struct jws *j)
{
    static const struct jws nothing;

    PROMISE(memcmp(j, &nothing, sizeof nothing) == 0);
}

static void
read_token(struct text t)
{
    static const char *const forbidden[] = { "crit", "b64" };
    struct jws whole, envelope;
    enum jws_fault fault = jws_parse(t, &whole);

    if (fault != JWS_FINE) {
        promise_nothing_was_found(&whole);
    } else {
        promise_parts(t);
        PROMISE(json_is_object(whole.header) && json_is_object(whole.claims));
        for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
            PROMISE(json_get(whole.header, forbidden[i]) == NULL);
        PROMISE(jws_typ_is(&whole, "wit+jwt") + jws_typ_is(&whole, "wpt+jwt") <= 1);
        PROMISE(whole.signed_part.n + 1 + BASE64URL_SIZE(64) == t.n);
    }
    if (jws_parse_envelope(t, JWS_ALGS_WORKLOAD, &envelope) != JWS_FINE) {
        PROMISE(fault != JWS_FINE);
        promise_nothing_was_found(&envelope);
    }
    jws_clear(&whole);
    jws_clear(&envelope);
}

/* A key that may verify: with nothing of a private one, and a thumbprint. */
static void
read_jwk(struct text t)
{
    struct json *jwk = json_parse(t, JWS_MAX);
    char thumbprint[THUMBPRINT_SIZE];
    struct text alg;
    struct public_key *k = jwk_import_among(jwk, JWS_ALGS_ALL, &alg);

    if (k != NULL) {
        static const unsigned char signature[64];

        PROMISE(json_get(jwk, "d") == NULL && json_get(jwk, "k") == NULL);
        PROMISE(jwk_thumbprint(jwk, thumbprint));
        for (enum key_algorithm a = KEY_ES256; a <= KEY_PS512; a++)
            PROMISE(!public_key_verify_as(k, a, t, signature, sizeof signature));
    }
    public_key_free(k);
    json_free(jwk);
}

/* A set holds no more than it was given, and finds what it holds. */
static void
read_jwks(struct text t)
{
    struct json *root = json_parse(t, JWKS_TEXT_MAX);
    struct jwks *set;

    if (jwks_parse(t, &set) == REASON_OK)
        PROMISE(jwks_count(set) <= json_count(json_get(root, "keys")));
    else
        PROMISE(set == NULL);
    jwks_unref(set);
    json_free(root);
}

static void
read_identifier(struct text t)
{
    struct identifier id;

    if (identifier_parse(t, &id))
        PROMISE(id.domain.n > 0 && memmem(t.at, t.n, id.domain.at, id.domain.n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = copy_exactly(input_of(data, size));

    read_token(t);
    read_jwk(t);
    read_jwks(t);
    read_identifier(t);
    free_copy(t);
    return 0;
}

/* JWK (RFC 7517, 7518, 8037) and thumbprints (RFC 7638): keys as strangers write them.
 */
#include "tokens/jws.h"

#include "base/digest.h"

#include <stdio.h>
#include <string.h>

/* 32 bytes in base64url: a coordinate has this length or it is refused. A shortened one
 * (leading zeros left out) would be the same key under another thumbprint. */
enum { COORDINATE_TEXT = 43 };

static const struct kind {
    const char *kty, *crv;
    enum key_kind kind;
} kinds[] = {
    { "EC", "P-256", KEY_P256 },
    { "OKP", "Ed25519", KEY_ED25519 },
};

static bool
member_is(const struct json *object, const char *name, const char *word)
{
    struct text said;

    return json_string(json_get(object, name), &said) &&
           text_equals(said, text_z(word));
}

static const struct kind *
kind_find(const struct json *jwk)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (member_is(jwk, "kty", kinds[i].kty) && member_is(jwk, "crv", kinds[i].crv))
            return &kinds[i];
    }
    return NULL;
}

static bool
coordinate_get(const struct json *jwk, const char *name, struct text *spelling,
               unsigned char bytes[KEY_COORDINATE_SIZE + 1])
{
    size_t n;

    return json_string(json_get(jwk, name), spelling) &&
           spelling->n == COORDINATE_TEXT && base64url_decode(*spelling, bytes, &n) &&
           n == KEY_COORDINATE_SIZE;
}

/* A private key in a public place is burnt; whoever sent it shall hear no. */
static bool
has_private_member(const struct json *jwk)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (json_get(jwk, names[i]) != NULL)
            return true;
    }
    return false;
}

/* RFC 7517 4.2 and 4.3: absent, or for signatures. wit-svid is what SPIFFE bundles say.
 */
static bool
is_for_verifying(const struct json *jwk)
{
    const struct json *use = json_get(jwk, "use"), *ops = json_get(jwk, "key_ops");
    struct text op;

    if (use != NULL && !member_is(jwk, "use", "sig") &&
        !member_is(jwk, "use", "wit-svid"))
        return false;
    for (size_t i = 0; json_is_array(ops) && i < json_count(ops); i++) {
        if (json_string(json_at(ops, i), &op) && text_equals(op, TEXT("verify")))
            return true;
    }
    return ops == NULL;
}

static bool
alg_fits(const struct json *jwk, enum key_kind kind, struct text *alg_word)
{
    const struct json *alg = json_get(jwk, "alg");
    enum jws_alg ignored;
    enum key_kind wanted;

    if (alg == NULL)
        return true;
    return json_string(alg, alg_word) && jws_alg_find(*alg_word, &ignored, &wanted) &&
           wanted == kind;
}

struct public_key *
jwk_import(const struct json *jwk, struct text *alg_word)
{
    unsigned char x[KEY_COORDINATE_SIZE + 1], y[KEY_COORDINATE_SIZE + 1];
    const struct kind *kind = kind_find(jwk);
    struct text spelling;

    *alg_word = (struct text){ NULL, 0 };
    if (kind == NULL || has_private_member(jwk) || !is_for_verifying(jwk) ||
        !alg_fits(jwk, kind->kind, alg_word))
        return NULL;
    if (!coordinate_get(jwk, "x", &spelling, x))
        return NULL;
    if (kind->kind == KEY_P256 && !coordinate_get(jwk, "y", &spelling, y))
        return NULL;
    return public_key_new(kind->kind, x, kind->kind == KEY_P256 ? y : NULL);
}

/* The members of RFC 7638 in byte order, hashed. */
static void
thumbprint_of(const struct kind *kind, struct text x, struct text y,
              char out[THUMBPRINT_SIZE])
{
    char json[192];
    int n;

    if (kind->kind == KEY_P256)
        n = snprintf(json, sizeof json,
                     "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                     kind->crv, kind->kty, TEXT_ARG(x), TEXT_ARG(y));
    else
        n = snprintf(json, sizeof json,
                     "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%.*s\"}", kind->crv,
                     kind->kty, TEXT_ARG(x));
    digest_sha256_base64url(text_of(json, (size_t)n), out);
}

bool
jwk_thumbprint(const struct json *jwk, char out[THUMBPRINT_SIZE])
{
    unsigned char bytes[KEY_COORDINATE_SIZE + 1];
    const struct kind *kind = kind_find(jwk);
    struct text x, y = { NULL, 0 };

    if (kind == NULL || !coordinate_get(jwk, "x", &x, bytes))
        return false;
    if (kind->kind == KEY_P256 && !coordinate_get(jwk, "y", &y, bytes))
        return false;
    thumbprint_of(kind, x, y, out);
    return true;
}

static void
coordinates_spell(const struct key *k, char x[COORDINATE_TEXT], char y[COORDINATE_TEXT])
{
    unsigned char bytes[2][KEY_COORDINATE_SIZE];

    key_coordinates(k, bytes[0], bytes[1]);
    base64url_encode(bytes[0], KEY_COORDINATE_SIZE, x);
    base64url_encode(bytes[1], KEY_COORDINATE_SIZE, y);
}

void
key_thumbprint(const struct key *k, char out[THUMBPRINT_SIZE])
{
    char x[COORDINATE_TEXT], y[COORDINATE_TEXT];

    coordinates_spell(k, x, y);
    thumbprint_of(&kinds[0], text_of(x, sizeof x), text_of(y, sizeof y), out);
}

void
jwk_print(const struct key *k, const char *kid, struct buf *out)
{
    char x[COORDINATE_TEXT], y[COORDINATE_TEXT];

    coordinates_spell(k, x, y);
    buf_add_z(out, "{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kty\":\"EC\",");
    if (kid != NULL) {
        buf_add_z(out, "\"kid\":");
        json_write_string(out, text_z(kid));
        buf_add_byte(out, ',');
    }
    buf_printf(out, "\"x\":\"%.*s\",\"y\":\"%.*s\"}", COORDINATE_TEXT, x,
               COORDINATE_TEXT, y);
}

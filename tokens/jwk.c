/* JWK (RFC 7517, 7518, 8037) and thumbprints (RFC 7638): keys as strangers write them.
 */
#include "tokens/jws.h"

#include "base/digest.h"

#include <stdio.h>
#include <string.h>

/* The length of a coordinate's spelling: it has this one or it is refused. A shortened
 * one (leading zeros left out) would be the same key under another thumbprint. */
static const struct kind {
    const char *kty, *crv; /* crv NULL: there is none */
    enum key_kind kind;
    size_t coordinate; /* in bytes */
} kinds[] = {
    [KEY_P256] = { "EC", "P-256", KEY_P256, 32 },
    [KEY_ED25519] = { "OKP", "Ed25519", KEY_ED25519, 32 },
    [KEY_P384] = { "EC", "P-384", KEY_P384, 48 },
    [KEY_RSA] = { "RSA", NULL, KEY_RSA, 0 },
};

/* One number of a key, as spelt and as meant. */
struct number {
    struct text spelling;
    size_t n;
    unsigned char bytes[KEY_PART_MAX + 2];
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
        if (member_is(jwk, "kty", kinds[i].kty) &&
            (kinds[i].crv == NULL || member_is(jwk, "crv", kinds[i].crv)))
            return &kinds[i];
    }
    return NULL;
}

static bool
number_get(const struct json *jwk, const char *name, struct number *out)
{
    return json_string(json_get(jwk, name), &out->spelling) &&
           out->spelling.n <= BASE64URL_SIZE(KEY_PART_MAX) &&
           base64url_decode(out->spelling, out->bytes, &out->n) && out->n > 0;
}

/* The numbers of the kind: x; x and y; n and e. */
static bool
numbers_get(const struct json *jwk, const struct kind *kind, struct number out[2])
{
    bool is_rsa = kind->kind == KEY_RSA;

    if (!number_get(jwk, is_rsa ? "n" : "x", &out[0]) ||
        (kind->kind != KEY_ED25519 && !number_get(jwk, is_rsa ? "e" : "y", &out[1])))
        return false;
    return is_rsa || (out[0].n == kind->coordinate &&
                      (kind->kind == KEY_ED25519 || out[1].n == kind->coordinate));
}

/* A private key in a public place is burnt; whoever sent it shall hear no. */
bool
jwk_is_private(const struct json *jwk)
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
alg_fits(const struct json *jwk, enum key_kind kind, unsigned algs,
         struct text *alg_word)
{
    const struct json *word = json_get(jwk, "alg");
    enum key_algorithm alg;

    if (word == NULL)
        return true;
    return json_string(word, alg_word) && jws_alg_find(*alg_word, &alg) &&
           (algs & JWS_ALGS(alg)) != 0 && key_algorithm_kind(alg) == kind;
}

static bool
any_is_of(unsigned algs, enum key_kind kind)
{
    for (enum key_algorithm alg = KEY_ES256; alg <= KEY_PS512; alg++)
        if ((algs & JWS_ALGS(alg)) != 0 && key_algorithm_kind(alg) == kind)
            return true;
    return false;
}

static struct public_key *
make(enum key_kind kind, const struct number numbers[2])
{
    switch (kind) {
    case KEY_P256:
    case KEY_ED25519:
        return public_key_new(kind, numbers[0].bytes, numbers[1].bytes);
    case KEY_P384:
        return public_key_new_p384(numbers[0].bytes, numbers[1].bytes);
    case KEY_RSA:
        return public_key_new_rsa(
            text_of((const char *)numbers[0].bytes, numbers[0].n),
            text_of((const char *)numbers[1].bytes, numbers[1].n));
    }
    return NULL;
}

struct public_key *
jwk_import_among(const struct json *jwk, unsigned algs, struct text *alg_word)
{
    const struct kind *kind = kind_find(jwk);
    struct number numbers[2];

    *alg_word = (struct text){ NULL, 0 };
    if (kind == NULL || !any_is_of(algs, kind->kind) || jwk_is_private(jwk) ||
        !is_for_verifying(jwk) || !alg_fits(jwk, kind->kind, algs, alg_word) ||
        !numbers_get(jwk, kind, numbers))
        return NULL;
    return make(kind->kind, numbers);
}

struct public_key *
jwk_import(const struct json *jwk, struct text *alg_word)
{
    return jwk_import_among(jwk, JWS_ALGS_WORKLOAD, alg_word);
}

/* ---- thumbprints */

enum { THUMBPRINT_JSON_MAX = BASE64URL_SIZE(KEY_PART_MAX) + 256 };

/* The members of RFC 7638 in byte order, hashed. a: x or n; b: y or e. */
static void
thumbprint_of(const struct kind *kind, struct text a, struct text b,
              char out[THUMBPRINT_SIZE])
{
    char json[THUMBPRINT_JSON_MAX];
    int n;

    if (kind->kind == KEY_RSA)
        n = snprintf(json, sizeof json,
                     "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}", TEXT_ARG(b),
                     TEXT_ARG(a));
    else if (kind->kind == KEY_ED25519)
        n = snprintf(json, sizeof json,
                     "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%.*s\"}", kind->crv,
                     kind->kty, TEXT_ARG(a));
    else
        n = snprintf(json, sizeof json,
                     "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                     kind->crv, kind->kty, TEXT_ARG(a), TEXT_ARG(b));
    digest_sha256_base64url(text_of(json, (size_t)n), out);
}

/* An exponent is short: public_key_new_rsa takes 8 bytes of it. */
bool
jwk_thumbprint(const struct json *jwk, char out[THUMBPRINT_SIZE])
{
    const struct kind *kind = kind_find(jwk);
    struct number numbers[2];

    if (kind == NULL || !numbers_get(jwk, kind, numbers))
        return false;
    if (kind->kind == KEY_RSA && numbers[1].n > 8)
        return false;
    thumbprint_of(kind, numbers[0].spelling, numbers[1].spelling, out);
    return true;
}

/* ---- our own keys and operators' */

struct spelt {
    size_t n;
    char at[BASE64URL_SIZE(KEY_PART_MAX)];
};

static void
spell(const struct key *k, enum key_part part, struct spelt *out)
{
    unsigned char bytes[KEY_PART_MAX];

    out->n = base64url_encode(bytes, key_part(k, part, bytes), out->at);
}

static void
parts_spell(const struct key *k, struct spelt *a, struct spelt *b)
{
    bool is_rsa = key_kind_of(k) == KEY_RSA;

    spell(k, is_rsa ? KEY_N : KEY_X, a);
    spell(k, is_rsa ? KEY_E : KEY_Y, b);
}

void
key_thumbprint(const struct key *k, char out[THUMBPRINT_SIZE])
{
    struct spelt a, b;

    parts_spell(k, &a, &b);
    thumbprint_of(&kinds[key_kind_of(k)], text_of(a.at, a.n), text_of(b.at, b.n), out);
}

static void
put_kid(struct buf *out, const char *kid)
{
    if (kid == NULL)
        return;
    buf_add_z(out, "\"kid\":");
    json_write_string(out, text_z(kid));
    buf_add_byte(out, ',');
}

static void
print_curve(const struct kind *kind, const char *kid, const struct spelt *x,
            const struct spelt *y, struct buf *out)
{
    buf_printf(out, "{\"alg\":\"%s\",\"crv\":\"%s\",\"kty\":\"%s\",",
               jws_alg_word(jws_alg_of(kind->kind)), kind->crv, kind->kty);
    put_kid(out, kid);
    buf_printf(out, "\"x\":\"%.*s\"", (int)x->n, x->at);
    if (y->n > 0)
        buf_printf(out, ",\"y\":\"%.*s\"", (int)y->n, y->at);
    buf_add_byte(out, '}');
}

void
jwk_print(const struct key *k, const char *kid, struct buf *out)
{
    const struct kind *kind = &kinds[key_kind_of(k)];
    struct spelt a, b;

    parts_spell(k, &a, &b);
    if (kind->kind != KEY_RSA) {
        print_curve(kind, kid, &a, &b, out);
        return;
    }
    buf_printf(out, "{\"e\":\"%.*s\",\"kty\":\"RSA\",", (int)b.n, b.at);
    put_kid(out, kid);
    buf_printf(out, "\"n\":\"%.*s\"}", (int)a.n, a.at);
}

/* Public keys of strangers. Promises that a key is a real point, that only the one
 * spelling of a signature RFC 7518 allows is looked at, and that any thread may verify
 * at any time without a lock. */
#include "certs/key_parts.h"

#include "base/digest.h"
#include "base/memory.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_SIZE = 1 + 2 * KEY_COORDINATE_SIZE, DER_SIGNATURE_MAX = 72 };

/* The order of P-256's group (FIPS 186-4 D.1.2.3). */
static const unsigned char p256_order[KEY_COORDINATE_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

/* ---- P-256 keys are copies of a model with the point exchanged: 7 µs, against 25 for
 * one made from parameters. */

static EVP_PKEY *p256_model;
static pthread_once_t p256_model_once = PTHREAD_ONCE_INIT;

static void
make_p256_model(void)
{
    unsigned char point[POINT_SIZE];
    char name[] = "P-256";
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };

    if (group == NULL || ctx == NULL ||
        EC_POINT_point2oct(group, EC_GROUP_get0_generator(group),
                           POINT_CONVERSION_UNCOMPRESSED, point, sizeof point,
                           NULL) != sizeof point ||
        EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &p256_model, EVP_PKEY_PUBLIC_KEY, params) != 1)
        p256_model = NULL;
    EVP_PKEY_CTX_free(ctx);
    EC_GROUP_free(group);
}

static EVP_PKEY *
new_p256(const unsigned char *x, const unsigned char *y)
{
    unsigned char point[POINT_SIZE];
    EVP_PKEY *pkey;

    pthread_once(&p256_model_once, make_p256_model);
    if (p256_model == NULL || (pkey = EVP_PKEY_dup(p256_model)) == NULL)
        return NULL;
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x, KEY_COORDINATE_SIZE);
    memcpy(point + 1 + KEY_COORDINATE_SIZE, y, KEY_COORDINATE_SIZE);
    /* Refuses coordinates beyond the field and points off the curve. */
    if (EVP_PKEY_set1_encoded_public_key(pkey, point, sizeof point) == 1)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

/* ---- Ed25519: OpenSSL takes any 32 bytes for a key and finds out at the first
 * signature. We look at once. */

/* y of the points whose order divides 8, little-endian: under such a "key" anyone can
 * sign (RFC 8032 section 8). */
static const unsigned char small_order[][KEY_COORDINATE_SIZE] = {
    { 0x00 },
    { 0x01 },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
      0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
      0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
      0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
      0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
};

/* p = 2^255 - 19 and d, the two numbers of the curve -x² + y² = 1 + d x² y². */
static const char ed25519_p[] =
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char ed25519_d[] =
    "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/* There is an x for this y when (y² - 1) / (d y² + 1) is a square mod p, which is when
 * their product is one. */
static bool
has_x(const unsigned char y_bytes[KEY_COORDINATE_SIZE])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = NULL, *d = NULL, *y = BN_lebin2bn(y_bytes, KEY_COORDINATE_SIZE, NULL);
    BIGNUM *u = BN_new(), *v = BN_new();
    bool ok = ctx != NULL && y != NULL && u != NULL && v != NULL &&
              BN_hex2bn(&p, ed25519_p) != 0 && BN_hex2bn(&d, ed25519_d) != 0 &&
              BN_cmp(y, p) < 0 && BN_mod_sqr(u, y, p, ctx) == 1 &&
              BN_mod_mul(v, u, d, p, ctx) == 1 && BN_add_word(v, 1) == 1 &&
              BN_sub_word(u, 1) == 1 && BN_mod_mul(u, u, v, p, ctx) == 1 &&
              BN_kronecker(u, p, ctx) == 1;

    BN_free(v);
    BN_free(u);
    BN_free(y);
    BN_free(d);
    BN_free(p);
    BN_CTX_free(ctx);
    return ok;
}

static EVP_PKEY *
new_ed25519(const unsigned char *encoded)
{
    unsigned char y[KEY_COORDINATE_SIZE];

    memcpy(y, encoded, sizeof y);
    y[sizeof y - 1] &= 0x7f; /* the last bit is the sign of x */
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++)
        if (memcmp(y, small_order[i], sizeof y) == 0)
            return NULL;
    if (!has_x(y))
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, encoded,
                                       KEY_COORDINATE_SIZE);
}

struct public_key *
public_key_new(enum key_kind kind, const unsigned char *x, const unsigned char *y)
{
    return public_key_wrap(kind, kind == KEY_P256 ? new_p256(x, y) : new_ed25519(x));
}

struct public_key *
public_key_wrap(enum key_kind kind, EVP_PKEY *pkey)
{
    struct public_key *k;

    if (pkey == NULL) {
        ERR_clear_error(); /* a stranger's bad key must not be read as a TLS error later
                            */
        return NULL;
    }
    k = memory_new(sizeof *k);
    k->kind = kind;
    k->pkey = pkey;
    atomic_init(&k->idle, NULL);
    return k;
}

void
public_key_free(struct public_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_CTX_free(atomic_load(&k->idle));
    EVP_PKEY_free(k->pkey);
    free(k);
}

enum key_kind
public_key_kind(const struct public_key *k)
{
    return k->kind;
}

/* ---- verifying */

/* 0 < n < order. Said here and not left to the library: one that forgot
 * (CVE-2022-21449) took the signature 0||0 for any text. */
bool
key_is_below(const unsigned char *n, const unsigned char *order, size_t size)
{
    static const unsigned char zero[KEY_P384_SIZE];

    return memcmp(n, zero, size) != 0 && memcmp(n, order, size) < 0;
}

static unsigned char *
put_integer(unsigned char *p, const unsigned char *n, size_t size)
{
    size_t skip = 0;
    unsigned char *length;

    while (n[skip] == 0)
        skip++;
    *p++ = 0x02;
    length = p++;
    if (n[skip] & 0x80)
        *p++ = 0;
    memcpy(p, n + skip, size - skip);
    p += size - skip;
    *length = (unsigned char)(p - length - 1);
    return p;
}

size_t
key_raw_to_der(const unsigned char *raw, size_t size, unsigned char *der)
{
    unsigned char *end = put_integer(der + 2, raw, size);

    end = put_integer(end, raw + size, size);
    der[0] = 0x30;
    der[1] = (unsigned char)(end - der - 2);
    return (size_t)(end - der);
}

static EVP_PKEY_CTX *
take_context(struct public_key *k)
{
    EVP_PKEY_CTX *ctx = atomic_exchange(&k->idle, NULL);

    if (ctx == NULL && (ctx = EVP_PKEY_CTX_new(k->pkey, NULL)) != NULL &&
        EVP_PKEY_verify_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static bool
verify_p256(struct public_key *k, struct text t, const unsigned char *signature)
{
    unsigned char digest[SHA256_SIZE], der[DER_SIGNATURE_MAX];
    EVP_PKEY_CTX *ctx;
    bool ok;

    if (!key_is_below(signature, p256_order, KEY_COORDINATE_SIZE) ||
        !key_is_below(signature + KEY_COORDINATE_SIZE, p256_order,
                      KEY_COORDINATE_SIZE) ||
        (ctx = take_context(k)) == NULL)
        return false;
    digest_sha256(t, digest);
    ok = EVP_PKEY_verify(ctx, der, key_raw_to_der(signature, KEY_COORDINATE_SIZE, der),
                         digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(atomic_exchange(&k->idle, ctx));
    return ok;
}

static bool
verify_ed25519(const struct public_key *k, struct text t,
               const unsigned char *signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL &&
              EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, KEY_ES256_SIGNATURE_SIZE,
                               (const unsigned char *)t.at, t.n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
public_key_verify(const struct public_key *k, struct text t,
                  const unsigned char *signature, size_t n)
{
    bool ok;

    if (n != KEY_ES256_SIGNATURE_SIZE ||
        (k->kind != KEY_P256 && k->kind != KEY_ED25519))
        return false;
    /* The cast frees only `idle` from const, which is atomic. */
    ok = k->kind == KEY_P256 ? verify_p256((struct public_key *)k, t, signature)
                             : verify_ed25519(k, t, signature);
    if (!ok)
        ERR_clear_error(); /* SSL_get_error on this thread must not find what a stranger
                              left */
    return ok;
}

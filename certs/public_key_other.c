/* Public keys of strangers beside P-256 and Ed25519: P-384 and RSA, and verifying with
 * an algorithm that the caller names. The gate's own path is in public_key.c. */
#include "certs/key_parts.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

enum { DER_SIGNATURE_MAX = 112, EXPONENT_MAX = 8 };

/* The order of P-384's group (FIPS 186-4 D.1.2.4). */
static const unsigned char p384_order[KEY_P384_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
    0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
};

static EVP_PKEY *
new_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

struct public_key *
public_key_new_p384(const unsigned char *x, const unsigned char *y)
{
    unsigned char point[1 + 2 * KEY_P384_SIZE] = { 0x04 };
    char name[] = "P-384";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };

    memcpy(point + 1, x, KEY_P384_SIZE);
    memcpy(point + 1 + KEY_P384_SIZE, y, KEY_P384_SIZE);
    return public_key_wrap(KEY_P384, new_from("EC", params));
}

/* ---- RSA */

/* 65537^i = n modulo the prime, for some i. */
static bool
is_power(BN_ULONG n, BN_ULONG prime)
{
    BN_ULONG power = 1;

    do {
        if (power == n)
            return true;
        power = power * 65537 % prime;
    } while (power != 1);
    return false;
}

/* The generator made primes from powers of 65537 alone, so each modulus is one modulo
 * all of these primes; of other moduli one in 2^28 is. */
static bool
has_roca_mark(const BIGNUM *n)
{
    static const unsigned char primes[] = { 11, 13, 17,  19,  37,  53,  61,  71, 73,
                                            79, 97, 103, 107, 109, 127, 151, 157 };

    for (size_t i = 0; i < sizeof primes; i++)
        if (!is_power(BN_mod_word(n, primes[i]), primes[i]))
            return false;
    return true;
}

static bool
is_acceptable(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);

    return bits >= KEY_RSA_BITS_MIN && bits <= KEY_RSA_BITS_MAX && BN_is_odd(n) &&
           BN_is_odd(e) && !BN_is_one(e) && !has_roca_mark(n);
}

static EVP_PKEY *
new_rsa(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL)
        pkey = new_from("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static BIGNUM *
number(struct text t, size_t max)
{
    /* A leading zero would be the same key under another thumbprint. */
    if (t.n == 0 || t.n > max || t.at[0] == 0)
        return NULL;
    return BN_bin2bn((const unsigned char *)t.at, (int)t.n, NULL);
}

struct public_key *
public_key_new_rsa(struct text n, struct text e)
{
    BIGNUM *modulus = number(n, KEY_PART_MAX), *exponent = number(e, EXPONENT_MAX);
    EVP_PKEY *pkey = NULL;

    if (modulus != NULL && exponent != NULL && is_acceptable(modulus, exponent))
        pkey = new_rsa(modulus, exponent);
    BN_free(modulus);
    BN_free(exponent);
    return public_key_wrap(KEY_RSA, pkey);
}

/* ---- verifying */

static bool
verify_whole(const struct public_key *k, enum key_algorithm alg, struct text t,
             const unsigned char *signature, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && key_algorithm_begin(ctx, alg, k->pkey, false) &&
              EVP_DigestVerify(ctx, signature, n, (const unsigned char *)t.at, t.n) ==
                  1;

    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error();
    return ok;
}

static bool
verify_p384(const struct public_key *k, struct text t, const unsigned char *signature)
{
    unsigned char der[DER_SIGNATURE_MAX];

    return key_is_below(signature, p384_order, KEY_P384_SIZE) &&
           key_is_below(signature + KEY_P384_SIZE, p384_order, KEY_P384_SIZE) &&
           verify_whole(k, KEY_ES384, t, der,
                        key_raw_to_der(signature, KEY_P384_SIZE, der));
}

bool
public_key_verify_as(const struct public_key *k, enum key_algorithm alg, struct text t,
                     const unsigned char *signature, size_t n)
{
    if (key_algorithm_kind(alg) != k->kind)
        return false;
    switch (k->kind) {
    case KEY_P256:
    case KEY_ED25519:
        return public_key_verify(k, t, signature, n);
    case KEY_P384:
        return n == 2 * (size_t)KEY_P384_SIZE && verify_p384(k, t, signature);
    case KEY_RSA:
        return n == (size_t)EVP_PKEY_get_size(k->pkey) &&
               verify_whole(k, alg, t, signature, n);
    }
    return false;
}

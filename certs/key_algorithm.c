/* The algorithms beside ES256: which kind of key each takes, and how OpenSSL is told.
 * Promises that an algorithm never meets a key of another kind. */
#include "certs/key_parts.h"

#include "base/log.h"
#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { DER_SIGNATURE_MAX = 112 };

static const struct algorithm {
    enum key_kind kind;
    const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
    int padding;
} algorithms[] = {
    [KEY_ES256] = { .kind = KEY_P256, .digest = EVP_sha256 },
    [KEY_EDDSA] = { .kind = KEY_ED25519 },
    [KEY_ES384] = { .kind = KEY_P384, .digest = EVP_sha384 },
    [KEY_RS256] = { KEY_RSA, EVP_sha256, RSA_PKCS1_PADDING },
    [KEY_RS384] = { KEY_RSA, EVP_sha384, RSA_PKCS1_PADDING },
    [KEY_RS512] = { KEY_RSA, EVP_sha512, RSA_PKCS1_PADDING },
    [KEY_PS256] = { KEY_RSA, EVP_sha256, RSA_PKCS1_PSS_PADDING },
    [KEY_PS384] = { KEY_RSA, EVP_sha384, RSA_PKCS1_PSS_PADDING },
    [KEY_PS512] = { KEY_RSA, EVP_sha512, RSA_PKCS1_PSS_PADDING },
};

enum key_kind
key_algorithm_kind(enum key_algorithm alg)
{
    return algorithms[alg].kind;
}

bool
key_algorithm_begin(EVP_MD_CTX *ctx, enum key_algorithm alg, EVP_PKEY *pkey, bool signs)
{
    const struct algorithm *a = &algorithms[alg];
    const EVP_MD *md = a->digest == NULL ? NULL : a->digest();
    EVP_PKEY_CTX *how = NULL;
    int begun = signs ? EVP_DigestSignInit(ctx, &how, md, NULL, pkey)
                      : EVP_DigestVerifyInit(ctx, &how, md, NULL, pkey);

    if (begun != 1)
        return false;
    if (a->padding != 0 && EVP_PKEY_CTX_set_rsa_padding(how, a->padding) != 1)
        return false;
    return a->padding != RSA_PKCS1_PSS_PADDING ||
           EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* ---- private keys of any kind */

static bool
is_group(const EVP_PKEY *pkey, int nid)
{
    char group[32];
    size_t n;

    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, &n) == 1 &&
           OBJ_txt2nid(group) == nid;
}

bool
key_kind_find(const EVP_PKEY *pkey, enum key_kind *kind)
{
    int bits = EVP_PKEY_get_bits(pkey);

    if (is_group(pkey, NID_X9_62_prime256v1))
        *kind = KEY_P256;
    else if (is_group(pkey, NID_secp384r1))
        *kind = KEY_P384;
    else if (EVP_PKEY_is_a(pkey, "ED25519"))
        *kind = KEY_ED25519;
    else if (EVP_PKEY_is_a(pkey, "RSA") && bits >= KEY_RSA_BITS_MIN &&
             bits <= KEY_RSA_BITS_MAX)
        *kind = KEY_RSA;
    else
        return false;
    return true;
}

struct key *
key_wrap_other(EVP_PKEY *pkey, enum key_kind kind)
{
    struct key *k = memory_new(sizeof *k);

    k->kind = kind;
    k->pkey = pkey;
    return k;
}

static enum reason
fault_is(struct buf *fault, const char *what)
{
    ERR_clear_error();
    buf_add_z(fault, what);
    return REASON_FILE_CONTENT;
}

enum reason
key_from_pem(struct text pem, struct buf *fault, struct key **out)
{
    enum reason why = REASON_OK;
    EVP_PKEY *pkey = key_read_pem(pem);
    enum key_kind kind;

    *out = NULL;
    if (pkey == NULL)
        return fault_is(fault, "it is not a private key in PEM without passphrase");
    if (!key_kind_find(pkey, &kind))
        why = fault_is(fault, "the key is of a kind that is not taken: P-256, P-384, "
                              "Ed25519, or RSA of 2048 to 8192 bits");
    else if (!key_halves_agree(pkey))
        why = fault_is(fault, "the key is not a sound one");
    if (why != REASON_OK) {
        EVP_PKEY_free(pkey);
        return why;
    }
    *out = kind == KEY_P256 ? key_wrap_p256(pkey) : key_wrap_other(pkey, kind);
    return *out != NULL ? REASON_OK : fault_is(fault, "the key cannot be used");
}

enum key_kind
key_kind_of(const struct key *k)
{
    return k->kind;
}

static size_t
number(const struct key *k, const char *name, size_t size, unsigned char *out)
{
    BIGNUM *n = NULL;
    int length = -1;

    if (EVP_PKEY_get_bn_param(k->pkey, name, &n) == 1)
        length = size == 0 ? BN_bn2bin(n, out) : BN_bn2binpad(n, out, (int)size);
    BN_free(n);
    return length < 0 ? 0 : (size_t)length;
}

static size_t
encoded_point(const struct key *k, unsigned char *out)
{
    size_t n = KEY_COORDINATE_SIZE;

    return EVP_PKEY_get_raw_public_key(k->pkey, out, &n) == 1 ? n : 0;
}

size_t
key_part(const struct key *k, enum key_part part, unsigned char out[KEY_PART_MAX])
{
    bool is_curve = k->kind == KEY_P256 || k->kind == KEY_P384;
    size_t size = k->kind == KEY_P384 ? KEY_P384_SIZE : KEY_COORDINATE_SIZE;

    if (k->kind == KEY_ED25519)
        return part == KEY_X ? encoded_point(k, out) : 0;
    if (is_curve != (part == KEY_X || part == KEY_Y))
        return 0;
    switch (part) {
    case KEY_X:
        return number(k, OSSL_PKEY_PARAM_EC_PUB_X, size, out);
    case KEY_Y:
        return number(k, OSSL_PKEY_PARAM_EC_PUB_Y, size, out);
    case KEY_N:
        return number(k, OSSL_PKEY_PARAM_RSA_N, 0, out);
    case KEY_E:
        return number(k, OSSL_PKEY_PARAM_RSA_E, 0, out);
    }
    return 0;
}

/* ---- signing */

static bool
sign_whole(struct key *k, enum key_algorithm alg, struct text t, unsigned char *out,
           size_t *n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && key_algorithm_begin(ctx, alg, k->pkey, true) &&
              EVP_DigestSign(ctx, out, n, (const unsigned char *)t.at, t.n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool
sign_p384(struct key *k, struct text t, unsigned char *out, size_t *n)
{
    unsigned char der[DER_SIGNATURE_MAX];
    size_t length = sizeof der;

    *n = 2 * (size_t)KEY_P384_SIZE;
    return sign_whole(k, KEY_ES384, t, der, &length) &&
           key_der_to_raw(der, length, out, KEY_P384_SIZE);
}

static enum reason
sign_p256(struct key *k, struct text t, struct buf *out)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    enum reason why = key_sign(k, t, signature);

    if (why == REASON_OK)
        buf_add(out, text_of((const char *)signature, sizeof signature));
    return why;
}

enum reason
key_sign_as(struct key *k, enum key_algorithm alg, struct text t, struct buf *out)
{
    unsigned char signature[KEY_SIGNATURE_MAX];
    size_t n = sizeof signature;
    bool ok;

    if (algorithms[alg].kind != k->kind)
        return log_reason(REASON_SIGN, "the key is of another kind than its algorithm");
    if (alg == KEY_ES256)
        return sign_p256(k, t, out);
    ok = !key_is_told_to_fail() &&
         (alg == KEY_ES384 ? sign_p384(k, t, signature, &n)
                           : sign_whole(k, alg, t, signature, &n));
    if (!ok)
        return log_tls(REASON_SIGN, "a signature could not be made");
    buf_add(out, text_of((const char *)signature, n));
    return REASON_OK;
}

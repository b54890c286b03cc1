/* Private keys. Promises that nothing but OpenSSL touches a scalar, that an ES256
 * signature is always 64 bytes of r||s, and that one context serves every signature of
 * a key: making one anew costs a tenth of the signature. */
#include "certs/key_parts.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "certs/certificate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_FILE_MAX = 16 * 1024,
    DER_SIGNATURE_MAX = 72,
    DER_SEQUENCE = 0x30,
    DER_INTEGER = 0x02
};

/* Left until signing fails, for tests; negative: it does not. */
static atomic_long good_signatures = -1;

static bool
is_p256(const EVP_PKEY *pkey)
{
    enum key_kind kind;

    return key_kind_find(pkey, &kind) && kind == KEY_P256;
}

/* By its number, not from the encoded point: a key file may hold the point compressed.
 */
static bool
read_coordinate(const EVP_PKEY *pkey, const char *name, unsigned char *out)
{
    BIGNUM *n = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, name, &n) == 1 &&
              BN_bn2binpad(n, out, KEY_COORDINATE_SIZE) == KEY_COORDINATE_SIZE;

    BN_free(n);
    return ok;
}

struct key *
key_wrap_p256(EVP_PKEY *pkey)
{
    struct key *k = memory_new(sizeof *k);

    k->pkey = pkey;
    k->kind = KEY_P256;
    if (read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, k->x) &&
        read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, k->y) &&
        (k->signing = EVP_PKEY_CTX_new(pkey, NULL)) != NULL &&
        EVP_PKEY_sign_init(k->signing) == 1)
        return k;
    key_free(k);
    return NULL;
}

struct key *
key_new(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    struct key *k = pkey == NULL ? NULL : key_wrap_p256(pkey);

    if (k == NULL)
        (void)log_tls(REASON_INTERNAL, "a P-256 key could not be made");
    return k;
}

struct key *
key_share(const struct key *k)
{
    struct key *other = NULL;

    if (EVP_PKEY_up_ref(k->pkey) == 1) /* counted atomically */
        other = k->kind == KEY_P256 ? key_wrap_p256(k->pkey)
                                    : key_wrap_other(k->pkey, k->kind);
    if (other == NULL)
        (void)log_tls(REASON_INTERNAL, "a key could not be shared");
    return other;
}

EVP_PKEY *
key_read_pem(struct text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.n);
    EVP_PKEY *pkey = bio == NULL ? NULL
                                 : PEM_read_bio_PrivateKey(
                                       bio, NULL, certificate_no_passphrase, NULL);

    BIO_free(bio);
    return pkey;
}

/* The public half in the file is not believed: what it claims would go into every
 * token. */
bool
key_halves_agree(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static enum reason
parse(const char *path, struct text pem, struct key **out)
{
    EVP_PKEY *pkey = key_read_pem(pem);

    if (pkey == NULL)
        return log_tls(REASON_FILE_CONTENT,
                       "%s: not a private key in PEM without passphrase", path);
    if (!is_p256(pkey) || !key_halves_agree(pkey)) {
        EVP_PKEY_free(pkey);
        return log_tls(REASON_FILE_CONTENT, "%s: not a sound key on the curve P-256",
                       path);
    }
    *out = key_wrap_p256(pkey);
    return *out != NULL ? REASON_OK
                        : log_tls(REASON_INTERNAL, "%s: key unusable", path);
}

enum reason
key_load(const char *path, struct key **out)
{
    struct secret *pem = NULL;
    enum reason why;

    *out = NULL;
    why = secret_read(path, KEY_FILE_MAX, true, &pem);
    if (why == REASON_OK)
        why = parse(path, secret_reveal(pem), out);
    secret_free(pem);
    return why;
}

enum reason
key_save(const struct key *k, const char *path)
{
    /* A memory BIO wipes what it held, when it grows and when it is freed. */
    BIO *bio = BIO_new(BIO_s_mem());
    enum reason why = REASON_INTERNAL;
    char *bytes = NULL;
    long n;

    if (bio == NULL ||
        PEM_write_bio_PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        (n = BIO_get_mem_data(bio, &bytes)) <= 0)
        why = log_tls(why, "%s: the key could not be written as PEM", path);
    else
        why = file_write(path, 0600, text_of(bytes, (size_t)n));
    BIO_free(bio);
    return why;
}

enum reason
key_keep(const char *path, struct key **out)
{
    enum reason why;

    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
        return key_load(path, out);
    if ((*out = key_new()) == NULL)
        return log_reason(REASON_FILE_CONTENT, "%s: no key could be made", path);
    if ((why = key_save(*out, path)) == REASON_OK)
        return REASON_OK;
    key_free(*out);
    *out = NULL;
    return why;
}

void
key_free(struct key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_CTX_free(k->signing);
    EVP_PKEY_free(
        k->pkey); /* the scalar is a secure BIGNUM: wiped with its last reference */
    free(k);
}

/* One INTEGER of our own library's signature, to `size` bytes; where it ends, or NULL.
 */
static const unsigned char *
take_integer(const unsigned char *p, const unsigned char *end, unsigned char *out,
             size_t size)
{
    size_t n;

    if (end - p < 2 || p[0] != DER_INTEGER || p[1] > end - p - 2)
        return NULL;
    n = p[1];
    for (p += 2; n > 0 && *p == 0; n--)
        p++;
    if (n == 0 || n > size)
        return NULL;
    memset(out, 0, size - n);
    memcpy(out + size - n, p, n);
    return p + n;
}

/* RFC 7518 section 3.4 wants both numbers at full length; DER drops leading zeros, once
 * in 128 signatures. */
bool
key_der_to_raw(const unsigned char *der, size_t n, unsigned char *raw, size_t size)
{
    const unsigned char *end = der + n, *p = der + 2;

    if (n < 2 || der[0] != DER_SEQUENCE || der[1] != n - 2)
        return false;
    p = take_integer(p, end, raw, size);
    return p != NULL && take_integer(p, end, raw + size, size) == end;
}

bool
key_is_told_to_fail(void)
{
    long left = atomic_load_explicit(&good_signatures, memory_order_relaxed);

    if (left > 0)
        atomic_fetch_sub(&good_signatures, 1);
    return left == 0;
}

enum reason
key_sign(struct key *k, struct text t,
         unsigned char signature[KEY_ES256_SIGNATURE_SIZE])
{
    unsigned char digest[SHA256_SIZE], der[DER_SIGNATURE_MAX];
    size_t n = sizeof der;

    assert(k->kind == KEY_P256);
    digest_sha256(t, digest);
    if (!key_is_told_to_fail() &&
        EVP_PKEY_sign(k->signing, der, &n, digest, sizeof digest) == 1 &&
        key_der_to_raw(der, n, signature, KEY_COORDINATE_SIZE))
        return REASON_OK;
    /* Whoever overlooks the answer shall not send half a signature. */
    memset(signature, 0, KEY_ES256_SIGNATURE_SIZE);
    return log_tls(REASON_SIGN, "a signature could not be made");
}

void
key_coordinates(const struct key *k, unsigned char x[KEY_COORDINATE_SIZE],
                unsigned char y[KEY_COORDINATE_SIZE])
{
    assert(k->kind == KEY_P256);
    memcpy(x, k->x, KEY_COORDINATE_SIZE);
    memcpy(y, k->y, KEY_COORDINATE_SIZE);
}

EVP_PKEY *
key_pkey(const struct key *k)
{
    return k->pkey;
}

void
key_fail_signing(bool fail)
{
    atomic_store(&good_signatures, fail ? 0 : -1);
}

void
key_fail_signing_after(long good)
{
    atomic_store(&good_signatures, good);
}

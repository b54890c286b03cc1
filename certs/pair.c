#include "certs/pair.h"

#include "base/digest.h"
#include "base/memory.h"
#include "certs/certificate.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

struct pair {
    atomic_uint references;
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    struct validity validity;
    char thumbprint[PAIR_THUMBPRINT_SIZE];
};

static enum reason
fault_is(struct buf *fault, const char *what)
{
    ERR_clear_error();
    buf_add_z(fault, what);
    return REASON_FILE_CONTENT;
}

/* ---- the certificates */

static bool
is_at_end(void)
{
    unsigned long e = ERR_peek_last_error();

    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static enum reason
read_rest(BIO *bio, struct pair *p, struct buf *fault)
{
    X509 *x;

    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(p->chain) + 1 >= PAIR_CHAIN_MAX) {
            X509_free(x);
            return fault_is(fault, "the certificate's chain is too long");
        }
        if (sk_X509_push(p->chain, x) == 0)
            memory_exhausted();
    }
    if (!is_at_end())
        return fault_is(fault, "a certificate of the chain cannot be read");
    ERR_clear_error();
    return REASON_OK;
}

static enum reason
read_chain(struct text pem, struct pair *p, struct buf *fault)
{
    BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.at : "", (int)pem.n);
    enum reason why;

    if (bio == NULL || (p->chain = sk_X509_new_null()) == NULL)
        memory_exhausted();
    p->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    why = p->leaf != NULL ? read_rest(bio, p, fault)
                          : fault_is(fault, "the certificate is not one in PEM");
    BIO_free(bio);
    return why;
}

/* What a service that keeps to RFC 5280 would refuse is better said here. */
static enum reason
judge_leaf(struct pair *p, struct buf *fault)
{
    if (!certificate_validity(p->leaf, &p->validity))
        return fault_is(fault, "the certificate's validity cannot be read");
    if (X509_check_purpose(p->leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1)
        return fault_is(fault, "the certificate is not one for TLS clients: its key "
                               "usage must allow digitalSignature, and its extended "
                               "key usage, if it has one, clientAuth");
    certificate_thumbprint(p->leaf, p->thumbprint);
    p->thumbprint[SHA256_BASE64URL_SIZE] = '\0';
    return REASON_OK;
}

/* ---- the key */

/* OpenSSL would ask the terminal for a passphrase. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool
is_kind_taken(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    char group[32];
    size_t n;

    if (EVP_PKEY_is_a(key, "RSA"))
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return true;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 &&
           (strcmp(group, SN_X9_62_prime256v1) == 0 ||
            strcmp(group, SN_secp384r1) == 0);
}

/* That the certificate is of the key's public half says nothing of the private one. */
static bool
halves_agree(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static enum reason
read_key(struct text pem, struct pair *p, struct buf *fault)
{
    BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.at : "", (int)pem.n);

    if (bio == NULL)
        memory_exhausted();
    p->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (p->key == NULL)
        return fault_is(fault, "the key is not one in PEM without passphrase");
    if (!is_kind_taken(p->key))
        return fault_is(fault, "the key is of a kind that is not taken: P-256, P-384, "
                               "Ed25519, or RSA of 2048 to 8192 bits");
    if (X509_check_private_key(p->leaf, p->key) != 1)
        return fault_is(fault, "the key is not the certificate's, which has to be the "
                               "first of its file");
    if (!halves_agree(p->key))
        return fault_is(fault, "the key is not a sound one");
    return REASON_OK;
}

/* ---- its life */

enum reason
pair_from_pem(struct text chain, struct text key, struct buf *fault, struct pair **out)
{
    struct pair *p = memory_new(sizeof *p);
    enum reason why;

    *out = NULL;
    atomic_init(&p->references, 1);
    if ((why = read_chain(chain, p, fault)) == REASON_OK &&
        (why = judge_leaf(p, fault)) == REASON_OK)
        why = read_key(key, p, fault);
    if (why == REASON_OK)
        *out = p;
    else
        pair_unref(p);
    return why;
}

void
pair_ref(struct pair *p)
{
    atomic_fetch_add(&p->references, 1);
}

void
pair_unref(struct pair *p)
{
    if (p == NULL || atomic_fetch_sub(&p->references, 1) != 1)
        return;
    X509_free(p->leaf);
    sk_X509_pop_free(p->chain, X509_free);
    EVP_PKEY_free(p->key); /* its numbers are wiped with the last reference */
    free(p);
}

/* ---- what it is */

const char *
pair_thumbprint(const struct pair *p)
{
    return p->thumbprint;
}

int64_t
pair_expires_s(const struct pair *p)
{
    return p->validity.until_s;
}

bool
pair_is_expired(const struct pair *p, int64_t now_s)
{
    return now_s > p->validity.until_s;
}

bool
pair_equals(const struct pair *a, const struct pair *b)
{
    int n = sk_X509_num(a->chain);
    bool same = strcmp(a->thumbprint, b->thumbprint) == 0 && n == sk_X509_num(b->chain);

    for (int i = 0; same && i < n; i++)
        same = X509_cmp(sk_X509_value(a->chain, i), sk_X509_value(b->chain, i)) == 0;
    return same;
}

X509 *
pair_leaf(const struct pair *p)
{
    return p->leaf;
}

EVP_PKEY *
pair_key(const struct pair *p)
{
    return p->key;
}

STACK_OF(X509) * pair_chain(const struct pair *p)
{
    return p->chain;
}

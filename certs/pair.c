#include "certs/pair.h"

#include "base/digest.h"
#include "base/memory.h"
#include "certs/certificate.h"
#include "certs/key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    atomic_uint references;
    X509 *leaf;
    STACK_OF(X509) * chain;
    struct key *key; /* never signs by itself: TLS does, with what it holds */
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

    while ((x = PEM_read_bio_X509(bio, NULL, certificate_no_passphrase, NULL)) !=
           NULL) {
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
    p->leaf = PEM_read_bio_X509(bio, NULL, certificate_no_passphrase, NULL);
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

static enum reason
read_key(struct text pem, struct pair *p, struct buf *fault)
{
    enum reason why = key_from_pem(pem, fault, &p->key);

    if (why == REASON_OK && X509_check_private_key(p->leaf, key_pkey(p->key)) != 1)
        why = fault_is(fault, "the key is not the certificate's, which has to be the "
                              "first of its file");
    return why;
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
    key_free(p->key);
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
    return key_pkey(p->key);
}

STACK_OF(X509) * pair_chain(const struct pair *p)
{
    return p->chain;
}

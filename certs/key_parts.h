/* Inside certs/: what the files of the keys share. */
#ifndef CERTS_KEY_PARTS_H
#define CERTS_KEY_PARTS_H

#include "certs/key.h"

#include <openssl/evp.h>
#include <stdatomic.h>

enum { KEY_P384_SIZE = 48 };

struct key {
    enum key_kind kind;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *signing; /* P-256 alone, as are its coordinates */
    unsigned char x[KEY_COORDINATE_SIZE];
    unsigned char y[KEY_COORDINATE_SIZE];
};

struct public_key {
    enum key_kind kind;
    EVP_PKEY *pkey;
    /* One verifying context waits here (P-256). Who takes it puts it back; a thread
     * that finds none makes its own. */
    _Atomic(EVP_PKEY_CTX *) idle;
};

/* Of one that we take. */
bool key_kind_find(const EVP_PKEY *pkey, enum key_kind *kind);
/* Takes the pkey, also when it fails. */
struct key *key_wrap_p256(EVP_PKEY *pkey);
struct key *key_wrap_other(EVP_PKEY *pkey, enum key_kind kind);
EVP_PKEY *key_read_pem(struct text pem);
bool key_halves_agree(EVP_PKEY *pkey);
bool key_is_told_to_fail(void);
/* What OpenSSL spells in DER and JOSE as two numbers of `size` bytes each. */
bool key_der_to_raw(const unsigned char *der, size_t n, unsigned char *raw,
                    size_t size);
/* The length of the DER spelling. */
size_t key_raw_to_der(const unsigned char *raw, size_t size, unsigned char *der);
/* 0 < n < order, both of `size` bytes. */
bool key_is_below(const unsigned char *n, const unsigned char *order, size_t size);

/* How an algorithm is to be carried out; begins one signature or its verification. */
bool key_algorithm_begin(EVP_MD_CTX *ctx, enum key_algorithm alg, EVP_PKEY *pkey,
                         bool signs);

/* Takes the pkey, which may be NULL. */
struct public_key *public_key_wrap(enum key_kind kind, EVP_PKEY *pkey);

#endif

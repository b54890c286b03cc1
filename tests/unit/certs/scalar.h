/* Where the scalar of a private key stands in this process's memory. */
#ifndef TESTS_UNIT_CERTS_SCALAR_H
#define TESTS_UNIT_CERTS_SCALAR_H

#include "certs/key.h"
#include "tests/unit/needle.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { SCALAR_SIZE = NEEDLE_SIZE };

/* Each byte flipped, so that the search itself is not found. */
static inline void
scalar_of(const struct key *k, unsigned char flipped[SCALAR_SIZE], bool native)
{
    BIGNUM *d = NULL;
    unsigned char bytes[SCALAR_SIZE];

    assert_int_equal(EVP_PKEY_get_bn_param(key_pkey(k), OSSL_PKEY_PARAM_PRIV_KEY, &d),
                     1);
    if (native)
        BN_bn2nativepad(d, bytes, SCALAR_SIZE);
    else
        BN_bn2binpad(d, bytes, SCALAR_SIZE);
    for (int i = 0; i < SCALAR_SIZE; i++)
        flipped[i] = bytes[i] ^ 0xff;
    OPENSSL_cleanse(bytes, sizeof bytes);
    BN_clear_free(d);
}

#endif

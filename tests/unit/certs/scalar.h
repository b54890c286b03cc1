/* Where the scalar of a private key stands in this process's memory. */
#ifndef TESTS_UNIT_CERTS_SCALAR_H
#define TESTS_UNIT_CERTS_SCALAR_H

#include "certs/key.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SCALAR_SIZE = 32 };

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

static inline bool
is_at(const unsigned char *p, const unsigned char flipped[SCALAR_SIZE])
{
    for (int i = 0; i < SCALAR_SIZE; i++)
        if ((p[i] ^ flipped[i]) != 0xff)
            return false;
    return true;
}

static inline unsigned
count_in(const unsigned char *p, size_t n, const unsigned char flipped[SCALAR_SIZE])
{
    const unsigned char *end = p + n;
    unsigned count = 0;

    while (n >= SCALAR_SIZE &&
           (p = memchr(p, flipped[0] ^ 0xff, n - SCALAR_SIZE + 1))) {
        count += is_at(p, flipped);
        p++;
        n = (size_t)(end - p);
    }
    return count;
}

/* How often the scalar stands in memory we can write to, read the way a debugger would.
 */
static inline unsigned
count_in_memory(const unsigned char flipped[SCALAR_SIZE])
{
    enum { PIECE = 64 * 1024, REGION_MAX = 256 * 1024 * 1024 };
    static unsigned char piece[PIECE + SCALAR_SIZE];
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long from, to;
    char mode[8], line[512];
    unsigned count = 0;

    assert_true(maps != NULL && mem >= 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
            to - from > REGION_MAX ||
            (from <= (uintptr_t)piece && (uintptr_t)piece < to))
            continue;
        for (; from < to; from += PIECE) {
            size_t want = to - from < sizeof piece ? to - from : sizeof piece;
            ssize_t got = pread(mem, piece, want, (off_t)from);

            if (got > 0)
                count += count_in(piece, (size_t)got, flipped);
        }
    }
    OPENSSL_cleanse(piece, sizeof piece);
    close(mem);
    fclose(maps);
    return count;
}

#endif

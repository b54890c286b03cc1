/* Stateless nonces. HMAC-SHA-256 (RFC 2104) over the number of the slot and the
 * thumbprint, cut to 128 bits. */
#include "tokens/nonces.h"

#include "base/digest.h"
#include "base/memory.h"

#include <stdlib.h>

enum { BLOCK = 64, MAC_BYTES = 16, THUMBPRINT_MAX = 64, SLOT_BYTES = 8 };

struct nonces {
    unsigned char inner[BLOCK], outer[BLOCK]; /* the key, padded and masked */
};

struct nonces *
nonces_new(void)
{
    struct nonces *n = memory_new(sizeof *n);
    unsigned char key[SHA256_SIZE];

    random_bytes(key, sizeof key);
    memset(n->inner, 0x36, BLOCK);
    memset(n->outer, 0x5c, BLOCK);
    for (size_t i = 0; i < sizeof key; i++) {
        n->inner[i] ^= key[i];
        n->outer[i] ^= key[i];
    }
    explicit_bzero(key, sizeof key);
    return n;
}

void
nonces_free(struct nonces *n)
{
    if (n != NULL)
        explicit_bzero(n, sizeof *n);
    free(n);
}

static struct text
make(const struct nonces *n, struct text thumbprint, int64_t slot, char out[NONCE_SIZE])
{
    unsigned char first[BLOCK + SLOT_BYTES + THUMBPRINT_MAX];
    unsigned char second[BLOCK + SHA256_SIZE], mac[SHA256_SIZE];
    size_t length = thumbprint.n < THUMBPRINT_MAX ? thumbprint.n : THUMBPRINT_MAX;

    memcpy(first, n->inner, BLOCK);
    for (size_t i = 0; i < SLOT_BYTES; i++)
        first[BLOCK + i] = (unsigned char)((uint64_t)slot >> (8 * i));
    if (length > 0)
        memcpy(first + BLOCK + SLOT_BYTES, thumbprint.at, length);
    memcpy(second, n->outer, BLOCK);
    digest_sha256(text_of((const char *)first, BLOCK + SLOT_BYTES + length),
                  second + BLOCK);
    digest_sha256(text_of((const char *)second, sizeof second), mac);
    return text_of(out, base64url_encode(mac, MAC_BYTES, out));
}

struct text
nonce_make(const struct nonces *n, struct text thumbprint, int64_t now_s,
           char out[NONCE_SIZE])
{
    return make(n, thumbprint, now_s / NONCE_SLOT_S, out);
}

static bool
is_of_slot(const struct nonces *n, struct text nonce, struct text thumbprint,
           int64_t slot)
{
    char bound[NONCE_SIZE], free_for_all[NONCE_SIZE];

    return text_equals_constant_time(nonce, make(n, thumbprint, slot, bound)) ||
           text_equals_constant_time(nonce, make(n, text_z(NULL), slot, free_for_all));
}

enum nonce_verdict
nonce_judge(const struct nonces *n, struct text nonce, struct text thumbprint,
            int64_t now_s)
{
    int64_t slot = now_s / NONCE_SLOT_S;

    if (is_of_slot(n, nonce, thumbprint, slot))
        return NONCE_GOOD;
    return is_of_slot(n, nonce, thumbprint, slot - 1) ? NONCE_AGED : NONCE_REFUSED;
}

/* The table of algorithms. */
#include "tokens/signature_algorithm.h"

#include <assert.h>

/* Of several that a kind of key can do the first is meant. */
static const struct {
    struct text word;
    enum key_algorithm alg;
} algorithms[] = {
    { { "ecdsa-p256-sha256", 17 }, KEY_ES256 }, { { "ed25519", 7 }, KEY_EDDSA },
    { { "ecdsa-p384-sha384", 17 }, KEY_ES384 }, { { "rsa-pss-sha512", 14 }, KEY_PS512 },
    { { "rsa-v1_5-sha256", 15 }, KEY_RS256 },
};

enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

bool
signature_algorithm_find(struct text word, enum key_algorithm *out)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (text_equals(word, algorithms[i].word)) {
            *out = algorithms[i].alg;
            return true;
        }
    }
    return false;
}

struct text
signature_algorithm_word(enum key_algorithm alg)
{
    size_t i = 0;

    while (i < ALGORITHMS && algorithms[i].alg != alg)
        i++;
    assert(i < ALGORITHMS);
    return algorithms[i].word;
}

enum key_algorithm
signature_algorithm_of(enum key_kind kind)
{
    size_t i = 0;

    while (i < ALGORITHMS && key_algorithm_kind(algorithms[i].alg) != kind)
        i++;
    assert(i < ALGORITHMS);
    return algorithms[i].alg;
}

const struct public_key *
signature_key_find(const struct jwks *keys, struct text id, enum key_algorithm *alg)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        const struct public_key *key = jwks_find(keys, id, algorithms[i].alg);

        if (key != NULL) {
            *alg = algorithms[i].alg;
            return key;
        }
    }
    return NULL;
}

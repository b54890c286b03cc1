/* RFC 9421's names of signature algorithms (section 3.3), but the symmetric one: who
 * could verify by it could sign. */
#ifndef TOKENS_SIGNATURE_ALGORITHM_H
#define TOKENS_SIGNATURE_ALGORITHM_H

#include "tokens/jwks.h"

MUST_USE bool signature_algorithm_find(struct text word, enum key_algorithm *out);
struct text signature_algorithm_word(enum key_algorithm alg);
/* What a key of this kind signs by. */
enum key_algorithm signature_algorithm_of(enum key_kind kind);
/* The key of this id, and what it signs by: as it is declared, else of RSA by PSS.
 * NULL: there is none. */
const struct public_key *signature_key_find(const struct jwks *keys, struct text id,
                                            enum key_algorithm *alg);

#endif

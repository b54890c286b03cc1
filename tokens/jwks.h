/* A key set (RFC 7517 section 5) of somebody who signs: an authorization server, a
 * client of ours. Immutable and counted; any thread. */
#ifndef TOKENS_JWKS_H
#define TOKENS_JWKS_H

#include "tokens/jws.h"

enum { JWKS_TEXT_MAX = 128 * 1024, JWKS_KEYS_MAX = 100 };

struct jwks;

/* Keys of a type, use or algorithm that we do not know are passed over, as are those
 * that jwk_import_among refuses; a set may end up empty. REASON_FILE_CONTENT: it is no
 * such set, holds too many keys, or two of one kid. One reference is the caller's. */
MUST_USE enum reason jwks_parse(struct text json, struct jwks **out);
void jwks_ref(struct jwks *j);
void jwks_unref(struct jwks *j); /* NULL is fine */
size_t jwks_count(const struct jwks *j);

/* The key of this kid that may verify this algorithm: of its kind, and not declared for
 * another. Without a kid: the one such key; of several none. On loan; NULL: none. */
const struct public_key *jwks_find(const struct jwks *j, struct text kid,
                                   enum key_algorithm alg);

#endif

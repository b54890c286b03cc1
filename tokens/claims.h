/* Inside tokens/: claims that tokens and proofs of every kind have. */
#ifndef TOKENS_CLAIMS_H
#define TOKENS_CLAIMS_H

#include "base/arena.h"
#include "base/json.h"

enum claim { CLAIM_GOOD, CLAIM_ABSENT, CLAIM_BAD };
/* A time such as exp, in seconds. Bad: not a number, or one no clock will ever show. */
enum claim claim_time(const struct json *claims, const char *name, int64_t *out);
/* jti: visible ASCII, since it is written into the log and, by a gate, into a header
 * field; of 256 bytes at most. */
bool claim_id(const struct json *claims, struct text *jti);
/* This claim is the base64url digest of t. */
bool claim_is_digest(const struct json *claim, struct text t);

/* A new jti, of 128 random bits. */
struct text claim_id_new(struct arena *arena);

#endif

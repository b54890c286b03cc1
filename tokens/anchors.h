/* Inside tokens/: reading the trust anchors. */
#ifndef TOKENS_ANCHORS_H
#define TOKENS_ANCHORS_H

#include "tokens/binding.h"
#include "tokens/jws.h"

/* One trust_anchors_add: the keys of a file, and what they may say. */
struct anchor;

/* The key of this trust domain with this kid, and the anchor it came with. Without a
 * kid: the domain's key if it has exactly one. NULL: nobody we trust. On loan. */
const struct public_key *anchors_find(const struct trust_anchors *t, struct text domain,
                                      struct text kid, const struct anchor **anchor);
bool anchor_takes_issuer(const struct anchor *a, struct text issuer);
bool anchor_takes_subject(const struct anchor *a, struct text subject);

#endif

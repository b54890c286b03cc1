/* Workload identifiers (draft-ietf-wimse-identifier, SPIFFE-ID): spiffe://domain/path
 * or wimse://domain/path. Compared whole, byte for byte. */
#ifndef TOKENS_IDENTIFIER_H
#define TOKENS_IDENTIFIER_H

#include "base/reason.h"
#include "base/text.h"

enum { IDENTIFIER_MAX = 2048, TRUST_DOMAIN_MAX = 255 };

struct identifier {
    struct text scheme; /* "spiffe" or "wimse" */
    struct text domain; /* the trust domain: selects the keys that may speak for it */
};

/* Parts are on loan from t. False for anything else: userinfo, port, query, fragment,
 * an empty or dot segment, an upper-case domain, no path (that would name the whole
 * domain), more than IDENTIFIER_MAX bytes. */
MUST_USE bool identifier_parse(struct text t, struct identifier *out);
/* Lower-case letters, digits, '-', '.', '_'. */
MUST_USE bool trust_domain_is_valid(struct text t);

#endif

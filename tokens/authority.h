/* Our authority: the key that says which workload, for which task, under which grant.
 * Each sidecar has its own; its JWKS is published for the gates that trust it. Any
 * thread. */
#ifndef TOKENS_AUTHORITY_H
#define TOKENS_AUTHORITY_H

#include "base/buf.h"
#include "base/reason.h"
#include "certs/key.h"
#include "tokens/context.h"

struct authority_key; /* `struct authority` is a host and port (base/host.h) */

/* Loads keep/authority.key or makes it. name: the trust domain, put into iss as
 * spiffe://name or wimse://name after the workload's scheme. Logs the detail. */
MUST_USE enum reason authority_open(const char *keep, const char *name,
                                    struct authority_key **out);
void authority_free(struct authority_key *a);
/* {"keys":[…]} into directory/jwks.json, mode 0644. */
MUST_USE enum reason authority_publish(const struct authority_key *a,
                                       const char *directory);

/* Issues a WIT (draft-ietf-wimse-workload-creds-03): typ wit+jwt, ES256, kid; iss, sub,
 * iat, exp, jti, cnf.jwk of `holder` with alg, and CLAIM_CONTEXT. Appends the compact
 * form. REASON_MINT_TOKEN on failure. */
MUST_USE enum reason authority_issue(struct authority_key *a,
                                     const struct context *context,
                                     const struct key *holder, int64_t now_s,
                                     int64_t exp_s, struct buf *out);

/* For tests: issuing fails from now on in the whole process. */
void authority_fail_issuing(bool fail);

#endif

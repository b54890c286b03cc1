/* Inside tokens/: what the bindings share. */
#ifndef TOKENS_PRESENTER_H
#define TOKENS_PRESENTER_H

#include "tokens/binding.h"
#include "tokens/jws.h"

#include <stdatomic.h>

struct identity {
    atomic_uint references;
    struct key *key; /* never signs: presenters share it */
    char thumbprint[THUMBPRINT_SIZE];
    int64_t expires_s;
    struct text wit;       /* the compact token; its bytes are ours, as the next's */
    struct text wpt_front; /* what every proof of this task begins with: wpt.c */
};

struct presenter {
    struct identity *identity;
    struct key *key;
    struct buf claims, proof; /* kept for the next request */
};

/* wpt.c: what every proof for this token begins with. */
void wpt_prepare(struct text wit, struct buf *front);
/* Adds Workload-Identity-Token and Workload-Proof-Token. */
MUST_USE enum reason wpt_present(const struct means *with,
                                 const struct presented *request, int64_t now_s,
                                 struct headers *headers, struct evidence *evidence);

/* bound.c: an access token with a proof of its key, or on a connection that showed its
 * certificate. Where the certificate is the credential there is no token, and nothing
 * is put into the head. */
MUST_USE enum reason dpop_present(const struct means *with,
                                  const struct presented *request, int64_t now_s,
                                  struct headers *headers, struct evidence *evidence);
MUST_USE enum reason mtls_present(const struct means *with,
                                  const struct presented *request, int64_t now_s,
                                  struct headers *headers, struct evidence *evidence);

/* httpsig_present.c: signs the request, by the task's key, whose token is put in, or by
 * a key of the operator's. */
MUST_USE enum reason httpsig_present(const struct means *with,
                                     const struct presented *request, int64_t now_s,
                                     struct headers *headers,
                                     struct evidence *evidence);

/* bearer.c: it is what a field's value may hold and keeps: visible ASCII, and spaces
 * that are not at an end. Whatever else is in there, it was not meant as a secret for a
 * header. */
bool secret_may_be_put(struct text secret);
/* Puts `secret` behind the prefix into the field, in place of a stranger's.
 */
void secret_put(struct headers *headers, struct text name, struct text prefix,
                struct text secret);
/* "Authorization: Bearer" and the secret or access token, or the secret in a field
 * of the credential's own. */
MUST_USE enum reason bearer_present(const struct means *with,
                                    const struct presented *request, int64_t now_s,
                                    struct headers *headers, struct evidence *evidence);
MUST_USE enum reason header_present(const struct means *with,
                                    const struct presented *request, int64_t now_s,
                                    struct headers *headers, struct evidence *evidence);

#endif

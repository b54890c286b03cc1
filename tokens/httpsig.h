/* HTTP message signatures, made (RFC 9421): over the request as it will be sent, at the
 * moment of sending. Two profiles: `wimse`, by the task's key, with its identity token
 * in the message and covered; `plain`, by a key that the verifier knows by its keyid.
 * The body is covered by its digest, so it has to be known whole. */
#ifndef TOKENS_HTTPSIG_H
#define TOKENS_HTTPSIG_H

#include "conf/conf.h"
#include "certs/key.h"
#include "tokens/signature_parts.h"

/* A signature under this rule covers the body, so that it must be known. */
bool httpsig_needs_body(const struct conf_signature *how, bool is_wimse);

/* What the message must say for a signature to cover its body: Content-Digest, where
 * there is one or the workload says there is. Before httpsig_present, and not taken
 * back for a retry. */
void httpsig_prepare(const struct presented *request, struct headers *headers);

/* Who signs. */
struct httpsig_signer {
    const struct conf_signature *how;
    bool is_wimse;
    struct key *key;
    struct text key_id; /* plain */
    int64_t expires_s;  /* nothing that is signed holds longer; 0: no such end */
};

/* Adds Signature-Input and Signature (values in the headers' arena); all that is to be
 * covered stands in `headers`. *id: what the signature is known by, its nonce.
 * REASON_BODY_NOT_COVERED: the body is not known, and was to be covered;
 * REASON_SIGNATURE_COMPONENT: a covered field holds bytes that cannot be signed;
 * REASON_SIGN. Nothing is added on failure. */
MUST_USE enum reason httpsig_make(const struct httpsig_signer *by,
                                  const struct presented *request, int64_t now_s,
                                  struct headers *headers, struct text *id);

#endif

/* HTTP message signatures, verified (RFC 9421 section 3.2, and the WIMSE profile): of
 * requests at a gate, of answers to requests that we signed. What must be covered and
 * said is policy, and fixed before a message is looked at: a signature proves nothing
 * of what it leaves out. */
#ifndef TOKENS_HTTPSIG_VERIFY_H
#define TOKENS_HTTPSIG_VERIFY_H

#include "http/content_digest.h"
#include "tokens/jwks.h"
#include "tokens/signature_parts.h"

/* Immutable; any thread. */
struct httpsig_policy {
    const struct verifier *verifier; /* whose tokens count, who we are, what was seen */
    const struct jwks *keys; /* of those who sign without a token, by their keyid; NULL:
                                none */
    const char *const *components; /* that must be covered; none: the profile's own */
    size_t n_components;
    unsigned said;     /* bits of enum parameter that must be */
    int64_t max_age_s; /* by `created`; no signature holds longer */
    struct text tag;   /* plain; at NULL: any, or none */
};

/* The bit of a parameter, by its name in a config; 0: there is none of this name. */
unsigned httpsig_parameter(const char *name);

/* Verifies the signature of a request as received; with a Workload-Identity-Token in
 * the WIMSE profile, else in the plain one. A body is covered by its digest, which must
 * be this body's. The replay cache is entered last. facts.context is the token's; empty
 * in the plain profile, where facts.thumbprint is the keyid. Each failure has its own
 * reason: TOKEN_*, SIGNATURE_*, PROOF_*, CONTEXT_*, CONTENT_DIGEST. */
MUST_USE enum reason httpsig_verify(const struct httpsig_policy *p,
                                    const struct request *request,
                                    const struct presented *received, int64_t now_s,
                                    struct arena *arena, struct facts *out);
/* Removes the signature's fields, and its token's. */
void httpsig_strip(struct headers *h);

/* An answer to a request of ours. */
struct httpsig_answer {
    struct signature_scene
        scene;     /* the request as it was sent, and the answer's head */
    bool is_wimse; /* how the request was signed */
    bool has_body;
    struct text nonce; /* of the request's signature */
    struct text label; /* likewise */
};

/* Whether the answer is signed, over itself and over the request it answers. *said:
 * what its body must be, to be judged as it passes; nothing in it: there is no body.
 * REASON_ANSWER_UNSIGNED, REASON_ANSWER_SIGNATURE; the detail is logged. */
MUST_USE enum reason httpsig_judge_answer(const struct httpsig_policy *p,
                                          const struct httpsig_answer *answer,
                                          int64_t now_s, struct arena *arena,
                                          struct content_digest *said);

#endif

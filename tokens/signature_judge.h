/* Inside tokens/: what is judged of a signature alike, whether a request bears it or an
 * answer. */
#ifndef TOKENS_SIGNATURE_JUDGE_H
#define TOKENS_SIGNATURE_JUDGE_H

#include "tokens/httpsig_verify.h"
#include "tokens/signature_algorithm.h"
#include "tokens/signature_parameters.h"
#include "tokens/wit.h"

/* One signature of a message, its two halves put together. */
struct signature {
    const struct sf_member *input;
    struct text label, bytes;
    struct component *covered; /* of input's, in their order */
    struct signature_parameters says;
};

/* The one that counts among a message's: the only one; of several, in the WIMSE profile
 * that with its label, else the only one with the tag that is asked for. Every
 * component's identifier is well-formed, and there are not many. SIGNATURE_MISSING,
 * _MALFORMED, _SEVERAL, _PARAMETERS, _COMPONENT. */
MUST_USE enum reason signature_find(const struct headers *h, bool is_wimse,
                                    struct text tag, struct arena *a,
                                    struct signature *out);

/* All of `must` (bits) is said, and in the WIMSE profile neither key nor algorithm: the
 * token names them. SIGNATURE_PARAMETERS. */
MUST_USE enum reason signature_judge_says(const struct httpsig_policy *p, bool is_wimse,
                                          const struct signature *s, unsigned must);
/* *ends_s: when nobody takes it any more. SIGNATURE_PARAMETERS, PROOF_EXPIRED,
 * PROOF_NOT_YET, PROOF_TOO_LONG. */
MUST_USE enum reason signature_judge_times(const struct httpsig_policy *p,
                                           const struct signature *s, int64_t now_s,
                                           int64_t *ends_s);
/* Who is to have signed, and how. */
struct signature_key {
    const struct public_key *key;
    enum key_algorithm alg;
};

/* By its keyid. SIGNATURE_KEY, SIGNATURE_ALGORITHM. */
MUST_USE enum reason signature_judge_key(const struct httpsig_policy *p,
                                         const struct signature *s,
                                         struct signature_key *by);
/* A token's holder. SIGNATURE_ALGORITHM. */
MUST_USE enum reason signature_take_holder(const struct wit *w,
                                           struct signature_key *by);
/* The signature is this key's over this scene; *base, in the arena: what was signed.
 * SIGNATURE_COMPONENT, SIGNATURE_WRONG. */
MUST_USE enum reason signature_judge_bytes(const struct signature *s,
                                           const struct signature_scene *scene,
                                           const struct signature_key *by,
                                           struct arena *a, struct text *base);

/* All of this component is covered: a field by any form but that of one member. */
bool signature_covers(const struct signature *s, const struct component *c);
bool signature_covers_name(const struct signature *s, struct text name,
                           bool of_request);

#endif

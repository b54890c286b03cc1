/* A workload that keeps a DPoP key of its own (RFC 9449): where its rule says so, its
 * proof and the token that is bound to it are let through. A copy of either is worth
 * nothing without the key; but no end of a task takes them back. What is no proof, and
 * a token that this proof does not name, are credentials like any other. */
#ifndef FILTERS_OWN_PROOF_H
#define FILTERS_OWN_PROOF_H

#include "filters/filter.h"

/* Which of the two the request's head has, and the rule lets pass. */
struct own_proof {
    bool proof, token;
};

/* Looks at the head before anything is taken out of it. REASON_OWN_PROOF_PATH: Holdfast
 * would spell the path of the proof otherwise. */
MUST_USE enum reason own_proof_judge(const struct view *v, struct own_proof *out);
/* This field, which stands where a credential does, may stay in the head. */
bool own_proof_passes(const struct own_proof *own, const struct field *f);

#endif

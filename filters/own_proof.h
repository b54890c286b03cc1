/* A workload that keeps a DPoP key of its own (RFC 9449): where its rule says so, its
 * proof and the token that is bound to it are let through. A copy of either is worth
 * nothing without the key; but no end of a task takes them back. */
#ifndef FILTERS_OWN_PROOF_H
#define FILTERS_OWN_PROOF_H

#include "filters/filter.h"

/* The rule lets this field pass, which stands where a credential does. */
bool own_proof_passes(const struct view *v, const struct field *f);
/* The proof, if there is one to pass, was made for the path that is sent.
 * REASON_OWN_PROOF_PATH: Holdfast would spell it otherwise. */
MUST_USE enum reason own_proof_judge(const struct view *v);

#endif

/* verify: at a gate, nothing passes that did not prove who made it, for this very
 * request, by a proof that the door accepts (tokens/binding.h, dpop_verify.h), and that
 * no rule of the door allows. The reason of a refusal is the proof's own, or what the
 * nearest rule missed: CONTEXT_REFUSED (who asks, binding, grant or purpose), then
 * SCOPE_MISSING, METHOD_NOT_ALLOWED, PATH_NOT_ALLOWED, PROOF_BODY. Proofs are
 * remembered across reloads (replays.h). */
#ifndef FILTERS_VERIFY_H
#define FILTERS_VERIFY_H

#include "filters/filter.h"

extern const struct filter verify_filter;

/* chain_inquires */
const struct conf_issuer *verify_inquires(const void *state, struct view *v,
                                          struct text *token);

/* For `explain`: what a gate's rule says of a request before anything was proved. */
bool verify_takes_method(const struct conf_gate_rule *r, struct text method);
bool verify_takes_path(const struct conf_gate_rule *r, struct text path);

#endif

/* answer: by what the answers to signed requests are judged, where a rule says
 * `response = "verify"`. The keys and trust of each such rule are read once per
 * generation. The judgement itself is tokens/httpsig_verify.h's; when it is made, and
 * what becomes of an answer that fails it, is the exchange's. */
#ifndef FILTERS_ANSWER_H
#define FILTERS_ANSWER_H

#include "filters/filter.h"
#include "tokens/httpsig_verify.h"

extern const struct filter answer_filter;

/* By what the answer to this request is judged, once it was signed; NULL: it is not. */
const struct httpsig_policy *answer_policy(const void *state, const struct view *v);

#endif

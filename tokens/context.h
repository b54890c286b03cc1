/* The context a credential is bound to: given by value, so that tokens/ knows no grant.
 */
#ifndef TOKENS_CONTEXT_H
#define TOKENS_CONTEXT_H

#include "base/reason.h"
#include "base/text.h"

struct context {
    struct text workload; /* the identifier: WIT sub */
    struct text task;
    struct text grant;
    struct text purpose;
    struct text owner;
    struct text pod;       /* the uid of its pod or claim; empty: not known … */
    struct text container; /* … nor the id of its container */
};

/* The same on both sides: what a gate would refuse is not issued.
 * REASON_CONTEXT_MISSING when one of the first five is empty, REASON_CONTEXT_REFUSED
 * when one is too long or holds a control byte (a gate writes them into header fields).
 */
MUST_USE enum reason context_check(const struct context *c);

/* Our own claims (STANDARDS.md section 8): collision-resistant names, required by our
 * gate, ignored by others. */
#define CLAIM_CONTEXT                                                                  \
    "https://holdfast.dev/claims/ctx" /* WIT:                                          \
                                         {"grant","owner","pod"?,                      \
                                         "container"?,"purpose","task"} */
#define CLAIM_REQUEST                                                                  \
    "https://holdfast.dev/claims/req" /* WPT: {"method","query"?,"body"?} */

#endif

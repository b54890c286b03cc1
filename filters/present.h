/* present: puts the credential of the rule on the request, bound to it, at the last
 * moment before it leaves, signed by the key of the task that the request is of.
 * Nothing is presented outside verified TLS, by a rule without a credential, or, where
 * the rule says `on_handle`, without the caller's own handle in the request. That the
 * task has not ended is the exchange's to see. */
#ifndef FILTERS_PRESENT_H
#define FILTERS_PRESENT_H

#include "filters/filter.h"

extern const struct filter present_filter;

/* Whether this request, once judged, is to leave with the rule's credential. */
bool present_is_wanted(const struct view *v);

/* How it will leave with it; BINDING_NONE: without. */
enum binding present_binding(const struct view *v);

/* Takes away what an attempt before this one presented: a retry proves anew. */
void present_forget(struct view *v);

#endif

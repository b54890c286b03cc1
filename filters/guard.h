/* guard: nothing metadata, private, local or special is named or dialled unless the rule says so (DESIGN.md G4). */
#ifndef FILTERS_GUARD_H
#define FILTERS_GUARD_H

#include "filters/filter.h"

extern const struct filter guard_filter;

/* All addresses of one answer: if any is denied the whole answer is. For literal hosts too. A gate's configured upstream is the operator's own
 * word and is not asked here. */
enum reason guard_judge_addresses(void *state, struct view *v, const struct address *addresses, size_t n);

#endif

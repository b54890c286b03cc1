/* guard: nothing metadata, private, local or special is named or dialled unless the
 * rule says so (DESIGN.md G4).
 *
 * What a rule's `addresses` opens: private and special ranges, and names that are local
 * by their nature. A metadata or host service only where an entry is exactly its
 * address (/32, /128); a metadata name likewise. Never an IPv6 form that carries an
 * IPv4 address, and never what `also_deny` holds. */
#ifndef FILTERS_GUARD_H
#define FILTERS_GUARD_H

#include "filters/filter.h"

/* Names and literal addresses, by the rule that policy_filter left in the view: judged
 * before anything is resolved. */
extern const struct filter guard_filter;

/* All addresses of one answer: if any is denied the whole answer is, and an answer
 * without any is denied too. For literal hosts as well. A gate's configured upstream is
 * the operator's own word and is not asked here. */
enum reason guard_judge_addresses(void *state, struct view *v,
                                  const struct address *addresses, size_t n);

#endif

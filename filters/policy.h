/* policy: which grant allows this request. In two steps, so that guard can speak
 * between them: policy_filter finds the rule, or the one that came nearest, and leaves
 * the answer in the view; policy_demand_filter refuses what no rule allows. Guard needs
 * the rule for its exceptions, and what is prohibited is told as such even where no
 * rule names it. */
#ifndef FILTERS_POLICY_H
#define FILTERS_POLICY_H

#include "filters/filter.h"

extern const struct filter policy_filter;
extern const struct filter policy_demand_filter;

const struct grants *policy_grants(const void *state);

#endif

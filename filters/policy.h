#ifndef FILTERS_POLICY_H
#define FILTERS_POLICY_H

#include "filters/filter.h"

extern const struct filter policy_filter;

#endif

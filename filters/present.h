#ifndef FILTERS_PRESENT_H
#define FILTERS_PRESENT_H

#include "filters/filter.h"

extern const struct filter present_filter;

#endif

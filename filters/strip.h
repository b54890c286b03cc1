#ifndef FILTERS_STRIP_H
#define FILTERS_STRIP_H

#include "filters/filter.h"

extern const struct filter strip_filter;

#endif

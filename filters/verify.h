#ifndef FILTERS_VERIFY_H
#define FILTERS_VERIFY_H

#include "filters/filter.h"

extern const struct filter verify_filter;

#endif

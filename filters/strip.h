/* strip: no credential of the workload's own leaves, nor a field by which it could pass
 * for somebody else. Header fields and query parameters, by name (positions.h); what a
 * rule passes (cookies, signed URLs) stays. What is in a path, in a body or encoded in
 * another value is not seen here. */
#ifndef FILTERS_STRIP_H
#define FILTERS_STRIP_H

#include "filters/filter.h"
#include "filters/positions.h"

extern const struct filter strip_filter;

/* Every position that is stripped under this config, and those that it keeps besides:
 * where else a handle may stand. The caller's to free. */
struct positions *strip_positions(const struct conf *conf);

#endif

/* prove: which of a caller's tasks asks, where the caller alone does not tell. A client
 * that was given a task's password says it in Proxy-Authorization (Basic, id:password),
 * with CONNECT or a request in absolute form; its process has to be the task's all the
 * same. What begins like a task's id and is not proved is refused and alarmed; any
 * other Proxy-Authorization proves nothing, and is stripped. */
#ifndef FILTERS_PROVE_H
#define FILTERS_PROVE_H

#include "filters/filter.h"

extern const struct filter prove_filter;

#endif

/* The parameters of a query, one by one. */
#ifndef FILTERS_PARAMETER_H
#define FILTERS_PARAMETER_H

#include "base/arena.h"
#include "base/text.h"

struct parameter {
    char separator; /* before it; 0: it is the first */
    struct text whole, name, value;
};

/* Takes the next parameter off the front; begin with a zeroed one. Some servers
 * separate by ';' as well. */
bool parameter_next(struct text *rest, struct parameter *p);

/* With escapes decoded once, and '+' read as a space. t itself when there is nothing to
 * decode. */
struct text parameter_decode(struct arena *a, struct text t);

#endif

/* What the files behind doors.h ask of each other. */
#ifndef PROXY_DOORS_PARTS_H
#define PROXY_DOORS_PARTS_H

#include "proxy/doors.h"

/* For the i-th door, whose listeners are bound: a UDP socket beside each of them.
 * REASON_CANNOT_BIND, with errno. */
MUST_USE enum reason doors_bind_datagrams(struct doors *d, size_t i);

#endif

/* A rate that several threads share: so many a second, all of a second's at once if
 * they were saved up. One atomic number each, no lock. */
#ifndef PROXY_RATE_H
#define PROXY_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* When what was taken so far would have come one by one, in monotonic µs; zeroed: never
 * used. */
struct rate {
    atomic_llong taken_until_us;
};

/* One more now? now_ms is monotonic; per_second is at least 1. */
bool rate_take(struct rate *r, int64_t per_second, int64_t now_ms);

#endif

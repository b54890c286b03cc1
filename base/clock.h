/* Two clocks, never mixed: monotonic for anything that waits, wall for what strangers
 * read (iat, exp, log stamps). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds, microseconds since some start; never steps. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Seconds and milliseconds since 1970 UTC. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* For tests alone: moves the wall clock by this many seconds from now on. */
void clock_wall_shift(int64_t seconds);

/* "2026-11-21T23:49:20.123Z" into out (25 bytes with its NUL). */
void clock_format(int64_t wall_ms, char out[25]);

/* "2026-11-21" or "2026-11-21T08:00:00Z" to seconds; -1 when it is neither (or no such
 * day). */
int64_t clock_parse(const char *z);

#endif

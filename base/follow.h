/* The log, followed. While somebody follows, every line is copied into a room of fixed
 * size, and whoever follows is rung. A full room loses the line and counts it: who logs
 * never waits for who reads. While nobody follows this costs one relaxed load a line.
 *
 * There is one follower: the thread that takes. */
#ifndef BASE_FOLLOW_H
#define BASE_FOLLOW_H

#include "base/buf.h"

#include <stdatomic.h>

enum { FOLLOW_ROOM = 256 << 10 };

extern atomic_bool follow_on;

static inline bool
follow_is_on(void)
{
    return atomic_load_explicit(&follow_on, memory_order_relaxed);
}

/* bell: a descriptor of eventfd(2), rung when there is something to take. */
void follow_begin(int bell);
void follow_end(void);

/* A whole line with its newline; any thread. */
void follow_put(struct text line);
/* Moves all that is there to the end of `out`; returns how many lines were lost since
 * the last call, all of them after what is taken now. */
size_t follow_take(struct buf *out);

#endif

/* Everything that is wrong with a config, gathered and told at once: sorted by place, a
 * line each, bounded. */
#ifndef CONF_PROBLEM_H
#define CONF_PROBLEM_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/schema.h"

/* More than an operator reads in one sitting; past it the rest is counted. */
enum { PROBLEMS_SHOWN = 200 };

struct problem {
    struct place place;
    size_t order; /* in which it was found */
    struct text message;
};

struct problems {
    struct arena *arena;
    struct problem *at;
    size_t n, room;
};

/* line 0: about the file as a whole. */
void problem_add(struct problems *p, struct place place, struct text message);

/* "file:line: message" each, in order of file and line. */
void problems_print(struct problems *p, struct buf *report);

#endif

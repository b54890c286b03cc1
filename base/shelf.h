/* A shelf: blocks of one size that wait for their next use, per thread. A busy
 * connection takes and gives the same few blocks for every request; here that is a
 * list operation instead of malloc and free. What an idle connection gave back is
 * another's, so it costs nothing while it waits.
 *
 * A block comes back as it was given, but for its first word: whoever gives one with
 * anything in it that must not be found later wipes it first. */
#ifndef BASE_SHELF_H
#define BASE_SHELF_H

#include <stdbool.h>
#include <stddef.h>

/* Define one as `static _Thread_local struct shelf s = { .size = …, .keep = … };` and
 * touch no other field. What it holds is freed when its thread ends. */
struct shelf {
    size_t size;   /* of a block, at least a pointer's */
    unsigned keep; /* at most so many wait */
    unsigned count;
    unsigned idle; /* so many were not touched since the last settling */
    struct spare *first;
    struct shelf *next; /* of this thread */
    bool is_known;
};

/* The block that was given last, its first word zero; NULL when none waits. */
void *shelf_take(struct shelf *s);
/* Takes a block from malloc; frees it when enough wait. */
void shelf_give(struct shelf *s, void *block);

/* Frees what waited on this thread's shelves without being taken since the last call.
 * Called now and then, it lets a shelf be as large as a burst wants and as small as the
 * time after it needs. True when it freed any. */
bool shelves_settle(void);
/* Something waits on one of this thread's. */
bool shelves_hold_any(void);

#endif

/* An arena: what is parsed for one exchange, freed in one call. Never returns NULL:
 * memory that cannot be had ends the process. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/text.h"

struct arena;

struct arena *arena_new(void);
/* Everything allocated dies; the first block stays. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

/* Zeroed, aligned for any type. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
struct text arena_copy(struct arena *a, struct text t);
/* As arena_copy, with a NUL after it. */
char *arena_copy_z(struct arena *a, struct text t);
struct text arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes handed out since the last reset: a limit can be held against it. */
size_t arena_used(const struct arena *a);

#endif

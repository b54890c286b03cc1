/* Memory that cannot be had ends the process: a dead gate is shut, while a gate that
 * limps on without its memory may be open. What these return is given back with
 * free(3). */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <string.h>

/* Zeroed; never NULL. n may be 0. */
void *memory_new(size_t n) __attribute__((malloc, returns_nonnull));
/* count things of size bytes each, zeroed; a product that overflows ends the process
 * too. */
void *memory_new_array(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));
/* Not zeroed: for bytes about to be overwritten. */
void *memory_new_raw(size_t n) __attribute__((malloc, returns_nonnull));
/* What `old` (or NULL) held, in room for count things of size bytes, at least one; the
 * rest is not zeroed. Large ones are not copied. */
void *memory_resize(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull));
char *memory_copy_z(const char *z) __attribute__((malloc, returns_nonnull));

enum { MEMORY_PIECE = 2048 };

/* What memcpy does, at no worse a rate for bytes that are many and lie anywhere. */
void memory_copy_pieces(char *to, const char *from, size_t n);
static inline void
memory_copy(char *to, const char *from, size_t n)
{
    if (n > MEMORY_PIECE)
        memory_copy_pieces(to, from, n);
    else
        memmove(to, from, n); /* of a memcpy of so few gcc makes `rep movsq` */
}

/* One line to standard error, then abort(3). */
_Noreturn void memory_exhausted(void);

#endif

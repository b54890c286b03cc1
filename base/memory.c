/* Allocation without a failure path. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void
memory_exhausted(void)
{
    static const char line[] = "holdfast: out of memory, stopping\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof(line) - 1);

    (void)written; /* nobody is left to tell */
    abort();
}

void *
memory_new(size_t n)
{
    return memory_new_array(1, n);
}

void *
memory_new_array(size_t count, size_t size)
{
    void *p;

    if (count == 0 || size == 0)
        count = size = 1;
    if ((p = calloc(count, size)) == NULL)
        memory_exhausted();
    return p;
}

void *
memory_new_raw(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);

    if (p == NULL)
        memory_exhausted();
    return p;
}

void *
memory_resize(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count, size);

    if (p == NULL)
        memory_exhausted();
    return p;
}

char *
memory_copy_z(const char *z)
{
    size_t n = strlen(z) + 1;

    return memcpy(memory_new_raw(n), z, n);
}

/* Each shorter than what glibc hands to `rep movsb`, which takes 18 times as long on
 * some processors when the target lies 1 to 15 bytes further in its page than the
 * source: as behind a frame's header, between two buffers that begin alike. */
void
memory_copy_pieces(char *to, const char *from, size_t n)
{
    enum { PIECE = MEMORY_PIECE };

    for (; n > PIECE; n -= PIECE, to += PIECE, from += PIECE)
        memmove(to, from, PIECE);
    memmove(to, from, n);
}

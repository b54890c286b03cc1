/* A list of blocks, filled from the front. Memory is handed out zeroed because it is
 * wiped when the arena is reset or freed: the same memset, but at the end of an
 * exchange, so that nothing of it (credentials among it) stays behind. */
#include "base/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 16 }; /* poisoned, behind each piece */
#else
#define ASAN_POISON_MEMORY_REGION(at, n)   ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
enum { GAP = 0 };
#endif

enum { ALIGN = alignof(max_align_t), FIRST = 4096, NEXT = 16384, LARGE = NEXT / 4 };

struct block {
    struct block *next;
    size_t size; /* of bytes */
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block
        *current; /* the newest at the head; the first block is the last of the list */
    size_t handed_out;
};

static struct block *
block_new(size_t size, struct block *next)
{
    struct block *b = memory_new(sizeof(*b) + size);

    b->next = next;
    b->size = size;
    ASAN_POISON_MEMORY_REGION(b->bytes, size);
    return b;
}

static void
block_wipe(struct block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
    explicit_bzero(b->bytes, b->used);
    b->used = 0;
}

struct arena *
arena_new(void)
{
    struct arena *a = memory_new(sizeof(*a));

    a->current = block_new(FIRST - sizeof(struct block), NULL);
    return a;
}

void
arena_reset(struct arena *a)
{
    while (a->current->next != NULL) {
        struct block *b = a->current;

        a->current = b->next;
        block_wipe(b);
        free(b);
    }
    block_wipe(a->current);
    ASAN_POISON_MEMORY_REGION(a->current->bytes, a->current->size);
    a->handed_out = 0;
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    arena_reset(a);
    ASAN_UNPOISON_MEMORY_REGION(a->current->bytes, a->current->size);
    free(a->current);
    free(a);
}

static void *
take(struct block *b, size_t room, size_t n)
{
    char *at = b->bytes + b->used;

    b->used += room;
    ASAN_UNPOISON_MEMORY_REGION(at, n);
    return at;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    size_t room;

    assert(n <= SIZE_MAX / 4);
    room = ((n > 0 ? n : 1) + GAP + ALIGN - 1) / ALIGN * ALIGN;
    a->handed_out += n;
    if (room <= a->current->size - a->current->used)
        return take(a->current, room, n);
    if (room >= LARGE && a->current->next != NULL) {
        /* A block of its own, behind the current one, which still has room for small
         * pieces. */
        a->current->next = block_new(room, a->current->next);
        return take(a->current->next, room, n);
    }
    a->current = block_new(room > NEXT ? room : NEXT, a->current);
    return take(a->current, room, n);
}

struct text
arena_copy(struct arena *a, struct text t)
{
    char *at = arena_alloc(a, t.n);

    if (t.n > 0)
        memcpy(at, t.at, t.n);
    return text_of(at, t.n);
}

char *
arena_copy_z(struct arena *a, struct text t)
{
    char *at = arena_alloc(a, t.n + 1);

    if (t.n > 0)
        memcpy(at, t.at, t.n);
    return at;
}

struct text
arena_printf(struct arena *a, const char *format, ...)
{
    va_list values, again;
    char *at;
    int n;

    va_start(values, format);
    va_copy(again, values);
    n = vsnprintf(NULL, 0, format, values);
    assert(n >= 0);
    at = arena_alloc(a, (size_t)n + 1);
    vsnprintf(at, (size_t)n + 1, format, again);
    va_end(again);
    va_end(values);
    return text_of(at, (size_t)n);
}

size_t
arena_used(const struct arena *a)
{
    return a->handed_out;
}

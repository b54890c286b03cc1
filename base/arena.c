/* A list of blocks, filled from the front. Memory is handed out zeroed because it is
 * wiped when the arena is reset or freed: the same memset, but at the end of an
 * exchange, so that nothing of it (credentials among it) stays behind.
 *
 * The arena lies in its own first block, and that one is from a shelf: an exchange
 * makes and frees one for the price of a list operation, and a connection that waits
 * for its next request holds none. */
#include "base/arena.h"

#include "base/memory.h"
#include "base/poison.h"
#include "base/shelf.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef POISON_WORKS
enum { GAP = 16 }; /* poisoned, behind each piece */
#else
enum { GAP = 0 };
#endif

enum {
    ALIGN = alignof(max_align_t),
    FIRST = 8192,
    NEXT = 16384,
    LARGE = NEXT / 4,
    WIPE = 1024
};

struct block {
    struct block *next;
    size_t size; /* of bytes */
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *others; /* go at the next reset */
    struct block
        *current; /* where small pieces come from: first, or one of the others */
    size_t handed_out;
    struct block first; /* stays; last, for its bytes follow */
};

static _Thread_local struct shelf spares = { .size = FIRST, .keep = 256 };

static struct block *
block_new(size_t size, struct block *next)
{
    struct block *b = memory_new(sizeof(*b) + size);

    b->next = next;
    b->size = size;
    poison(b->bytes, size);
    return b;
}

static void
block_wipe(struct block *b)
{
    poison_lift(b->bytes, b->size);
    /* In pieces: above 2 KiB glibc's memset changes to `rep stosb`, which takes longer
     * to begin than what an exchange leaves takes to wipe. */
    for (size_t n; b->used > 0; b->used -= n) {
        n = b->used < WIPE ? b->used : WIPE;
        explicit_bzero(b->bytes + b->used - n, n);
    }
}

/* A spare is all zero, as it was given. */
struct arena *
arena_new(void)
{
    struct arena *a = shelf_take(&spares);

    if (a == NULL)
        a = memory_new(FIRST);
    a->first.size = FIRST - sizeof(*a);
    poison(a->first.bytes, a->first.size);
    a->current = &a->first;
    return a;
}

static void
empty(struct arena *a)
{
    while (a->others != NULL) {
        struct block *b = a->others;

        a->others = b->next;
        block_wipe(b);
        free(b);
    }
    block_wipe(&a->first);
}

void
arena_reset(struct arena *a)
{
    empty(a);
    poison(a->first.bytes, a->first.size);
    a->current = &a->first;
    a->handed_out = 0;
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    empty(a);
    memset(a, 0, sizeof(*a));
    shelf_give(&spares, a);
}

static void *
take(struct block *b, size_t room, size_t n)
{
    char *at = b->bytes + b->used;

    b->used += room;
    poison_lift(at, n);
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
    a->others = block_new(room < LARGE ? NEXT : room, a->others);
    /* A large piece gets a block of its own, and the current one keeps its room for
     * small ones. */
    if (room < LARGE)
        a->current = a->others;
    return take(a->others, room, n);
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

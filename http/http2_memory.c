/* A few shelves, each of twice the size of the one before. What is larger comes from
 * malloc and goes back there. */
#include "http/http2_memory.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Before each piece. */
struct piece {
    size_t room; /* of the block that this one heads */
    size_t n;    /* that were asked for, and may have been written */
    alignas(max_align_t) char bytes[];
};

enum { SMALLEST = 64, SMALLEST_BITS = 6 };

static _Thread_local struct shelf shelves[] = {
    { .size = SMALLEST, .keep = 512 }, { .size = 128, .keep = 512 },
    { .size = 256, .keep = 512 },      { .size = 512, .keep = 512 },
    { .size = 1024, .keep = 64 },      { .size = 2048, .keep = 64 },
};

enum { KINDS = sizeof shelves / sizeof shelves[0] };

/* The shelf whose blocks are large enough; NULL: none. */
static struct shelf *
shelf_for(size_t room)
{
    int bits = 64 - __builtin_clzll((room - 1) | (SMALLEST - 1));
    int kind = bits - SMALLEST_BITS;

    return kind < KINDS ? &shelves[kind] : NULL;
}

void *
http2_memory_take(size_t n, void *unused)
{
    struct shelf *shelf;
    struct piece *p;
    size_t room;

    (void)unused;
    assert(n <= SIZE_MAX / 4);
    shelf = shelf_for(sizeof *p + n);
    room = shelf != NULL ? shelf->size : sizeof *p + n;
    p = shelf != NULL ? shelf_take(shelf) : NULL;
    if (p == NULL)
        p = memory_new_raw(room);
    p->room = room;
    p->n = n;
    return p->bytes;
}

void *
http2_memory_take_zeroed(size_t count, size_t size, void *unused)
{
    assert(size == 0 || count <= SIZE_MAX / 4 / size);
    return memset(http2_memory_take(count * size, unused), 0, count * size);
}

static struct piece *
piece_of(void *at)
{
    return (struct piece *)(void *)((char *)at - offsetof(struct piece, bytes));
}

void
http2_memory_give(void *at, void *unused)
{
    struct shelf *shelf;
    struct piece *p;

    (void)unused;
    if (at == NULL)
        return;
    p = piece_of(at);
    shelf = shelf_for(p->room);
    explicit_bzero(p->bytes, p->n);
    if (shelf != NULL)
        shelf_give(shelf, p);
    else
        free(p);
}

void *
http2_memory_resize(void *at, size_t n, void *unused)
{
    size_t kept = at == NULL ? 0 : piece_of(at)->n;
    void *other = http2_memory_take(n, unused);

    if (kept > 0)
        memcpy(other, at, kept < n ? kept : n);
    http2_memory_give(at, unused);
    return other;
}

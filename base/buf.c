/* Growing runs of bytes over a few shelves of blocks: a busy connection fills and
 * empties its buffers for every request.
 *
 * No byte outlives its buffer: what was written is wiped before the memory goes back to
 * its shelf or to malloc. Heads and bodies carry credentials, and whoever reads our
 * heap later must not find them. */
#include "base/buf.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A head, a TLS record with its frame, a body's working set. A turn of the loop fills
 * one for each connection that has something to say, and empties them at its end: so
 * many are kept as are needed then. */
static _Thread_local struct shelf shelves[] = {
    { .size = 4096, .keep = 256 },
    { .size = 16384 + 4096, .keep = 64 },
    { .size = 65536 + 4096, .keep = 32 },
    { .size = 131072 + 8192, .keep = 8 },
};

enum { KINDS = sizeof(shelves) / sizeof(shelves[0]) };

/* The shelf for blocks of exactly this size; NULL: too large to be kept. */
static struct shelf *
shelf_of(size_t size)
{
    for (int i = 0; i < KINDS; i++)
        if (shelves[i].size == size)
            return &shelves[i];
    return NULL;
}

static size_t
size_for(size_t n)
{
    size_t size = shelves[KINDS - 1].size;

    for (int i = 0; i < KINDS; i++)
        if (n <= shelves[i].size)
            return shelves[i].size;
    assert(n <= SIZE_MAX / 4);
    while (size < n)
        size *= 2;
    return size;
}

static char *
block_take(size_t size)
{
    struct shelf *s = shelf_of(size);
    char *block = s != NULL ? shelf_take(s) : NULL;

    return block != NULL ? block : memory_new_raw(size);
}

static void
block_give(char *mem, size_t size)
{
    struct shelf *s = shelf_of(size);

    if (s != NULL)
        shelf_give(s, mem);
    else
        free(mem);
}

void
buf_give_back(struct buf *b)
{
    if (b->end > 0)
        explicit_bzero(b->mem, b->end);
    block_give(b->mem, b->size);
    *b = (struct buf){ 0 };
}

void
buf_wipe(struct buf *b)
{
    /* Reserved bytes may have been written without being committed. */
    if (b->mem != NULL)
        explicit_bzero(b->mem, b->size);
    buf_free(b);
}

struct text
buf_text(const struct buf *b)
{
    if (b->mem == NULL)
        return text_of("", 0);
    return text_of(b->mem + b->start, buf_length(b));
}

static void
move_to_front(struct buf *b)
{
    size_t n = buf_length(b);

    memmove(b->mem, b->mem + b->start, n);
    explicit_bzero(b->mem + n, b->end - n);
    b->start = 0;
    b->end = n;
}

static void
grow(struct buf *b, size_t n)
{
    struct buf larger = { 0 };

    assert(n <= SIZE_MAX / 4 && buf_length(b) <= SIZE_MAX / 4);
    larger.size = size_for(buf_length(b) + n);
    larger.mem = block_take(larger.size);
    larger.end = buf_length(b);
    if (larger.end > 0)
        memory_copy(larger.mem, b->mem + b->start, larger.end);
    buf_free(b);
    *b = larger;
}

char *
buf_make_room(struct buf *b, size_t n)
{
    /* Move only when at least half is read: otherwise a trickle of one byte out, one
     * byte in would move the whole buffer each time. */
    if (b->mem != NULL && b->start >= b->size / 2 && b->size - buf_length(b) >= n)
        move_to_front(b);
    else
        grow(b, n);
    return b->mem + b->end;
}

void
buf_commit(struct buf *b, size_t n)
{
    assert(n <= b->size - b->end);
    b->end += n;
    if (b->start == b->end)
        buf_free(b);
}

void
buf_drop(struct buf *b, size_t n)
{
    assert(n <= buf_length(b));
    b->start += n;
    if (b->start == b->end)
        buf_free(b);
}

void
buf_truncate(struct buf *b, size_t length)
{
    assert(length <= buf_length(b));
    if (b->mem == NULL)
        return;
    explicit_bzero(b->mem + b->start + length, buf_length(b) - length);
    b->end = b->start + length;
    if (length == 0)
        buf_free(b);
}

void
buf_add(struct buf *b, struct text t)
{
    if (t.n == 0)
        return;
    memory_copy(buf_reserve(b, t.n), t.at, t.n);
    b->end += t.n;
}

void
buf_add_z(struct buf *b, const char *z)
{
    buf_add(b, text_z(z));
}

void
buf_add_byte(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->end++;
}

static void
add_number(struct buf *b, uint64_t n, unsigned base)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    buf_add(b, text_of(digits + at, sizeof(digits) - at));
}

void
buf_add_u64(struct buf *b, uint64_t n)
{
    add_number(b, n, 10);
}

void
buf_add_hex(struct buf *b, uint64_t n)
{
    add_number(b, n, 16);
}

static int
print_into(struct buf *b, size_t room, const char *format, va_list values)
{
    int n = vsnprintf(buf_reserve(b, room), room, format, values);

    assert(n >= 0);
    return n;
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    enum { FIRST_TRY = 256 };
    va_list values, again;
    int n;

    va_start(values, format);
    va_copy(again, values);
    n = print_into(b, FIRST_TRY, format, values);
    if (n >= FIRST_TRY) {
        explicit_bzero(b->mem + b->end,
                       FIRST_TRY); /* it may stay behind when we grow */
        n = print_into(b, (size_t)n + 1, format, again);
    }
    buf_commit(b, (size_t)n);
    va_end(again);
    va_end(values);
}

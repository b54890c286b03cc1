/* Bytes that wait: one growing run of bytes with a read end and a write end. Empty
 * buffers hold no memory, so an idle connection costs nothing here. Ceilings are the
 * caller's: a buf grows as asked. What was committed is wiped before its memory is used
 * for anything else. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/text.h"

struct buf {
    char *mem;
    size_t size;  /* of mem */
    size_t start; /* first unread byte */
    size_t end;   /* one past the last written byte */
};

/* A zeroed struct buf is an empty one. buf_free makes it so again. */
void buf_give_back(struct buf *b);
static inline void
buf_free(struct buf *b)
{
    if (b->mem != NULL)
        buf_give_back(b);
}

static inline size_t
buf_length(const struct buf *b)
{
    return b->end - b->start;
}

/* Bytes that can be reserved without taking other memory. */
static inline size_t
buf_room(const struct buf *b)
{
    return b->size - b->end;
}

/* What is unread; valid until the next call that changes the buffer. */
struct text buf_text(const struct buf *b);

/* Room for n bytes at the write end; never NULL (memory that cannot be had ends the
 * process: a dead gate is shut). */
char *buf_make_room(struct buf *b, size_t n);
static inline char *
buf_reserve(struct buf *b, size_t n)
{
    if (b->mem != NULL && b->size - b->end >= n)
        return b->mem + b->end;
    return buf_make_room(b, n);
}

/* The first n of the reserved bytes have been written; 0 when nothing came, so that an
 * empty buffer lets its memory go. */
void buf_commit(struct buf *b, size_t n);
/* The first n unread bytes are done with. A buffer that empties gives its memory to the
 * thread's small store. */
void buf_drop(struct buf *b, size_t n);
/* Keeps the first `length` unread bytes and takes back the rest. */
void buf_truncate(struct buf *b, size_t length);

void buf_add(struct buf *b, struct text t);
void buf_add_z(struct buf *b, const char *z);
void buf_add_byte(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t n); /* decimal */
void buf_add_hex(struct buf *b, uint64_t n); /* lower-case hex, no leading zeros */
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As buf_free, and wipes what was reserved and never committed too: for buffers that
 * held a key or a secret. */
void buf_wipe(struct buf *b);

#endif

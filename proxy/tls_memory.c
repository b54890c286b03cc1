#include "proxy/tls_memory.h"

#include "base/shelf.h"

#include <assert.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>

/* One record with its frame, to be read or written; what several records are read into
 * at once (tls.c says how many). */
enum {
    RECORD_LEAST = 16384,
    RECORD = RECORD_LEAST + 4096,
    SEVERAL_LEAST = 65536,
    SEVERAL = SEVERAL_LEAST + 2 * 4096,
    SLACK = 2 * 4096
};

/* Where in its block such a buffer begins: half a page away from where our own do, or
 * the copies between the two meet what some processors do badly, `rep movsb` to an
 * address that lies a few bytes further in its page than its source. And at an odd
 * address, by which it is known. What is read is best begun five bytes, a record's
 * header, before a multiple of eight: else OpenSSL moves all that was read ahead to
 * one, record by record. What is written must not begin there: OpenSSL then fails at
 * leaving no bytes free. */
enum { PLACE_WRITTEN = 2048 + 1, PLACE_READ = 2048 + 3 };

static _Thread_local struct shelf records = { .size = RECORD, .keep = 64 };
static _Thread_local struct shelf several = { .size = SEVERAL, .keep = 32 };

/* The shelf for a buffer of n bytes. Tables, which want their addresses even, grow by
 * doubling: what is a little larger than a power of two is none. */
static struct shelf *
shelf_for(size_t n)
{
    if (n > RECORD_LEAST && n + PLACE_WRITTEN <= RECORD)
        return &records;
    return n > SEVERAL_LEAST && n + PLACE_READ <= SEVERAL ? &several : NULL;
}

static size_t
place_of(const struct shelf *s)
{
    return s == &several ? PLACE_READ : PLACE_WRITTEN;
}

/* The shelf of the block that this lies in, and where that begins; NULL: none. malloc
 * gives a page more than asked for at most. */
static struct shelf *
shelf_of(char *at, void **block)
{
    if (((uintptr_t)at & 1) == 0) /* also: no memory at all */
        return NULL;
    *block = at - ((uintptr_t)at & 15) - 2048;
    return malloc_usable_size(*block) < RECORD + SLACK ? &records : &several;
}

static void *
take(size_t n, const char *file, int line)
{
    struct shelf *s = shelf_for(n);
    char *block;

    (void)file;
    (void)line;
    if (n == 0) /* as OpenSSL's own */
        return NULL;
    if (s == NULL)
        return malloc(n);
    if ((block = shelf_take(s)) == NULL && (block = malloc(s->size)) == NULL)
        return NULL;
    return block + place_of(s);
}

static void
give(void *at, const char *file, int line)
{
    void *block = at;
    struct shelf *s = shelf_of(at, &block);

    (void)file;
    (void)line;
    if (s != NULL)
        shelf_give(s, block);
    else
        free(at);
}

static void *
resize(void *at, size_t n, const char *file, int line)
{
    void *block;

    if (at == NULL)
        return take(n, file, line);
    if (n == 0) {
        give(at, file, line);
        return NULL;
    }
    assert(shelf_of(at, &block) == NULL); /* a record's buffer has one size for life */
    return realloc(at, n);
}

/* From the threshold on, malloc maps a block of its own: a burst of handshakes takes
 * more of these than the shelves hold, and freed they leave no holes among what the
 * connections keep. */
void
tls_memory_begin(void)
{
    int ok = CRYPTO_set_mem_functions(take, resize, give);

    assert(ok == 1);
    (void)mallopt(M_MMAP_THRESHOLD, RECORD);
}

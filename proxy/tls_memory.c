#include "proxy/tls_memory.h"

#include "base/shelf.h"

#include <assert.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>

/* One record with its frame, to be read or written. */
enum { RECORD_LEAST = 16384, RECORD = RECORD_LEAST + 4096 };

/* Where in its block such a buffer begins: half a page away from where our own do, or
 * the copies between the two meet what some processors do badly, `rep movsb` to an
 * address that lies a few bytes further in its page than its source. And at an odd
 * address, by which it is known. */
enum { PLACE = 2048 + 1 };

static _Thread_local struct shelf records = { .size = RECORD, .keep = 64 };

/* Tables, which want their addresses even, grow by doubling: what is a little larger
 * than a power of two is none. */
static bool
is_record(size_t n)
{
    return n > RECORD_LEAST && n + PLACE <= RECORD;
}

static bool
is_of_record(const char *at)
{
    return ((uintptr_t)at & 1) == 1; /* never: no memory at all */
}

static void *
take(size_t n, const char *file, int line)
{
    char *block;

    (void)file;
    (void)line;
    if (n == 0) /* as OpenSSL's own */
        return NULL;
    if (!is_record(n))
        return malloc(n);
    if ((block = shelf_take(&records)) == NULL && (block = malloc(RECORD)) == NULL)
        return NULL;
    return block + PLACE;
}

static void
give(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    if (is_of_record(at))
        shelf_give(&records, (char *)at - PLACE);
    else
        free(at);
}

static void *
resize(void *at, size_t n, const char *file, int line)
{
    if (at == NULL)
        return take(n, file, line);
    if (n == 0) {
        give(at, file, line);
        return NULL;
    }
    assert(!is_of_record(at)); /* a record's buffer has one size for life */
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

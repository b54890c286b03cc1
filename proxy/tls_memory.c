#include "proxy/tls_memory.h"

#include "base/shelf.h"

#include <assert.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* One record with its frame, to be read or written; what several records are read into
 * at once (tls.c says how many). */
enum { RECORD = 16384 + 4096, SEVERAL = 65536 + 4096, SLACK = 2 * 4096 };

static _Thread_local struct shelf records = { .size = RECORD, .keep = 64 };
static _Thread_local struct shelf several = { .size = SEVERAL, .keep = 32 };

/* The shelf whose blocks do for n bytes, and are not far too large for them. */
static struct shelf *
shelf_for(size_t n)
{
    if (n <= RECORD && n >= RECORD / 2)
        return &records;
    return n <= SEVERAL && n >= SEVERAL / 2 ? &several : NULL;
}

/* The shelf that a block of so many bytes may lie on: malloc gives a page more than
 * asked for at most. */
static struct shelf *
shelf_of(size_t usable)
{
    if (usable >= RECORD && usable < RECORD + SLACK)
        return &records;
    return usable >= SEVERAL && usable < SEVERAL + SLACK ? &several : NULL;
}

static void *
take(size_t n, const char *file, int line)
{
    struct shelf *s = shelf_for(n);
    void *block = s != NULL ? shelf_take(s) : NULL;

    (void)file;
    (void)line;
    if (n == 0) /* as OpenSSL's own */
        return NULL;
    return block != NULL ? block : malloc(s != NULL ? s->size : n);
}

static void
give(void *at, const char *file, int line)
{
    struct shelf *s = at != NULL ? shelf_of(malloc_usable_size(at)) : NULL;

    (void)file;
    (void)line;
    if (s != NULL)
        shelf_give(s, at);
    else
        free(at);
}

static void *
resize(void *at, size_t n, const char *file, int line)
{
    if (at == NULL)
        return take(n, file, line);
    if (n > 0)
        return realloc(at, n);
    give(at, file, line);
    return NULL;
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

/* What fuzz targets share. A target is one file, fuzz_<name>.c, with its seeds in
 * corpus/<name>/: libFuzzer calls it with bytes of its making, replay.c with those of
 * files. It keeps nothing from one call to the next, and breaks only with PROMISE, or
 * because a sanitizer does. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define PROMISE(what)                                                                  \
    do {                                                                               \
        if (!(what)) {                                                                 \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what);         \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* Everything that is logged is written, so that its making is tried too, to where
 * nobody reads it. */
static inline void
log_to_nowhere(void)
{
    PROMISE(log_open("/dev/null", LOG_JSON, LOG_DEBUG) == REASON_OK);
}

/* Of a target that needs nothing else. */
#define PREPARE_NOTHING                                                                \
    int LLVMFuzzerInitialize(int *argc, char ***argv)                                  \
    {                                                                                  \
        (void)argc, (void)argv;                                                        \
        log_to_nowhere();                                                              \
        return 0;                                                                      \
    }

/* ---- an input taken apart */

static inline struct text
input_of(const uint8_t *data, size_t size)
{
    return text_of((const char *)data, size);
}

/* The first byte; 0 when there is none left. */
static inline unsigned char
take_byte(struct text *in)
{
    unsigned char byte = in->n > 0 ? (unsigned char)in->at[0] : 0;

    if (in->n > 0)
        *in = text_of(in->at + 1, in->n - 1);
    return byte;
}

/* What stands before the next separator, or all of it. */
static inline struct text
take_part(struct text *in, char separator)
{
    struct text part = *in;

    if (!text_split(in, separator, &part))
        part = text_of("", 0);
    if (in->at == NULL)
        *in = text_of("", 0);
    return part;
}

/* A copy that ends where its memory ends, so that a sanitizer sees a byte too far. */
static inline struct text
copy_exactly(struct text t)
{
    char *mem = malloc(t.n > 0 ? t.n : 1);

    PROMISE(mem != NULL);
    if (t.n > 0)
        memcpy(mem, t.at, t.n);
    return text_of(mem, t.n);
}

static inline void
free_copy(struct text t)
{
    free((char *)(uintptr_t)t.at);
}

static inline bool
is_one_of(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

#endif

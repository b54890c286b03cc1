/* What a list of handles is made of: all of a generation's in one array, the live ones
 * first, and a table over keyed hashes of their values. For the files that fill it
 * (handle_build.c), find in it (handle.c) and publish it (handle_publish.c). */
#ifndef TASKS_HANDLE_TABLE_H
#define TASKS_HANDLE_TABLE_H

#include "base/arena.h"
#include "tasks/handle.h"

#include <stdatomic.h>

struct listed {
    struct handle handle;
    const char *origin; /* the shape it was made by, or the value that was fixed */
    unsigned char digest[SHA256_SIZE];
};

struct handles {
    atomic_uint references;
    struct arena *arena;
    struct listed *at;
    size_t n, room;
    uint32_t *slots; /* 1-based, 0: empty; open addressing, at most half full */
    size_t mask;
    bool lengths[HANDLE_MAX + 1]; /* of values: most strangers' texts are of another */
};

/* One reference is the caller's; none in it yet. */
struct handles *handles_empty(void);
/* Texts are copied. Of a value that is not in it. */
void handles_add(struct handles *h, const struct handle *like, const char *origin);

#endif

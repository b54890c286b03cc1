/* Records that were accepted and wait for the ledger's writer, packed one behind the
 * other. One thread at a time. */
#ifndef TASKS_BATCH_H
#define TASKS_BATCH_H

#include "tasks/spool.h"

/* A zeroed one is empty. */
struct batch {
    struct spool bytes;
    size_t taken;   /* of the bytes */
    size_t records; /* not taken yet */
};

struct queued {
    struct text kind, members; /* on loan until the batch is cleared */
    int64_t wall_ms;
};

void batch_free(struct batch *b);

/* What an entry of these takes. */
size_t batch_size_of(struct text kind, struct text members);
void batch_add(struct batch *b, const struct queued *e);
/* The first that was not taken; false: all were. batch_take takes it. */
bool batch_first(const struct batch *b, struct queued *out);
void batch_take(struct batch *b);
void batch_clear(struct batch *b);

#endif

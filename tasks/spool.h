/* Bytes on their way to the ledger's files. Grows as asked, keeps its memory while it
 * is used, so that a record in a steady stream costs no malloc, and gives it back when
 * a burst is over. Records hold no secrets: nothing is wiped. */
#ifndef TASKS_SPOOL_H
#define TASKS_SPOOL_H

#include "base/text.h"

/* A zeroed one is empty. */
struct spool {
    char *at;
    size_t n, room;
    size_t most;     /* held at once since it was last larger than it need be */
    unsigned lavish; /* times it was emptied since */
};

void spool_free(struct spool *s);

/* Room for n bytes behind the n that are there; never NULL. */
char *spool_reserve(struct spool *s, size_t n);
void spool_add(struct spool *s, struct text t);
/* Empties it; spool_drop: of its first n bytes. */
void spool_clear(struct spool *s);
void spool_drop(struct spool *s, size_t n);

static inline struct text
spool_text(const struct spool *s)
{
    return text_of(s->at, s->n);
}

#endif

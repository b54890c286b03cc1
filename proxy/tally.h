/* Texts that are counted, and kept in the order they came first. */
#ifndef PROXY_TALLY_H
#define PROXY_TALLY_H

#include "base/text.h"

struct tallied {
    struct text key;
    uint64_t count;
    void *of; /* the caller's */
    struct tallied *after;
    struct tallied *chain; /* in its bucket: the tally's own */
};

/* A zeroed one is empty. */
struct tally {
    struct tallied *first, **last;
    struct tallied **buckets;
    size_t n, n_buckets;
};

/* Counts it; the first time a copy of the key is kept. */
struct tallied *tally_add(struct tally *t, struct text key);
/* NULL: it was never added. */
struct tallied *tally_find(const struct tally *t, struct text key);
/* What `of` leads to is the caller's to free, before. */
void tally_free(struct tally *t);

#endif

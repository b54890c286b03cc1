/* Samples that tell what all workers have counted together. A family says which tally,
 * or histogram, of struct metrics it tells: its `at`. */
#ifndef PROXY_SUMS_H
#define PROXY_SUMS_H

#include "proxy/exposition.h"
#include "proxy/metrics.h"

#define AT(field) offsetof(struct metrics, field)

/* Of the tally this far into each worker's metrics. */
uint64_t sums_of(const struct exposition *w, size_t at);
#define SUM(w, field)       sums_of((w), AT(field))
#define SUM_AT(w, field, i) sums_of((w), AT(field) + (i) * sizeof(struct tally))

void sums_one(struct exposition *w, const struct family *f);
/* A counter with one label: the tallies from `at` on, one for each of its words. */
void sums_each(struct exposition *w, const struct family *f, const char *label,
               const char *const *words, size_t n);
void sums_histogram(struct exposition *w, const struct family *f);
/* Not summed up: one histogram a worker, labelled with its number. */
void sums_histogram_each(struct exposition *w, const struct family *f);

#endif

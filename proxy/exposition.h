/* How figures are spelt for Prometheus: exposition format 0.0.4, or OpenMetrics 1.0.
 * What they are is for those who write them. */
#ifndef PROXY_EXPOSITION_H
#define PROXY_EXPOSITION_H

#include "base/buf.h"

enum page_format { PAGE_TEXT, PAGE_OPEN_METRICS };

struct page;

/* Where we are on the page. */
struct exposition {
    const struct page *page;
    enum page_format format;
    struct buf *out;
    bool has_labels; /* of the sample being written */
};

enum family_kind { COUNTER, GAUGE, HISTOGRAM, INFO };

struct family {
    const char *name; /* of a counter without _total, of an info without _info */
    enum family_kind kind;
    const char *help;
    void (*samples)(struct exposition *w, const struct family *f);
    size_t at; /* into struct metrics, for the samples of sums.h */
};

/* What stands above the samples of a family. */
void family_head(struct exposition *w, const struct family *f);

/* A sample: its beginning, its labels, its value. */
void sample_begin(struct exposition *w, const struct family *f, const char *suffix);
void sample_label(struct exposition *w, const char *name, const char *value);
void sample_label_number(struct exposition *w, const char *name, uint64_t value);
void sample_value(struct exposition *w, uint64_t n);
void sample_value_us(struct exposition *w, uint64_t us); /* told in seconds */
void sample_value_ms(struct exposition *w, int64_t ms);  /* likewise */

/* A counter or gauge that has no labels. */
void sample_one(struct exposition *w, const struct family *f, uint64_t n);

#endif

#include "proxy/sums.h"

#include "proxy/metrics_page.h"

#include <stdio.h>
#include <string.h>

/* A worker's, this far into its metrics. */
static const void *
look(const struct exposition *w, size_t worker, size_t at)
{
    return (const char *)w->page->workers[worker] + at;
}

uint64_t
sums_of(const struct exposition *w, size_t at)
{
    uint64_t n = 0;

    for (size_t i = 0; i < w->page->n_workers; i++)
        n += tally_read(look(w, i, at));
    return n;
}

void
sums_one(struct exposition *w, const struct family *f)
{
    sample_one(w, f, sums_of(w, f->at));
}

void
sums_each(struct exposition *w, const struct family *f, const char *label,
          const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sample_begin(w, f, "_total");
        sample_label(w, label, words[i]);
        sample_value(w, sums_of(w, f->at + i * sizeof(struct tally)));
    }
}

/* ---- histograms */

struct totals {
    uint64_t counts[HISTOGRAM_BOUNDS + 1], sum_us;
};

static void
add_histogram(struct totals *t, const struct histogram *h)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        t->counts[i] += tally_read(&h->counts[i]);
    t->sum_us += tally_read(&h->sum_us);
}

/* As OpenMetrics wants numbers, and Prometheus takes them: "0.00025", "1.0". */
static void
print_bound(uint32_t us, char text[24])
{
    size_t n = (size_t)snprintf(text, 24, "%u.%06u", us / 1000000, us % 1000000);

    while (text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
}

static void
label_worker(struct exposition *w, int worker)
{
    if (worker >= 0)
        sample_label_number(w, "worker", (uint64_t)worker);
}

/* worker -1: of all. The buckets grow; the count is the last one, so that the two
 * agree whatever is counted meanwhile. */
static void
write_histogram(struct exposition *w, const struct family *f, int worker,
                const struct totals *t)
{
    uint64_t n = 0;
    char bound[24] = "+Inf";

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        n += t->counts[i];
        if (i < HISTOGRAM_BOUNDS)
            print_bound(histogram_bounds_us[i], bound);
        else
            strcpy(bound, "+Inf");
        sample_begin(w, f, "_bucket");
        label_worker(w, worker);
        sample_label(w, "le", bound);
        sample_value(w, n);
    }
    sample_begin(w, f, "_sum");
    label_worker(w, worker);
    sample_value_us(w, t->sum_us);
    sample_begin(w, f, "_count");
    label_worker(w, worker);
    sample_value(w, n);
}

void
sums_histogram(struct exposition *w, const struct family *f)
{
    struct totals t = { 0 };

    for (size_t i = 0; i < w->page->n_workers; i++)
        add_histogram(&t, look(w, i, f->at));
    write_histogram(w, f, -1, &t);
}

void
sums_histogram_each(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        struct totals t = { 0 };

        add_histogram(&t, look(w, i, f->at));
        write_histogram(w, f, (int)i, &t);
    }
}

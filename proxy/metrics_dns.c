#include "proxy/metrics_sections.h"

#include "proxy/sums.h"

/* Only those that have happened: most reasons cannot end a question. */
static void
write_queries(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        uint64_t n = SUM_AT(w, dns, i);

        if (n == 0 && i != REASON_OK)
            continue;
        sample_begin(w, f, "_total");
        sample_label(w, "reason", reason_token((enum reason)i));
        sample_value(w, n);
    }
}

/* ---- docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_dns_queries", COUNTER, "DNS queries answered, by what came of them.", write_queries, 0 },
    { "holdfast_dns_dropped", COUNTER, "DNS queries and connections that were not answered: too many, or no queries.", sums_one, AT(dns_dropped) },
    { "holdfast_dns_lookups", GAUGE, "Names that are being looked up for DNS queries.", sums_one, AT(dns_lookups) },
};
/* clang-format on */

const struct section metrics_of_dns = { families,
                                        sizeof families / sizeof families[0] };

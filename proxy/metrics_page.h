/* The page that a scrape reads: every figure of the process as Prometheus text
 * (exposition format 0.0.4, or OpenMetrics 1.0). Written by main, on main. How many
 * lines it has depends on the build, the config and the workers, never on traffic. */
#ifndef PROXY_METRICS_PAGE_H
#define PROXY_METRICS_PAGE_H

#include "base/buf.h"
#include "proxy/exposition.h"
#include "proxy/metrics.h"
#include "proxy/mint.h"
#include "proxy/process.h"
#include "proxy/revocation.h"
#include "proxy/series.h"
#include "proxy/witness.h"
#include "tasks/ledger.h"

/* A credential whose secret lies in a file. */
struct secret_file {
    const char *credential; /* name */
    bool is_readable;
    int64_t written_s; /* of the file, as it was read; wall clock */
    int64_t rotate_every_ms;
    int64_t expires_s; /* its certificate; wall clock; 0: it has none */
};

/* What there is to tell; all on loan. */
struct page {
    const struct metrics *const *workers;
    size_t n_workers;
    const struct series *series; /* may be NULL */
    const struct secret_file *credentials;
    size_t n_credentials;
    struct process process;
    unsigned generations;
    uint64_t generation; /* in force */
    bool reload_ok;      /* the last reload; the start counts as one */
    int64_t reloaded_ms; /* wall clock: when the one in force was taken over */
    uint64_t log_lost;
    bool has_helper, helper_is_gone;
    const struct ledger_state *ledger;           /* NULL: none is kept */
    const struct witness_state *witness;         /* NULL: it has none */
    const struct mint_figures *mint;             /* NULL: there are no tasks */
    const struct revocation_figures *revocation; /* likewise */
    int64_t now_ms;                              /* monotonic */
    int64_t now_wall_s;
};

void metrics_page_write(const struct page *p, enum page_format format, struct buf *out);
/* The Content-Type. */
const char *metrics_page_type(enum page_format format);

#endif

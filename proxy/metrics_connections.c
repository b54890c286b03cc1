#include "proxy/metrics_sections.h"

#include "proxy/metrics_page.h"
#include "proxy/sums.h"

static const char *const sides[SIDES] = { "client", "upstream" };

/* One of two figures of a side, told apart by another label. */
static void
write_sided(struct exposition *w, const struct family *f, size_t side, const char *name,
            const char *value, uint64_t n)
{
    sample_begin(w, f, "_total");
    sample_label(w, "side", sides[side]);
    sample_label(w, name, value);
    sample_value(w, n);
}

static void
write_handshakes(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        write_sided(w, f, i, "result", "ok", SUM(w, handshakes[i].done));
        write_sided(w, f, i, "result", "failed", SUM(w, handshakes[i].failed));
    }
}

static void
write_resumed(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        sample_begin(w, f, "_total");
        sample_label(w, "side", sides[i]);
        sample_value(w, SUM(w, handshakes[i].resumed));
    }
}

static void
write_traffic(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        write_sided(w, f, i, "direction", "in", SUM(w, traffic[i].in));
        write_sided(w, f, i, "direction", "out", SUM(w, traffic[i].out));
    }
}

/* Only those that have happened: most reasons cannot end a connection. */
static void
write_ended(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        uint64_t n = SUM_AT(w, ended, i);

        if (n == 0 && i != REASON_CLIENT_TLS)
            continue;
        sample_begin(w, f, "_total");
        sample_label(w, "reason", reason_token((enum reason)i));
        sample_value(w, n);
    }
}

/* ---- the workers' loops */

static void
write_lag_now(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        sample_begin(w, f, "");
        sample_label_number(w, "worker", i);
        sample_value_us(w, tally_read(&w->page->workers[i]->lag_us));
    }
}

static void
write_beat(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        int64_t beat = (int64_t)tally_read(&w->page->workers[i]->beat_ms);
        int64_t ago = beat != 0 ? w->page->now_ms - beat : 0;

        sample_begin(w, f, "");
        sample_label_number(w, "worker", i);
        sample_value_ms(w, ago > 0 ? ago : 0);
    }
}

/* ---- docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_open_connections", GAUGE, "Client connections.", sums_one, AT(connections) },
    { "holdfast_connections_accepted", COUNTER, "Client connections taken.", sums_one, AT(accepted) },
    { "holdfast_connections_refused", COUNTER, "Client connections turned away at a limit.", sums_one, AT(turned_away) },
    { "holdfast_opaque_connections", COUNTER, "Client connections whose TLS was passed on unopened, by an opaque rule.", sums_one, AT(opaque) },
    { "holdfast_connections_ended", COUNTER, "Client connections that ended before any request could be told of them.", write_ended, 0 },
    { "holdfast_handshakes_in_progress", GAUGE, "Client connections in their TLS handshake.", sums_one, AT(shaking) },
    { "holdfast_handshakes", COUNTER, "TLS handshakes that are over.", write_handshakes, 0 },
    { "holdfast_handshakes_resumed", COUNTER, "Those of them that resumed a session.", write_resumed, 0 },
    { "holdfast_bytes", COUNTER, "Bytes received (in) and sent (out), as they are inside TLS.", write_traffic, 0 },
    { "holdfast_upstream_connect_seconds", HISTOGRAM, "From dialling a judged address to a verified connection.", sums_histogram, AT(connect) },
    { "holdfast_upstream_connections_opened", COUNTER, "Upstream connections that were dialled and could be used.", sums_one, AT(opened) },
    { "holdfast_upstream_connections_reused", COUNTER, "Requests that rode on a kept connection.", sums_one, AT(reused) },
    { "holdfast_upstream_connections_retried", COUNTER, "Requests asked once more: the kept connection had been closed, the service wanted another nonce, or the certificate was rotated.", sums_one, AT(retried) },
    { "holdfast_upstream_connections_idle", GAUGE, "Kept upstream connections.", sums_one, AT(idle_upstreams) },
    { "holdfast_leaf_cache_hits", COUNTER, "Handshakes shown a certificate that was there.", sums_one, AT(leaf_hits) },
    { "holdfast_leaf_cache_misses", COUNTER, "Handshakes that needed a new certificate.", sums_one, AT(leaf_misses) },
    { "holdfast_leaf_cache_entries", GAUGE, "Certificates kept, of all workers.", sums_one, AT(leaves) },
    { "holdfast_tasks", GAUGE, "Live tasks, of all workers.", sums_one, AT(tasks) },
    { "holdfast_loop_lag_seconds", GAUGE, "How late a worker's loop was at its last heartbeat.", write_lag_now, 0 },
    { "holdfast_loop_delay_seconds", HISTOGRAM, "How late a worker's loop was, at each heartbeat.", sums_histogram_each, AT(lag) },
    { "holdfast_heartbeat_age_seconds", GAUGE, "Since a worker's last heartbeat.", write_beat, 0 },
};
/* clang-format on */

const struct section metrics_of_connections = { families,
                                                sizeof families / sizeof families[0] };

#include "proxy/metrics_page.h"

#include "conf/conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where we are on the page. */
struct writer {
    const struct page *page;
    enum page_format format;
    struct buf *out;
    bool has_labels; /* of the sample being written */
};

enum kind { COUNTER, GAUGE, HISTOGRAM, INFO };

struct family {
    const char *name; /* of a counter without _total, of an info without _info */
    enum kind kind;
    const char *help;
    void (*samples)(struct writer *w, const struct family *f);
};

/* ---- one sample */

static void
begin(struct writer *w, const struct family *f, const char *suffix)
{
    buf_add_z(w->out, f->name);
    buf_add_z(w->out, suffix);
    w->has_labels = false;
}

/* Both formats: backslash, quote and line feed are escaped in a label's value. */
static void
label(struct writer *w, const char *name, const char *value)
{
    buf_add_byte(w->out, w->has_labels ? ',' : '{');
    w->has_labels = true;
    buf_add_z(w->out, name);
    buf_add_z(w->out, "=\"");
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_add_byte(w->out, '\\');
        if (*value == '\n')
            buf_add_z(w->out, "\\n");
        else
            buf_add_byte(w->out, *value);
    }
    buf_add_byte(w->out, '"');
}

static void
label_number(struct writer *w, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    label(w, name, text);
}

static void
begin_value(struct writer *w)
{
    if (w->has_labels)
        buf_add_byte(w->out, '}');
    buf_add_byte(w->out, ' ');
}

static void
value(struct writer *w, uint64_t n)
{
    begin_value(w);
    buf_add_u64(w->out, n);
    buf_add_byte(w->out, '\n');
}

static void
value_us(struct writer *w, uint64_t us)
{
    begin_value(w);
    buf_printf(w->out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

static void
value_ms(struct writer *w, int64_t ms)
{
    value_us(w, (uint64_t)ms * 1000);
}

/* ---- sums over the workers */

/* Of the tally this far into each worker's metrics. */
static uint64_t
sum(const struct writer *w, size_t offset)
{
    uint64_t n = 0;

    for (size_t i = 0; i < w->page->n_workers; i++)
        n += tally_read(
            (const struct tally *)(const void *)((const char *)w->page->workers[i] +
                                                 offset));
    return n;
}

#define SUM(w, field) sum((w), offsetof(struct metrics, field))
#define SUM_AT(w, field, i)                                                            \
    sum((w), offsetof(struct metrics, field) + (i) * sizeof(struct tally))

static void
one(struct writer *w, const struct family *f, uint64_t n)
{
    begin(w, f, f->kind == COUNTER ? "_total" : "");
    value(w, n);
}

/* A counter with one label: a line for each of its words. */
static void
each(struct writer *w, const struct family *f, const char *name,
     const char *const *words, size_t n, size_t offset)
{
    for (size_t i = 0; i < n; i++) {
        begin(w, f, "_total");
        label(w, name, words[i]);
        value(w, sum(w, offset + i * sizeof(struct tally)));
    }
}

#define COUNT(words) (sizeof(words) / sizeof *(words))

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
label_worker(struct writer *w, int worker)
{
    if (worker >= 0)
        label_number(w, "worker", (uint64_t)worker);
}

/* worker -1: of all. The buckets grow; the count is the last one, so that the two
 * agree whatever is counted meanwhile. */
static void
write_histogram(struct writer *w, const struct family *f, int worker,
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
        begin(w, f, "_bucket");
        label_worker(w, worker);
        label(w, "le", bound);
        value(w, n);
    }
    begin(w, f, "_sum");
    label_worker(w, worker);
    value_us(w, t->sum_us);
    begin(w, f, "_count");
    label_worker(w, worker);
    value(w, n);
}

static void
write_duration(struct writer *w, const struct family *f)
{
    struct totals t = { 0 };

    for (size_t i = 0; i < w->page->n_workers; i++)
        add_histogram(&t, &w->page->workers[i]->duration);
    write_histogram(w, f, -1, &t);
}

static void
write_connect(struct writer *w, const struct family *f)
{
    struct totals t = { 0 };

    for (size_t i = 0; i < w->page->n_workers; i++)
        add_histogram(&t, &w->page->workers[i]->connect);
    write_histogram(w, f, -1, &t);
}

static void
write_lag(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        struct totals t = { 0 };

        add_histogram(&t, &w->page->workers[i]->lag);
        write_histogram(w, f, (int)i, &t);
    }
}

/* ---- requests */

static const char *const decisions[OUTCOMES] = { "allow", "deny", "fail" };

/* One that may be an exchange's: told to a client, or that the client left. */
static bool
is_of_a_request(enum reason why)
{
    return reason_status(why) != 0 || why == REASON_CLIENT_GONE;
}

static void
write_requests(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        uint64_t n = SUM_AT(w, requests, i);

        if (n == 0 && !is_of_a_request((enum reason)i))
            continue;
        begin(w, f, "_total");
        label(w, "decision", decisions[metrics_outcome((enum reason)i)]);
        label(w, "reason", reason_token((enum reason)i));
        value(w, n);
    }
}

/* Only those that have happened: most reasons cannot end a connection. */
static void
write_ended(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        uint64_t n = SUM_AT(w, ended, i);

        if (n == 0 && i != REASON_CLIENT_TLS)
            continue;
        begin(w, f, "_total");
        label(w, "reason", reason_token((enum reason)i));
        value(w, n);
    }
}

static void
write_grant(struct writer *w, const struct family *f, size_t slot)
{
    const char *name = series_name(w->page->series, slot);

    for (size_t d = 0; name != NULL && d < OUTCOMES; d++) {
        uint64_t before = series_before(w->page->series, slot, (enum outcome)d);

        begin(w, f, "_total");
        label(w, "grant", name);
        label(w, "decision", decisions[d]);
        value(w, SUM_AT(w, grants, slot * OUTCOMES + d) - before);
    }
}

static void
write_grants(struct writer *w, const struct family *f)
{
    for (size_t i = 0; w->page->series != NULL && i < GRANT_SERIES; i++)
        write_grant(w, f, i);
}

static void
write_blocked(struct writer *w, const struct family *f)
{
    static const char *const words[BLOCKED_CLASSES] = {
        [BLOCKED_OFFPOLICY] = "offpolicy", [BLOCKED_METADATA] = "metadata",
        [BLOCKED_ADDRESS] = "address",     [BLOCKED_REBIND] = "rebind",
        [BLOCKED_LOOP] = "loop",           [BLOCKED_FRONTING] = "fronting",
        [BLOCKED_SMUGGLING] = "smuggling", [BLOCKED_MALFORMED] = "malformed",
        [BLOCKED_LIMIT] = "limit",         [BLOCKED_CREDENTIAL] = "credential",
        [BLOCKED_PROOF] = "proof",
    };

    each(w, f, "class", words, COUNT(words), offsetof(struct metrics, blocked));
}

static void
write_alarms(struct writer *w, const struct family *f)
{
    static const char *const words[TRIPWIRES] = { "foreign", "ended", "several",
                                                  "misplaced" };

    each(w, f, "kind", words, COUNT(words), offsetof(struct metrics, tripwires));
}

static void
write_stripped(struct writer *w, const struct family *f)
{
    static const char *const words[LOCATIONS] = { "header", "cookie", "query" };

    each(w, f, "location", words, COUNT(words), offsetof(struct metrics, stripped));
}

static void
write_issued(struct writer *w, const struct family *f)
{
    static const char *const words[TOKEN_KINDS] = { "wit", "wpt" };

    each(w, f, "kind", words, COUNT(words), offsetof(struct metrics, issued));
}

static void
write_presented(struct writer *w, const struct family *f)
{
    size_t n = 0;

    while (n < BINDINGS && conf_bind_words[n] != NULL)
        n++;
    each(w, f, "binding", conf_bind_words, n, offsetof(struct metrics, presented));
}

/* ---- connections */

static const char *const sides[SIDES] = { "client", "upstream" };

static void
write_handshakes(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        begin(w, f, "_total");
        label(w, "side", sides[i]);
        label(w, "result", "ok");
        value(w, SUM(w, handshakes[i].done));
        begin(w, f, "_total");
        label(w, "side", sides[i]);
        label(w, "result", "failed");
        value(w, SUM(w, handshakes[i].failed));
    }
}

static void
write_resumed(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        begin(w, f, "_total");
        label(w, "side", sides[i]);
        value(w, SUM(w, handshakes[i].resumed));
    }
}

static void
write_traffic(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < SIDES; i++) {
        begin(w, f, "_total");
        label(w, "side", sides[i]);
        label(w, "direction", "in");
        value(w, SUM(w, traffic[i].in));
        begin(w, f, "_total");
        label(w, "side", sides[i]);
        label(w, "direction", "out");
        value(w, SUM(w, traffic[i].out));
    }
}

#define ONE(field)                                                                     \
    static void write_##field(struct writer *w, const struct family *f)                \
    {                                                                                  \
        one(w, f, SUM(w, field));                                                      \
    }

ONE(accepted)
ONE(turned_away)
ONE(connections)
ONE(shaking)
ONE(opened)
ONE(reused)
ONE(retried)
ONE(idle_upstreams)
ONE(leaf_hits)
ONE(leaf_misses)
ONE(leaves)
ONE(tasks)

/* ---- the workers' loops */

static void
write_lag_now(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        begin(w, f, "");
        label_number(w, "worker", i);
        value_us(w, tally_read(&w->page->workers[i]->lag_us));
    }
}

static void
write_beat(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_workers; i++) {
        int64_t beat = (int64_t)tally_read(&w->page->workers[i]->beat_ms);
        int64_t ago = beat != 0 ? w->page->now_ms - beat : 0;

        begin(w, f, "");
        label_number(w, "worker", i);
        value_ms(w, ago > 0 ? ago : 0);
    }
}

/* ---- the process */

static void
write_reload_ok(struct writer *w, const struct family *f)
{
    one(w, f, w->page->reload_ok);
}

static void
write_reload_time(struct writer *w, const struct family *f)
{
    begin(w, f, "");
    value_ms(w, w->page->reloaded_ms);
}

static void
write_generation(struct writer *w, const struct family *f)
{
    one(w, f, w->page->generation);
}

static void
write_generations(struct writer *w, const struct family *f)
{
    one(w, f, w->page->generations);
}

static void
write_credentials(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        begin(w, f, "");
        label(w, "credential", w->page->credentials[i].credential);
        value(w, w->page->credentials[i].is_readable);
    }
}

/* Of what cannot be read nobody knows how old it is. */
static void
write_ages(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        const struct secret_file *c = &w->page->credentials[i];
        int64_t age = w->page->now_wall_s - c->written_s;

        if (!c->is_readable)
            continue;
        begin(w, f, "");
        label(w, "credential", c->credential);
        value(w, age > 0 ? (uint64_t)age : 0);
    }
}

static void
write_rotations(struct writer *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        begin(w, f, "");
        label(w, "credential", w->page->credentials[i].credential);
        value(w, (uint64_t)w->page->credentials[i].rotate_every_ms / 1000);
    }
}

static void
write_log_lost(struct writer *w, const struct family *f)
{
    one(w, f, w->page->log_lost);
}

/* ---- the ledger: without one there is nothing to say of it */

#define OF_LEDGER(field)                                                               \
    static void write_ledger_##field(struct writer *w, const struct family *f)         \
    {                                                                                  \
        if (w->page->ledger != NULL)                                                   \
            one(w, f, w->page->ledger->field);                                         \
    }

OF_LEDGER(records)
OF_LEDGER(lost)
OF_LEDGER(queued)
OF_LEDGER(failed)
OF_LEDGER(last)
OF_LEDGER(checkpoint)

static void
write_build(struct writer *w, const struct family *f)
{
    begin(w, f, "_info");
    label(w, "version", HOLDFAST_VERSION);
    value(w, 1);
}

static void
write_started(struct writer *w, const struct family *f)
{
    begin(w, f, "");
    value_ms(w, w->page->process.started_ms);
}

static void
write_cpu(struct writer *w, const struct family *f)
{
    begin(w, f, "_total");
    value_us(w, w->page->process.cpu_us);
}

static void
write_resident(struct writer *w, const struct family *f)
{
    one(w, f, w->page->process.resident_bytes);
}

static void
write_virtual(struct writer *w, const struct family *f)
{
    one(w, f, w->page->process.virtual_bytes);
}

static void
write_descriptors(struct writer *w, const struct family *f)
{
    one(w, f, w->page->process.descriptors);
}

static void
write_descriptors_max(struct writer *w, const struct family *f)
{
    one(w, f, w->page->process.descriptors_max);
}

/* ---- the page; docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_requests", COUNTER, "Requests that are over, by what became of them and why.", write_requests },
    { "holdfast_grant_requests", COUNTER, "Requests that a grant allowed or came nearest to; the grant \"\" is all beyond the first 255.", write_grants },
    { "holdfast_request_duration_seconds", HISTOGRAM, "From a request's first byte to the end of its answer.", write_duration },
    { "holdfast_blocked", COUNTER, "Denied requests by what they tried.", write_blocked },
    { "holdfast_alarms", COUNTER, "Handles in the wrong hands: another caller's, one that has ended, several at once, one out of its place.", write_alarms },
    { "holdfast_credentials_stripped", COUNTER, "Credentials and steering fields taken out of requests.", write_stripped },
    { "holdfast_tokens_issued", COUNTER, "Tokens that were signed.", write_issued },
    { "holdfast_presented", COUNTER, "Requests that were given a credential, by its binding.", write_presented },
    { "holdfast_credential_readable", GAUGE, "1 while the secret of this credential can be presented.", write_credentials },
    { "holdfast_credential_age_seconds", GAUGE, "Since the file of this credential was written, while it can be read.", write_ages },
    { "holdfast_credential_rotate_every_seconds", GAUGE, "How old it may grow: its rotate_every.", write_rotations },
    { "holdfast_open_connections", GAUGE, "Client connections.", write_connections },
    { "holdfast_connections_accepted", COUNTER, "Client connections taken.", write_accepted },
    { "holdfast_connections_refused", COUNTER, "Client connections turned away at a limit.", write_turned_away },
    { "holdfast_connections_ended", COUNTER, "Client connections that ended before any request could be told of them.", write_ended },
    { "holdfast_handshakes_in_progress", GAUGE, "Client connections in their TLS handshake.", write_shaking },
    { "holdfast_handshakes", COUNTER, "TLS handshakes that are over.", write_handshakes },
    { "holdfast_handshakes_resumed", COUNTER, "Those of them that resumed a session.", write_resumed },
    { "holdfast_bytes", COUNTER, "Bytes received (in) and sent (out), as they are inside TLS.", write_traffic },
    { "holdfast_upstream_connect_seconds", HISTOGRAM, "From dialling a judged address to a verified connection.", write_connect },
    { "holdfast_upstream_connections_opened", COUNTER, "Upstream connections that were dialled and could be used.", write_opened },
    { "holdfast_upstream_connections_reused", COUNTER, "Requests that rode on a kept connection.", write_reused },
    { "holdfast_upstream_connections_retried", COUNTER, "Requests asked once more on a fresh connection because the kept one had been closed.", write_retried },
    { "holdfast_upstream_connections_idle", GAUGE, "Kept upstream connections.", write_idle_upstreams },
    { "holdfast_leaf_cache_hits", COUNTER, "Handshakes shown a certificate that was there.", write_leaf_hits },
    { "holdfast_leaf_cache_misses", COUNTER, "Handshakes that needed a new certificate.", write_leaf_misses },
    { "holdfast_leaf_cache_entries", GAUGE, "Certificates kept, of all workers.", write_leaves },
    { "holdfast_tasks", GAUGE, "Live tasks, of all workers.", write_tasks },
    { "holdfast_loop_lag_seconds", GAUGE, "How late a worker's loop was at its last heartbeat.", write_lag_now },
    { "holdfast_loop_delay_seconds", HISTOGRAM, "How late a worker's loop was, at each heartbeat.", write_lag },
    { "holdfast_heartbeat_age_seconds", GAUGE, "Since a worker's last heartbeat.", write_beat },
    { "holdfast_log_lines_lost", COUNTER, "Log lines that could not be written.", write_log_lost },
    { "holdfast_ledger_records", COUNTER, "Records written to the ledger.", write_ledger_records },
    { "holdfast_ledger_refusals_lost", COUNTER, "Refusals that could not be recorded: the queue was full or the ledger failed.", write_ledger_lost },
    { "holdfast_ledger_queued", GAUGE, "Records accepted and not yet written.", write_ledger_queued },
    { "holdfast_ledger_failed", GAUGE, "1 while the ledger cannot be written, and so nothing leaves.", write_ledger_failed },
    { "holdfast_ledger_last_record", GAUGE, "The number of the last record written.", write_ledger_last },
    { "holdfast_ledger_last_checkpoint", GAUGE, "The number of the last checkpoint.", write_ledger_checkpoint },
    { "holdfast_generations_alive", GAUGE, "Configs that exchanges still live under, the one in force included.", write_generations },
    { "holdfast_config_generation", GAUGE, "The config in force.", write_generation },
    { "holdfast_config_last_reload_successful", GAUGE, "0 when the last reload was refused.", write_reload_ok },
    { "holdfast_config_last_reload_success_timestamp_seconds", GAUGE, "When the config in force was taken over.", write_reload_time },
    { "holdfast_build", INFO, "The version.", write_build },
    { "process_start_time_seconds", GAUGE, "When the process started.", write_started },
    { "process_cpu_seconds", COUNTER, "CPU time, user and system.", write_cpu },
    { "process_resident_memory_bytes", GAUGE, "Memory in RAM.", write_resident },
    { "process_virtual_memory_bytes", GAUGE, "Address space.", write_virtual },
    { "process_open_fds", GAUGE, "Open descriptors.", write_descriptors },
    { "process_max_fds", GAUGE, "The most there may be.", write_descriptors_max },
};
/* clang-format on */

/* The older format knows no info, and calls a counter by its sample's name. */
static void
write_head(struct writer *w, const struct family *f)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram", "info" };
    bool open = w->format == PAGE_OPEN_METRICS;
    const char *suffix = "", *kind = kinds[f->kind];

    if (!open && f->kind == COUNTER)
        suffix = "_total";
    if (!open && f->kind == INFO) {
        suffix = "_info";
        kind = "gauge";
    }
    buf_printf(w->out, "# HELP %s%s ", f->name, suffix);
    for (const char *c = f->help; *c != '\0'; c++) {
        if (open && *c == '"')
            buf_add_byte(w->out, '\\');
        buf_add_byte(w->out, *c);
    }
    buf_printf(w->out, "\n# TYPE %s%s %s\n", f->name, suffix, kind);
}

void
metrics_page_write(const struct page *p, enum page_format format, struct buf *out)
{
    struct writer w = { .page = p, .format = format, .out = out };

    for (size_t i = 0; i < COUNT(families); i++) {
        write_head(&w, &families[i]);
        families[i].samples(&w, &families[i]);
    }
    if (format == PAGE_OPEN_METRICS)
        buf_add_z(out, "# EOF\n");
}

const char *
metrics_page_type(enum page_format format)
{
    return format == PAGE_OPEN_METRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

#include "proxy/status.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "proxy/helper.h"
#include "proxy/witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than an operator reads; past it they are counted. */
enum { ERRORS_TOLD = 200, CREDENTIALS_TOLD = 500 };

static void
write_time(struct buf *out, const char *key, int64_t wall_ms)
{
    char stamp[25];

    clock_format(wall_ms, stamp);
    json_put_z(out, key, stamp);
}

/* ---- config and reload */

static void
write_digest(struct buf *out, const unsigned char digest[SHA256_SIZE])
{
    char hex[2 * SHA256_SIZE + 1];

    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    json_put_z(out, "sha256", hex);
}

static void
write_config(const struct holdfast *h, struct buf *out)
{
    json_put_number(out, "generation", (int64_t)generation_number(h->generation));
    json_open(out, "config", '{');
    json_put_z(out, "path", h->path);
    write_digest(out, generation_conf(h->generation)->digest);
    write_time(out, "loaded_at", h->loaded_ms);
    json_put_bool(out, "watched", h->watch != NULL);
    json_put_number(out, "reads", (int64_t)h->n_read);
    json_close(out, '}');
}

/* At least one: whoever is told that it failed is told why. */
static void
write_errors(const struct reload_result *r, struct buf *out)
{
    struct text rest = buf_text(&r->report), line;
    size_t n = 0;

    json_open(out, "errors", '[');
    while (text_split(&rest, '\n', &line))
        if (!text_is_empty(line) && n++ < ERRORS_TOLD)
            json_put_text(out, NULL, line);
    if (n == 0)
        json_put_z(out, NULL, reason_sentence(r->why));
    json_close(out, ']');
    if (n > ERRORS_TOLD)
        json_put_number(out, "errors_more", (int64_t)(n - ERRORS_TOLD));
}

static void
write_last_reload(const struct reload_result *r, struct buf *out)
{
    if (r->at_ms == 0) {
        json_put_z(out, "last_reload", NULL);
        return;
    }
    json_open(out, "last_reload", '{');
    json_put_z(out, "result", reason_token(r->why));
    write_time(out, "at", r->at_ms);
    if (r->why != REASON_OK)
        write_errors(r, out);
    json_close(out, '}');
}

void
status_write_reload(const struct holdfast *h, struct buf *out)
{
    char kept[64];

    if (h->reload.why != REASON_OK) {
        snprintf(kept, sizeof kept, "kept generation %" PRIu64, h->reload.number);
        json_put_z(out, "error", kept);
        json_put_z(out, "reason", reason_token(h->reload.why));
        write_errors(&h->reload, out);
    }
    json_put_number(out, "generation", (int64_t)h->reload.number);
}

/* ---- doors, workers, credentials */

static void
write_doors(const struct holdfast *h, struct buf *out)
{
    const struct bound_door *doors = doors_of_worker(&h->doors, 0);
    char at[DOOR_PRINT_SIZE];

    json_open(out, "doors", '[');
    for (size_t i = 0; i < h->doors.n; i++) {
        const struct conf_door *door = generation_door(h->generation, i);

        json_open(out, NULL, '{');
        json_put_z(out, "kind", door_kind_word(door));
        if (door->name != NULL)
            json_put_z(out, "name", door->name);
        json_put_z(out, "address", door_print(&doors[i], at));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void
write_workers(const struct holdfast *h, struct buf *out)
{
    struct figures f;

    json_open(out, "workers", '[');
    for (size_t i = 0; i < h->n_workers; i++) {
        metrics_figures(worker_metrics(h->workers[i]), &f);
        json_open(out, NULL, '{');
        json_put_number(out, "connections", (int64_t)f.connections);
        json_put_number(out, "handshakes", (int64_t)f.handshakes);
        json_put_number(out, "served", (int64_t)f.served);
        json_put_number(out, "refused", (int64_t)f.refused);
        json_put_number(out, "turned_away", (int64_t)f.turned_away);
        json_put_number(out, "opaque", (int64_t)f.opaque);
        json_put_number(out, "leaves", (int64_t)f.leaves);
        json_put_number(out, "pool", (int64_t)f.idle_upstreams);
        json_put_number(out, "lag_us", f.lag_us);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* Of the authority's own nothing can be missing: its key was loaded at the start. */
static void
write_state(const struct holdfast *h, const struct conf_credential *c, struct buf *out)
{
    bool is_readable;

    if (!vault_has_files(c)) {
        json_put_z(out, "state",
                   c->source.kind == SOURCE_COMMAND && helper_is_gone(h->helper)
                       ? reason_token(REASON_COMMAND_UNAVAILABLE)
                       : "ready");
        return;
    }
    if (h->vault == NULL)
        return;
    is_readable = vault_fault(h->vault, c) == NULL;
    json_put_z(out, "state",
               is_readable ? "readable" : reason_token(REASON_CREDENTIAL_UNAVAILABLE));
    if (is_readable)
        json_put_number(out, "age_s", clock_wall_s() - vault_written_s(h->vault, c));
    if (vault_expires_s(h->vault, c) != 0)
        json_put_number(out, "expires_in_s",
                        vault_expires_s(h->vault, c) - clock_wall_s());
}

static void
write_helper(const struct holdfast *h, struct buf *out)
{
    if (h->helper == NULL) {
        json_put_z(out, "helper", NULL);
        return;
    }
    json_open(out, "helper", '{');
    json_put_bool(out, "running", !helper_is_gone(h->helper));
    json_put_number(out, "pid", helper_pid(h->helper));
    json_close(out, '}');
}

static void
write_credentials(const struct holdfast *h, struct buf *out)
{
    const struct conf *conf = generation_conf(h->generation);
    const struct conf_credential *c = conf->credentials.at;

    json_open(out, "credentials", '[');
    for (size_t i = 0; i < conf->credentials.n && i < CREDENTIALS_TOLD; i++) {
        json_open(out, NULL, '{');
        json_put_z(out, "name", c[i].name);
        json_put_z(out, "source", conf_source_words[c[i].source.kind]);
        write_state(h, &c[i], out);
        json_close(out, '}');
    }
    json_close(out, ']');
    if (conf->credentials.n > CREDENTIALS_TOLD)
        json_put_number(out, "credentials_more",
                        (int64_t)(conf->credentials.n - CREDENTIALS_TOLD));
}

/* Of its URL not what stands behind the path: it may hold a key. */
static void
write_witness(const struct holdfast *h, struct buf *out)
{
    int64_t now = clock_monotonic_ms();
    struct witness_state s;

    if (!witness_look(h->chronicle.witness, &s)) {
        json_put_z(out, "witness", NULL);
        return;
    }
    json_open(out, "witness", '{');
    json_put_text(out, "url", text_of(s.url, strcspn(s.url, "?")));
    json_put_number(out, "checkpoint", (int64_t)s.acknowledged);
    if (s.acknowledged > 0)
        json_put_number(out, "age_s", (now - s.acknowledged_ms) / 1000);
    json_put_number(out, "waiting", (int64_t)s.waiting);
    json_put_number(out, "waiting_s", s.since_ms > 0 ? (now - s.since_ms) / 1000 : 0);
    json_put_number(out, "failures", (int64_t)s.failures);
    json_put_number(out, "passed_over", (int64_t)s.passed_over);
    json_put_bool(out, "failing", s.is_failing);
    json_close(out, '}');
}

static void
write_ledger(const struct holdfast *h, struct buf *out)
{
    struct ledger_state s;

    if (h->chronicle.ledger == NULL) {
        json_put_z(out, "ledger", NULL);
        return;
    }
    ledger_look(h->chronicle.ledger, &s);
    json_open(out, "ledger", '{');
    json_put_z(out, "keep", generation_conf(h->generation)->ledger.keep);
    json_put_number(out, "records", (int64_t)s.records);
    json_put_number(out, "lost", (int64_t)s.lost);
    json_put_number(out, "queued", (int64_t)s.queued);
    json_put_bool(out, "failed", s.failed);
    json_put_number(out, "last", (int64_t)s.last);
    json_put_number(out, "checkpoint", (int64_t)s.checkpoint);
    write_witness(h, out);
    json_close(out, '}');
}

void
status_write(const struct holdfast *h, struct buf *out)
{
    json_put_z(out, "version", HOLDFAST_VERSION);
    json_put_number(out, "pid", getpid());
    json_put_number(out, "uptime_s", (clock_monotonic_ms() - h->began_ms) / 1000);
    json_put_bool(out, "draining", h->stopping);
    json_put_bool(out, "serving", oversee_is_serving(h));
    write_config(h, out);
    write_last_reload(&h->reload, out);
    write_doors(h, out);
    write_workers(h, out);
    json_put_number(out, "generations_alive", generations_alive());
    write_credentials(h, out);
    write_helper(h, out);
    write_ledger(h, out);
}

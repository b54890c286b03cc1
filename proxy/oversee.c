/* What main tells at the ops doors: it looks at the workers from outside, and asks
 * nobody. */
#include "proxy/holdfast.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/helper.h"
#include "proxy/ops.h"

#include <inttypes.h>
#include <stdlib.h>

struct overseer {
    struct series *series;
    struct process_reader *process;
    const struct metrics **workers; /* as many as h->n_workers */
    struct ops **doors;
    size_t n_doors;
    struct secret_file *credentials; /* whose names are those of the config in force */
    size_t n_credentials;
    bool reload_ok;
    int64_t reloaded_ms;
};

/* ---- what is told */

static bool
loops_turn(const struct holdfast *h, struct buf *why)
{
    int64_t now = clock_monotonic_ms();
    int64_t patience = generation_conf(h->generation)->limits.worker_stuck_ms;
    bool well = true;

    for (size_t i = 0; i < h->n_workers; i++) {
        int64_t beat = (int64_t)tally_read(&h->overseer->workers[i]->beat_ms);

        if (beat == 0 || now - beat <= patience)
            continue;
        buf_printf(why,
                   "worker %zu is stuck: its loop has not turned for %" PRId64 " s\n",
                   i, (now - beat) / 1000);
        well = false;
    }
    return well;
}

static bool
is_healthy(void *owner, struct buf *why)
{
    return loops_turn(owner, why);
}

bool
oversee_is_serving(const struct holdfast *h)
{
    struct buf why = { 0 };
    bool turn = loops_turn(h, &why);

    buf_free(&why);
    return turn && !h->stopping;
}

static bool
is_ready(void *owner, struct buf *why)
{
    const struct holdfast *h = owner;

    if (h->stopping) {
        buf_add_z(why, "draining\n");
        return false;
    }
    /* What is in force serves as well as before; which line is wrong is the operator's
     * to know, and this page is anybody's. */
    if (!h->overseer->reload_ok)
        buf_printf(why,
                   "the config that was read last was rejected: generation %" PRIu64
                   " is in force\n",
                   generation_number(h->generation));
    return true;
}

static void
write_metrics(void *owner, enum page_format format, struct buf *out)
{
    const struct holdfast *h = owner;
    struct page page = { .workers = h->overseer->workers,
                         .n_workers = h->n_workers,
                         .series = h->overseer->series,
                         .credentials = h->overseer->credentials,
                         .n_credentials = h->overseer->n_credentials,
                         .generations = generations_alive(),
                         .generation = generation_number(h->generation),
                         .reload_ok = h->overseer->reload_ok,
                         .reloaded_ms = h->overseer->reloaded_ms,
                         .log_lost = log_lines_lost(),
                         .now_ms = clock_monotonic_ms(),
                         .now_wall_s = clock_wall_s() };
    struct ledger_state ledger;
    struct witness_state witness;
    struct mint_figures mint;
    struct revocation_figures revocation;

    if (h->chronicle.ledger != NULL) {
        ledger_look(h->chronicle.ledger, &ledger);
        page.ledger = &ledger;
    }
    if (witness_look(h->chronicle.witness, &witness))
        page.witness = &witness;
    if (h->mint != NULL) {
        mint_look(h->mint, &mint);
        revocation_look(h->revocation, &revocation);
        page.mint = &mint;
        page.revocation = &revocation;
    }
    page.has_helper = h->helper != NULL;
    page.helper_is_gone = h->helper != NULL && helper_is_gone(h->helper);
    process_read(h->overseer->process, &page.process);
    metrics_page_write(&page, format, out);
}

/* ---- life */

void
oversee_prepare(struct holdfast *h)
{
    h->overseer = memory_new(sizeof *h->overseer);
    h->overseer->series = series_new();
    h->overseer->process = process_reader_new();
    h->overseer->workers = memory_new_array(h->n_workers, sizeof(struct metrics *));
    h->overseer->reload_ok = true; /* the start counts as one */
    h->overseer->reloaded_ms = clock_wall_ms();
    oversee_generation(h, h->generation, 0);
    oversee_secrets(h, h->first_secrets);
}

void
oversee_generation(struct holdfast *h, struct generation *g, size_t n_workers)
{
    generation_give_series(g, series_assign(h->overseer->series, generation_conf(g),
                                            generation_number(g), h->overseer->workers,
                                            n_workers));
}

void
oversee_secrets(struct holdfast *h, const struct vault *secrets)
{
    const struct groups *credentials = &generation_conf(h->generation)->credentials;
    const struct conf_credential *c = credentials->at;
    struct overseer *o = h->overseer;

    free(o->credentials);
    o->credentials = memory_new_array(credentials->n, sizeof *o->credentials);
    o->n_credentials = 0;
    for (size_t i = 0; i < credentials->n; i++)
        if (vault_has_files(&c[i]))
            o->credentials[o->n_credentials++] = (struct secret_file){
                .credential = c[i].name,
                .is_readable = vault_fault(secrets, &c[i]) == NULL,
                .written_s = vault_written_s(secrets, &c[i]),
                .rotate_every_ms = c[i].rotate_every_ms,
                .expires_s = vault_expires_s(secrets, &c[i])
            };
}

void
oversee_reload(struct holdfast *h)
{
    h->overseer->reload_ok = h->reload.why == REASON_OK;
    if (h->overseer->reload_ok)
        h->overseer->reloaded_ms = h->reload.at_ms;
}

void
oversee_begin(struct holdfast *h)
{
    const struct bound_door *doors = doors_of_worker(&h->doors, 0);
    struct ops_answers answers = { is_healthy, is_ready, write_metrics, h };
    struct overseer *o = h->overseer;

    for (size_t i = 0; i < h->n_workers; i++)
        o->workers[i] = worker_metrics(h->workers[i]);
    o->doors = memory_new_array(h->doors.n, sizeof *o->doors);
    for (size_t i = 0; i < h->doors.n; i++)
        if (generation_door(h->generation, i)->kind == DOOR_OPS)
            o->doors[o->n_doors++] = ops_new(h->base, doors[i].fd, &answers);
}

void
oversee_end(struct holdfast *h)
{
    struct overseer *o = h->overseer;

    if (o == NULL)
        return;
    for (size_t i = 0; i < o->n_doors; i++)
        ops_free(o->doors[i]);
    free(o->doors);
    free(o->workers);
    free(o->credentials);
    series_free(o->series);
    process_reader_free(o->process);
    free(o);
    h->overseer = NULL;
}

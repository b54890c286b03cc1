/* Reloading: the builder makes a generation, main hands it to every worker, and it is
 * told when the last of them has taken it over. */
#include "proxy/holdfast.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/custody.h"
#include "proxy/descriptors.h"
#include "proxy/inquiry.h"
#include "proxy/mint.h"
#include "proxy/status.h"
#include "proxy/witness.h"

#include <assert.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ALIVE_POLL_MS = 20, ALIVE_PATIENCE = 50 };

void
reload_tell_report(const struct buf *report)
{
    struct text rest = buf_text(report), line;

    /* What is indented shows the line that is meant, for a terminal. */
    while (text_split(&rest, '\n', &line))
        if (!text_is_empty(line) && line.at[0] != ' ')
            log_error("%.*s", TEXT_ARG(line));
}

enum reason
reload_open_log(const struct conf *conf)
{
    return log_open(conf->log.path, (enum log_format)conf->log.format,
                    (enum log_level)conf->log.level);
}

static bool
logs_alike(const struct conf_log *a, const struct conf_log *b)
{
    return a->format == b->format && a->level == b->level &&
           strcmp(a->path != NULL ? a->path : "-", b->path != NULL ? b->path : "-") ==
               0;
}

static void
write_line(const struct holdfast *h)
{
    struct log_line *l = h->reload.why == REASON_OK
                             ? log_line_begin(LOG_INFO, "config reloaded")
                             : log_line_begin(LOG_ERROR, "config rejected");
    char kept[64];

    log_line_number(l, "generation", (int64_t)h->reload.number);
    if (h->reload.why != REASON_OK) {
        snprintf(kept, sizeof kept, "kept generation %" PRIu64, h->reload.number);
        log_line_z(l, "reason", reason_token(h->reload.why));
        log_line_z(l, "note", kept);
    }
    log_line_end(l);
}

static void
answer(struct holdfast *h)
{
    struct buf members = { 0 };

    if (h->control == NULL)
        return;
    status_write_reload(h, &members);
    control_answer(h->control, WAIT_RELOAD, h->answered, h->reload.why == REASON_OK,
                   buf_text(&members));
    buf_free(&members);
}

static void begin(struct holdfast *h);

/* Whoever asked while it was going on may mean files that it had read already. */
static void
leave_off(struct holdfast *h)
{
    h->reloading = false;
    h->n_read++;
    if (h->asked_again)
        begin(h);
}

/* The one place where a reload is over. */
static void
conclude(struct holdfast *h)
{
    h->reload.at_ms = clock_wall_ms();
    h->reload.number = generation_number(h->generation);
    write_line(h);
    oversee_reload(h);
    answer(h);
    leave_off(h);
}

void
reload_adopted(struct holdfast *h)
{
    if (h->n_adopting > 0 && --h->n_adopting == 0)
        conclude(h);
}

/* The config's own files, and what may come to stand beside them. */
static void
watch_files(struct holdfast *h)
{
    const char *slash = strrchr(h->path, '/');
    int n = slash != NULL ? (int)(slash - h->path) + 1 : 0;
    struct buf parts = { 0 };
    const char *paths[2];

    buf_printf(&parts, "%.*sconf.d", n, h->path);
    buf_add_byte(&parts, '\0');
    paths[0] = h->path;
    paths[1] = buf_text(&parts).at;
    watch_set(h->watch, paths, 2);
    buf_free(&parts);
}

static void
on_change(void *owner)
{
    reload_notice(owner);
}

static void
set_watch(struct holdfast *h)
{
    bool wanted = generation_conf(h->generation)->watch;

    if (wanted == (h->watch != NULL))
        return;
    if (wanted) {
        h->watch = watch_new(h->base, on_change, h);
        watch_files(h);
    } else {
        watch_free(h->watch);
        h->watch = NULL;
    }
}

static void
keep_vault(struct holdfast *h, struct vault *vault)
{
    vault_ref(vault);
    vault_unref(h->vault);
    h->vault = vault;
}

static void
follow_tokens(struct holdfast *h)
{
    inquiry_follow(h->inquiry, h->generation);
    if (h->mint != NULL)
        mint_follow(h->mint, h->generation, h->vault);
}

static void
adopt(struct holdfast *h, struct generation *next, struct vault *vault)
{
    const struct conf *conf = generation_conf(next);

    /* Where it cannot be opened the old one goes on, which is said in it, and the next
     * reload tries again. */
    if (h->log_is_old || !logs_alike(&conf->log, &generation_conf(h->generation)->log))
        h->log_is_old = reload_open_log(conf) != REASON_OK;
    (void)(descriptors_raise(&conf->limits, h->n_workers) == REASON_OK);
    generation_unref(h->generation);
    h->generation = next;
    oversee_generation(h, next, h->n_workers);
    oversee_secrets(h, vault);
    if (h->chronicle.witness != NULL)
        witness_follow(h->chronicle.witness, next);
    h->loaded_ms = clock_wall_ms();
    keep_vault(h, vault);
    set_watch(h);
    /* First the tasks: what a reload takes away or narrows has ended when it is told.
     */
    custody_name_pod(h->custody, vault_pod(vault));
    custody_adopt(h->custody, h->next_tasks);
    h->next_tasks = NULL;
    follow_tokens(h);
    h->n_adopting = h->n_workers - h->n_ended;
    for (size_t i = 0; i < h->n_workers; i++) {
        generation_ref(next);
        vault_ref(vault);
        worker_adopt(h->workers[i], next, vault);
    }
    if (h->n_adopting == 0)
        conclude(h);
}

static void
report_failure(struct holdfast *h, const struct generation *next, enum reason why)
{
    if (why == REASON_LEDGER_FULL || why == REASON_LEDGER_FAILED)
        buf_printf(&h->reload.report,
                   "ledger.keep: the grants cannot be recorded in %s\n",
                   generation_conf(next)->ledger.keep);
    else
        buf_printf(&h->reload.report,
                   "ca.publish: the handles cannot be written to %s\n",
                   generation_conf(next)->ca.publish);
}

static void
drop(struct holdfast *h, struct generation *next)
{
    generation_unref(next);
    prepared_free(h->next_tasks);
    h->next_tasks = NULL;
    secrets_follow(h->secrets, h->generation, true);
}

/* Its handles are published, its secrets read, its grants recorded: what was built is
 * whole. While Holdfast stops it comes too late: the tasks that end are of the config
 * in force, and whoever waited for another has been told. */
static void
take_next(struct holdfast *h, const struct secrets_told *t)
{
    struct generation *next = h->next;

    h->next = NULL;
    if (h->stopping) {
        drop(h, next);
        leave_off(h);
    } else if (t->why == REASON_OK) {
        adopt(h, next, t->vault);
    } else {
        h->reload.why = t->why;
        report_failure(h, next, t->why);
        drop(h, next);
        conclude(h);
    }
}

static void
tell_secrets(const struct secrets_told *t)
{
    struct log_line *l;
    size_t held, missing;

    vault_count(t->vault, &held, &missing);
    if (held + missing == 0)
        return;
    l = log_line_begin(LOG_INFO, "secrets read");
    log_line_number(l, "generation", (int64_t)generation_number(t->generation));
    log_line_number(l, "held", (int64_t)held);
    log_line_number(l, "unavailable", (int64_t)missing);
    log_line_end(l);
}

static void
on_secrets(void *owner, const struct secrets_told *t)
{
    struct holdfast *h = owner;

    if (t->generation == h->next) {
        take_next(h, t);
        return;
    }
    keep_vault(h, t->vault);
    custody_name_pod(h->custody, vault_pod(t->vault));
    for (size_t i = 0; i < h->n_workers; i++) {
        generation_ref(t->generation);
        vault_ref(t->vault);
        worker_keep(h->workers[i], t->generation, t->vault);
    }
    follow_tokens(h);
    oversee_secrets(h, t->vault);
    tell_secrets(t);
}

static void
on_built(void *arg, const struct built *b)
{
    struct holdfast *h = arg;

    if (b->why == REASON_OK && b->generation == NULL) { /* nothing has changed */
        leave_off(h);
        return;
    }
    h->reload.why = b->why;
    buf_free(&h->reload.report);
    h->reload.report = (struct buf){ 0 };
    buf_add(&h->reload.report, buf_text(b->report));
    reload_tell_report(b->report);
    if (h->reload.why == REASON_OK) {
        h->next = b->generation;
        h->next_tasks = b->tasks;
        secrets_follow(h->secrets, h->next, false);
        return;
    }
    conclude(h);
}

static void
build(struct holdfast *h)
{
    enum reason why;

    h->waited = 0;
    h->reloading = true;
    h->asked_again = false;
    h->answered = h->asked;
    custody_expect(h->custody);
    why = builder_build(h->builder, h->generation, generation_number(h->generation) + 1,
                        h->asked_always);
    h->asked_always = false;
    if (why == REASON_OK)
        return;
    h->reload.why = why;
    buf_free(&h->reload.report); /* of another reload */
    h->reload.report = (struct buf){ 0 };
    conclude(h);
}

/* A storm of signals must not push generations out that exchanges are still living
 * under: wait a moment for them. */
static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval pause = { 0, ALIVE_POLL_MS * 1000 };
    struct holdfast *h = arg;

    (void)fd;
    (void)what;
    if (h->stopping)
        return;
    if (generations_alive() <
            (unsigned)generation_conf(h->generation)->limits.generations ||
        ++h->waited > ALIVE_PATIENCE)
        build(h);
    else
        event_add(h->patience, &pause);
}

static void
begin(struct holdfast *h)
{
    if (h->reloading)
        h->asked_again = true;
    else if (!event_pending(h->patience, EV_TIMEOUT, NULL))
        on_patience(-1, 0, h);
}

uint64_t
reload_ticket(const struct holdfast *h)
{
    return h->asked + 1;
}

void
reload_ask(struct holdfast *h)
{
    h->asked++;
    h->asked_always = true;
    begin(h);
}

void
reload_notice(struct holdfast *h)
{
    begin(h);
}

void
reload_begin(struct holdfast *h)
{
    h->patience = event_new(h->base, -1, 0, on_patience, h);
    h->builder = builder_new(h->base, h->path, h->authority, on_built, h);
    h->secrets = secrets_new(h->base, h->chronicle.ledger, on_secrets, h);
    assert(h->patience != NULL && h->builder != NULL);
    builder_knows(h->builder, generation_conf(h->generation)->digest);
    h->reload.number = generation_number(h->generation);
    secrets_follow(h->secrets, h->generation, true);
    h->loaded_ms = clock_wall_ms();
    if (h->first_secrets != NULL)
        keep_vault(h, h->first_secrets);
    set_watch(h);
}

void
reload_end(struct holdfast *h)
{
    if (h->watch != NULL)
        watch_free(h->watch);
    builder_free(h->builder);
    secrets_free(h->secrets);
    vault_unref(h->vault);
    generation_unref(h->next);
    prepared_free(h->next_tasks);
    if (h->patience != NULL)
        event_free(h->patience);
    buf_free(&h->reload.report);
    h->watch = NULL; /* whoever asks how it stands is told so */
    h->vault = NULL;
}

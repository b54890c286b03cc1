#include "proxy/run.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/attest.h"
#include "proxy/cpus.h"
#include "proxy/custody.h"
#include "proxy/descriptors.h"
#include "proxy/faults.h"
#include "proxy/helper.h"
#include "proxy/holdfast.h"
#include "proxy/inquiry.h"
#include "proxy/mint.h"
#include "proxy/reaper.h"
#include "proxy/tls_memory.h"
#include "proxy/verbs.h"
#include "proxy/witness.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- start: config and keys */

static enum reason
own_directories(const struct holdfast *h, const struct conf *conf)
{
    enum reason why;

    if (conf->ledger.keep != NULL &&
        (why = identity_own_directory(&h->who, conf->ledger.keep, 0700)) != REASON_OK)
        return why;
    if (!conf_has_egress(conf))
        return REASON_OK;
    if ((why = identity_own_directory(&h->who, conf->ca.keep, 0700)) != REASON_OK ||
        (why = identity_own_directory(&h->who, conf->ca.publish, 0755)) != REASON_OK)
        return why;
    return identity_own_directory(&h->who, conf->authority.keep, 0700);
}

static enum reason
open_keys(struct holdfast *h, const struct conf *conf)
{
    enum reason why;

    if ((why = ca_open(conf->ca.keep, conf->ca.valid_ms, &h->ca)) != REASON_OK ||
        (why = ca_publish(h->ca, conf->ca.publish)) != REASON_OK ||
        (why = authority_open(conf->authority.keep, conf->authority.name,
                              &h->authority)) != REASON_OK)
        return why;
    return authority_publish(h->authority, conf->ca.publish);
}

/* The identity is chosen from a first reading as root; everything after is read as the
 * one who will read it at a reload. */
static enum reason
load(struct holdfast *h)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);
    enum reason why;

    if ((why = conf_load(h->path, tables, n, &report, &conf)) != REASON_OK ||
        (why = identity_choose(conf, &h->who)) != REASON_OK)
        goto done;
    if ((why = own_directories(h, conf)) != REASON_OK)
        goto done;
    if (conf->control.socket != NULL &&
        (why = control_socket_prepare(&h->who, conf->control.socket)) != REASON_OK)
        goto done;
    if ((why = doors_prepare(conf, &h->who)) != REASON_OK)
        goto done;
    if ((why = identity_assume(&h->who)) != REASON_OK)
        goto done;
    if ((why = generation_build(h->path, 1, &report, &h->generation)) == REASON_OK &&
        (why = generation_make_handles(h->generation, NULL, &report)) == REASON_OK)
        /* What is wrong with them is told when they are followed. */
        h->first_secrets = vault_read(generation_conf(h->generation));
done:
    reload_tell_report(&report);
    buf_free(&report);
    conf_free(conf);
    return why;
}

/* The order is DESIGN.md section 13's; each step is fatal when it fails. */
static enum reason
start(struct holdfast *h)
{
    const struct conf *conf = generation_conf(h->generation);
    enum reason why;

    h->n_workers = conf->workers > 0 ? (size_t)conf->workers : cpus_given();
    if (conf_has_egress(conf) &&
        ((why = open_keys(h, conf)) != REASON_OK ||
         (why = registry_prepare(h->authority, conf, NULL, &h->first_tasks)) !=
             REASON_OK))
        return why;
    if ((why = identity_resume_root()) != REASON_OK ||
        (why = descriptors_raise(&conf->limits, h->n_workers)) != REASON_OK ||
        (why = doors_bind(conf, h->n_workers, &h->doors)) != REASON_OK)
        return why;
    if ((why = identity_assume(&h->who)) != REASON_OK ||
        (why = reload_open_log(conf)) != REASON_OK ||
        (why = doors_stand(conf, &h->doors)) != REASON_OK)
        return why;
    if (conf->control.socket != NULL &&
        (why = control_socket_open(conf->control.socket, &h->socket)) != REASON_OK)
        return why;
    /* Not before: one that could not start would write over the handles of the one that
     * runs. */
    if (conf_has_egress(conf) && (why = secrets_publish(h->generation)) != REASON_OK)
        return why;
    if ((why = identity_resume_root()) != REASON_OK ||
        (why = doors_give(conf, &h->doors)) != REASON_OK ||
        (why = identity_drop(&h->who)) != REASON_OK)
        return why;
    return chronicle_open(&h->chronicle, h->generation, h->n_workers);
}

/* ---- workers */

static void
on_message(void *owner, const struct message *m)
{
    struct holdfast *h = owner;

    if (m->kind == MESSAGE_ENDED && ++h->n_ended == h->n_workers)
        event_base_loopbreak(h->base);
    else if (m->kind == MESSAGE_ADOPTED)
        reload_adopted(h);
    else if (m->kind == MESSAGE_OBEYED || m->kind == MESSAGE_SPENT)
        custody_hear(h->custody, m);
    else if (m->kind == MESSAGE_WANTED) {
        mint_want(h->mint, m->holder, &m->news.name);
        task_unref(m->holder);
    } else if (m->kind == MESSAGE_QUESTION) {
        inquiry_take(h->inquiry, m->question);
    }
}

/* ---- issuers of access tokens */

static void
tell_answers(void *owner, uint64_t workers)
{
    struct holdfast *h = owner;

    for (size_t i = 0; i < h->n_workers; i++)
        if ((workers >> (i % 64) & 1) != 0)
            worker_tell_answers(h->workers[i]);
}

static void
open_inquiry(struct holdfast *h)
{
    h->shared.answers = answers_new();
    h->inquiry = inquiry_new(h->base, h->shared.answers, tell_answers, h);
    inquiry_follow(h->inquiry, h->generation);
}

/* ---- tokens */

static void
tell_token(void *owner, struct task *k, const struct token_news *news)
{
    struct holdfast *h = owner;

    for (size_t i = 0; i < h->n_workers; i++)
        worker_tell_token(h->workers[i], k, news);
}

static void
dismiss_helper(struct holdfast *h)
{
    helper_free(h->helper);
    h->helper = NULL;
}

static void
open_mint(struct holdfast *h)
{
    struct ledger *ledger = h->chronicle.ledger;

    h->errands = loop_over(h->base);
    helper_begin(h->helper, h->errands, &h->who);
    h->revocation = revocation_new(&(struct revocation_needs){
        h->errands, ledger, custody_part, custody_hear_late, h });
    h->mint = mint_new(&(struct mint_needs){ h->errands, h->revocation, h->helper,
                                             ledger, tell_token, h });
    mint_follow(h->mint, h->generation, h->vault);
}

/* The tasks have ended and the workers are gone: what is to be taken back elsewhere has
 * a little time. */
static void
close_mint(struct holdfast *h)
{
    if (h->mint == NULL)
        return;
    revocation_finish(h->revocation);
    mint_free(h->mint);
    revocation_free(h->revocation);
    loop_free(h->errands);
}

static enum reason
start_workers(struct holdfast *h)
{
    struct worker_start with = { .generation = h->generation,
                                 .vault = h->first_secrets,
                                 .n_workers = h->n_workers,
                                 .n_doors = h->doors.n,
                                 .ca = h->ca,
                                 .authority = h->authority,
                                 .shared = &h->shared,
                                 .ledger = h->chronicle.ledger,
                                 .to_main = h->inbox };
    enum reason why = REASON_OK;

    h->workers = calloc(h->n_workers, sizeof(struct worker *));
    assert(h->workers != NULL);
    for (size_t i = 0; i < with.n_workers && why == REASON_OK; i++) {
        with.index = i;
        with.doors = doors_of_worker(&h->doors, i);
        with.bell = chronicle_bell(&h->chronicle, i);
        why = worker_start(&with, &h->workers[i]);
        h->n_workers = why == REASON_OK ? i + 1 : i;
    }
    vault_unref(h->first_secrets); /* the workers' now, to be wiped with the next */
    h->first_secrets = NULL;
    return why;
}

/* They accept when they know which tasks live: nobody is refused for having come first.
 */
static void
open_workers(struct holdfast *h)
{
    custody_name_pod(h->custody, vault_pod(h->vault));
    custody_adopt(h->custody, h->first_tasks);
    h->first_tasks = NULL;
    for (size_t i = 0; i < h->n_workers; i++)
        worker_open(h->workers[i]);
}

static void
join_workers(struct holdfast *h)
{
    for (size_t i = 0; i < h->n_workers; i++)
        worker_join(h->workers[i]);
    free(h->workers);
    h->workers = NULL; /* the loop turns once more, to take tokens back */
    h->n_workers = 0;
}

static void
tell_ready(const struct holdfast *h)
{
    struct log_line *l;

    doors_tell(&h->doors, h->generation);
    l = log_line_begin(LOG_INFO, "ready");
    log_line_number(l, "generation", (int64_t)generation_number(h->generation));
    log_line_z(l, "version", HOLDFAST_VERSION);
    log_line_number(l, "pid", getpid());
    log_line_number(l, "workers", (int64_t)h->n_workers);
    log_line_end(l);
}

static void
open_control(struct holdfast *h)
{
    const struct verb *verbs;
    size_t n;

    if (h->socket.fd < 0)
        return;
    verbs = holdfast_verbs(&n);
    h->control = control_new(h->base, &h->socket, verbs, n, h);
}

static enum reason
serve(struct holdfast *h)
{
    enum reason why;

    h->base = event_base_new();
    assert(h->base != NULL);
    reaper_begin();
    h->inbox = mailbox_new(h->base, on_message, h);
    signals_watch(h);
    reload_begin(h);
    oversee_prepare(h);
    open_control(h);
    if (h->chronicle.witness != NULL)
        witness_begin(h->chronicle.witness, h->base, h->generation);
    open_inquiry(h);
    h->shared.attest = attest_new();
    h->custody = custody_new(h);
    if (h->custody != NULL)
        open_mint(h);
    else
        dismiss_helper(h);
    if ((why = start_workers(h)) == REASON_OK) {
        open_workers(h);
        oversee_begin(h);
        tell_ready(h);
        event_base_dispatch(h->base);
    } else {
        holdfast_stop(h);
    }
    oversee_end(h);
    attest_stop(h->shared.attest); /* while there is whom it could answer */
    join_workers(h);
    attest_free(h->shared.attest);
    custody_conclude(h->custody);
    if (why == REASON_OK)
        log_info("ended");
    return why;
}

static const char *
why_it_stops(const struct holdfast *h, enum reason why)
{
    if (why != REASON_OK)
        return reason_token(why);
    return h->stopped_now ? "stopped" : "drained";
}

static void
tear_down(struct holdfast *h, enum reason why)
{
    signals_hurry(h);
    reload_end(h); /* whom would what is read now be for? */
    inquiry_free(h->inquiry);
    answers_free(h->shared.answers);
    close_mint(h);
    dismiss_helper(h);
    control_free(h->control); /* of all that hears of the end, the last to be told */
    unix_socket_close(&h->socket);
    custody_free(h->custody);
    prepared_free(h->first_tasks);
    chronicle_close(&h->chronicle, why_it_stops(h, why));
    signals_forget(h);
    mailbox_free(h->inbox);
    if (h->base != NULL)
        event_base_free(h->base);
    doors_close(&h->doors);
    vault_unref(h->first_secrets);
    generation_unref(h->generation);
    reaper_end();
    authority_free(h->authority);
    ca_free(h->ca);
    libevent_global_shutdown();
    log_close();
}

static int
exit_code(enum reason why)
{
    switch (why) {
    case REASON_OK:
        return EXIT_OK;
    case REASON_CANNOT_BIND:
        return EXIT_BIND;
    case REASON_CONFIG:
    case REASON_EQUAL_UID:
    case REASON_FILE_UNREADABLE:
    case REASON_FILE_UNSAFE:
    case REASON_FILE_CONTENT:
        return EXIT_CONFIG;
    default:
        return EXIT_RUNTIME;
    }
}

/* Whoever started it may not know yet where the log is. */
static void
tell_failure(enum reason why)
{
    log_reason(why, "did not start: %s", reason_sentence(why));
    if (log_path() != NULL)
        fprintf(stderr, "holdfast: did not start: %s The log says more: %s\n",
                reason_sentence(why), log_path());
}

int
holdfast_run(const char *path)
{
    struct holdfast h = { .path = path,
                          .socket = { .fd = -1 },
                          .began_ms = clock_monotonic_ms() };
    enum reason why;

    h.helper = helper_fork(); /* while there is nothing that it could inherit */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails */
    tls_memory_begin();
    evthread_use_pthreads();
    faults_read();
    if ((why = load(&h)) == REASON_OK && (why = start(&h)) == REASON_OK)
        why = serve(&h);
    if (why != REASON_OK)
        tell_failure(why);
    tear_down(&h, why);
    return exit_code(why);
}

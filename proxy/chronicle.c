#include "proxy/chronicle.h"

#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/doorbell.h"
#include "proxy/witness.h"
#include "tasks/record.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

/* How often a queue that others fill as well is tried, before it counts as full. */
enum { PATIENCE = 200, PAUSE_MS = 5 };

/* ---- what a generation is */

/* A queue may be shorter than a config has grants. Its writer empties it meanwhile. */
static enum reason
enter_patiently(struct ledger *l, const char *kind, struct text members,
                uint64_t *ticket)
{
    static const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
    enum reason why = ledger_enter(l, kind, members, ticket);

    for (int i = 0; why == REASON_LEDGER_FULL && i < PATIENCE; i++) {
        (void)nanosleep(&pause, NULL);
        why = ledger_enter(l, kind, members, ticket);
    }
    return why;
}

static enum reason
enter_grants(struct ledger *l, uint64_t number, const struct groups *grants,
             uint64_t *ticket)
{
    const struct conf_grant *at = grants->at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < grants->n && why == REASON_OK; i++) {
        struct buf members = { 0 };

        record_grant(&members, number, &at[i]);
        why = enter_patiently(l, "grant", buf_text(&members), ticket);
        buf_free(&members);
    }
    return why;
}

static enum reason
enter_credentials(struct ledger *l, uint64_t number, const struct groups *credentials,
                  uint64_t *ticket)
{
    const struct conf_credential *at = credentials->at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < credentials->n && why == REASON_OK; i++) {
        struct buf members = { 0 };

        record_credential(&members, number, &at[i]);
        why = enter_patiently(l, "credential", buf_text(&members), ticket);
        buf_free(&members);
    }
    return why;
}

enum reason
chronicle_tell(struct ledger *l, const struct generation *g)
{
    const struct conf *conf = generation_conf(g);
    uint64_t ticket = 0, number = generation_number(g);
    struct buf members = { 0 };
    enum reason why;

    if (l == NULL)
        return REASON_OK;
    record_generation(&members, number, conf);
    if ((why = enter_grants(l, number, &conf->grants, &ticket)) == REASON_OK &&
        (why = enter_credentials(l, number, &conf->credentials, &ticket)) ==
            REASON_OK &&
        (why = enter_patiently(l, "generation", buf_text(&members), &ticket)) ==
            REASON_OK)
        why = ledger_await(l, ticket);
    buf_free(&members);
    if (why != REASON_OK)
        (void)log_reason(why, "the grants of the config are not in the ledger");
    return why;
}

/* ---- its life */

static enum reason
tell_start(struct ledger *l, const struct conf *conf)
{
    struct buf members = { 0 };
    enum reason why;

    record_start(&members, HOLDFAST_VERSION, conf);
    why = enter_patiently(l, "start", buf_text(&members), NULL);
    buf_free(&members);
    return why;
}

static void
hang_bells(struct chronicle *c, size_t n_workers)
{
    c->bells = memory_new_array(n_workers, sizeof(struct doorbell *));
    c->n_bells = n_workers;
    for (size_t i = 0; i < n_workers; i++) {
        c->bells[i] = doorbell_new();
        ledger_listen(c->ledger, doorbell_ring, c->bells[i]);
    }
}

static void
say_there_is_none(const char *because)
{
    struct log_line *l = log_line_begin(LOG_WARN, "no ledger");

    log_line_z(l, "because", because);
    log_line_end(l);
}

enum reason
chronicle_open(struct chronicle *c, const struct generation *first, size_t n_workers)
{
    const struct conf *conf = generation_conf(first);
    struct ledger_settings settings = {
        .directory = conf->ledger.keep,
        .segment_bytes = conf->ledger.segment_bytes,
        .queue_records = (size_t)conf->limits.ledger_queue,
        .queue_bytes = (size_t)conf->limits.ledger_queue_bytes,
    };
    enum reason why;

    if (conf->ledger.keep == NULL) {
        if (conf->ledger.off_because != NULL)
            say_there_is_none(conf->ledger.off_because);
        return REASON_OK;
    }
    c->witness = witness_new();
    settings.on_checkpoint = witness_tell;
    settings.owner = c->witness;
    if ((why = ledger_open(&settings, &c->ledger)) != REASON_OK)
        return why;
    hang_bells(c, n_workers);
    if ((why = tell_start(c->ledger, conf)) != REASON_OK)
        return why;
    return chronicle_tell(c->ledger, first);
}

void
chronicle_close(struct chronicle *c, const char *why)
{
    struct buf members = { 0 };

    if (c->ledger != NULL) {
        json_put_z(&members, "why", why);
        if (enter_patiently(c->ledger, "stop", buf_text(&members), NULL) != REASON_OK)
            log_error("the ledger cannot be told that Holdfast stops");
        buf_free(&members);
        ledger_close(c->ledger);
        witness_finish(c->witness);
    }
    witness_free(c->witness);
    for (size_t i = 0; i < c->n_bells; i++)
        doorbell_free(c->bells[i]);
    free(c->bells);
    *c = (struct chronicle){ 0 };
}

struct doorbell *
chronicle_bell(const struct chronicle *c, size_t worker)
{
    if (c->ledger == NULL)
        return NULL;
    assert(worker < c->n_bells);
    return c->bells[worker];
}

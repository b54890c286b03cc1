#include "proxy/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/doorbell.h"
#include "proxy/ending.h"
#include "proxy/exchange.h"
#include "proxy/heart.h"
#include "proxy/mailbox.h"
#include "proxy/worker_parts.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct thread {
    pthread_t id;
    struct worker worker;
};

/* ---- the rate of refusals inside TLS */

bool
worker_may_refuse_inside(struct worker *w, const struct caller *caller)
{
    uint32_t uid = caller->has_uid ? caller->uid : UINT32_MAX;
    struct rate *rates = w->start.shared->refusals;
    size_t n = sizeof w->start.shared->refusals / sizeof *rates;

    return rate_take(&rates[(uid * 2654435761u) % n],
                     worker_limits(w)->refusal_leaf_rate, clock_monotonic_ms());
}

/* ---- the end */

static void
end_if_idle(struct worker *w)
{
    if (w->draining && w->n_conns == 0)
        loop_stop(w->loop);
}

void
worker_conn_gone(struct worker *w)
{
    tally_set(&w->metrics->connections, --w->n_conns);
    end_if_idle(w);
}

static void
cut_all(struct worker *w)
{
    w->draining = true;
    while (!list_is_empty(&w->conns))
        conn_cut(LIST_OWNER(w->conns.next, struct conn, member));
    end_if_idle(w);
}

static void
on_drained(void *owner)
{
    cut_all(owner);
}

static void
tell_draining(const struct worker *w)
{
    struct log_line *l = log_line_begin(LOG_INFO, "draining");

    log_line_number(l, "worker", (int64_t)w->start.index);
    log_line_number(l, "connections", (int64_t)w->n_conns);
    log_line_end(l);
}

static void
drain(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    worker_shut_doors(w);
    tell_draining(w);
    for (struct list *m = w->conns.next; m != &w->conns; m = m->next)
        conn_drain(LIST_OWNER(m, struct conn, member));
    alarm_set(w->loop, &w->drain_alarm, worker_limits(w)->drain_ms);
    end_if_idle(w);
}

/* ---- what it tells of itself */

/* What should go back to where it was when nobody asks for anything. */
static void
dump_kept(const struct worker *w, struct log_line *l)
{
    size_t exchanges = 0, idle = 0;

    for (struct list *m = w->epochs.next; m != &w->epochs; m = m->next) {
        const struct epoch *e = LIST_OWNER(m, struct epoch, older);

        exchanges += list_count(&e->exchanges);
        idle += pool_count(e->pool);
    }
    log_line_number(l, "exchanges", (int64_t)exchanges);
    log_line_number(l, "idle_upstreams", (int64_t)idle);
    log_line_number(l, "generations", (int64_t)list_count(&w->epochs));
    log_line_number(l, "alarms", (int64_t)loop_count_alarms(w->loop));
    log_line_number(l, "woken", (int64_t)loop_count_woken(w->loop));
}

static void
dump(const struct worker *w)
{
    struct log_line *l = log_line_begin(LOG_INFO, "state");

    log_line_number(l, "worker", (int64_t)w->start.index);
    log_line_number(l, "generation", (int64_t)generation_number(w->now->generation));
    log_line_number(l, "connections", (int64_t)w->n_conns);
    log_line_number(l, "handshakes", (int64_t)w->n_handshakes);
    log_line_number(l, "served", (int64_t)w->served);
    log_line_number(l, "refused", (int64_t)w->refused);
    dump_kept(w, l);
    if (w->leaves != NULL)
        log_line_number(l, "leaves", (int64_t)leaf_cache_count(w->leaves));
    log_line_number(l, "lag_ms", loop_lag_ms(w->loop));
    log_line_end(l);
}

/* ---- messages */

static void
tell_main(struct worker *w, enum message_kind kind)
{
    mailbox_post(w->start.to_main,
                 &(struct message){ .kind = kind, .worker = w->start.index });
}

static void
on_message(void *owner, const struct message *m)
{
    struct worker *w = owner;

    switch (m->kind) {
    case MESSAGE_ADOPT:
        epoch_adopt(w, m->generation, m->vault);
        tell_main(w, MESSAGE_ADOPTED);
        break;
    case MESSAGE_SECRETS:
        epoch_keep(w, m->generation, m->vault);
        break;
    case MESSAGE_TASK:
        ending_obey(w, &m->task, m->generation);
        break;
    case MESSAGE_TOKEN:
        obtain_hear(w, m->holder, &m->news);
        break;
    case MESSAGE_OPEN:
        if (!w->draining)
            worker_open_doors(w);
        break;
    case MESSAGE_DRAIN:
        drain(w);
        break;
    case MESSAGE_STOP:
        if (!w->draining)
            worker_shut_doors(w);
        cut_all(w);
        break;
    case MESSAGE_DUMP:
        dump(w);
        break;
    case MESSAGE_ANSWERED:
        inquire_hear(w);
        break;
    case MESSAGE_WRITTEN:
        enter_hear(w);
        break;
    case MESSAGE_ATTESTED:
        conn_hear_where(m->attested);
        break;
    case MESSAGE_ADOPTED:
    case MESSAGE_OBEYED:
    case MESSAGE_SPENT:
    case MESSAGE_WANTED:
    case MESSAGE_QUESTION:
    case MESSAGE_ENDED:
    default:
        assert(m->kind < MESSAGE_ADOPTED); /* the others are for main */
    }
}

/* ---- life */

static void
dismantle(struct worker *w)
{
    worker_free_doors(w);
    ending_forget_all(w);
    roll_free(w->roll);
    epoch_unref(w->now);
    if (w->start.bell != NULL)
        doorbell_tie(w->start.bell, NULL);
    mailbox_free(w->mailbox);
    leaf_cache_free(w->leaves);
    leaf_cache_free(w->refusal_leaves);
    caller_lookup_free(w->callers);
    spool_free(&w->testimony);
    alarm_clear(&w->drain_alarm);
    heart_free(w->heart);
    metrics_free(w->metrics);
    loop_free(w->loop);
}

/* Leaves and tasks are for the forward side alone. */
static enum reason
equip(struct worker *w)
{
    const struct conf_limits *l = &generation_conf(w->start.generation)->limits;

    generation_ref(w->start.generation);
    if (w->start.vault != NULL)
        vault_ref(w->start.vault);
    if (w->start.authority != NULL)
        w->roll = roll_new();
    w->now = epoch_new(w, w->start.generation, w->start.vault);
    w->callers = caller_lookup_new();
    if (w->start.ca != NULL) {
        w->leaves = leaf_cache_new(w->start.ca, (size_t)l->leaves);
        w->refusal_leaves = leaf_cache_new(w->start.ca, (size_t)l->refusal_leaves);
        if (w->leaves == NULL || w->refusal_leaves == NULL)
            return REASON_MINT_LEAF;
    }
    return resolver_is_ready(w->now->resolver) ? REASON_OK : REASON_CONFIG;
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    loop_run(w->loop);
    heart_free(w->heart);
    w->heart = NULL;
    tell_main(w, MESSAGE_ENDED);
    return NULL;
}

/* What cannot fail. */
static void
begin(struct worker *w, const struct worker_start *start)
{
    w->start = *start;
    w->next_conn = start->index;
    w->loop = loop_new();
    w->metrics = metrics_new();
    loop_measure(w->loop, &w->metrics->lag);
    list_init(&w->epochs);
    list_init(&w->conns);
    list_init(&w->inquiring);
    list_init(&w->awaiting);
    list_init(&w->handshakes);
    list_init(&w->endings);
    worker_make_doors(w);
    w->drain_alarm = (struct alarm){ .on_due = on_drained, .owner = w };
    w->mailbox = mailbox_new(loop_base(w->loop), on_message, w);
    if (start->bell != NULL)
        doorbell_tie(start->bell, w->mailbox);
}

enum reason
worker_start(const struct worker_start *start, struct worker **out)
{
    struct thread *t = calloc(1, sizeof *t);
    struct worker *w = &t->worker;
    enum reason why;

    assert(t != NULL);
    *out = NULL;
    begin(w, start);
    if ((why = equip(w)) == REASON_OK) {
        w->heart = heart_new(w);
        if (pthread_create(&t->id, NULL, work, w) != 0)
            why = log_reason(REASON_INTERNAL, "the worker's thread cannot be started");
    }
    if (why == REASON_OK) {
        *out = w;
        return REASON_OK;
    }
    dismantle(w);
    free(t);
    return why;
}

const struct metrics *
worker_metrics(const struct worker *w)
{
    return w->metrics;
}

void
worker_join(struct worker *w)
{
    struct thread *t = LIST_OWNER(w, struct thread, worker);

    pthread_join(t->id, NULL);
    dismantle(w);
    free(t);
}

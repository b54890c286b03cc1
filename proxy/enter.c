/* ENTER: the decision is in the ledger before the first byte goes upstream; and, where
 * the config says so, on the disk. */
#include "proxy/ending.h"
#include "proxy/exchange.h"

#include "proxy/doorbell.h"
#include "proxy/testimony.h"

static enum reason
enter_decision(struct exchange *x)
{
    struct spool *members = &x->worker->testimony;

    spool_clear(members);
    testimony_decision(x, REASON_OK, members);
    return ledger_enter(x->worker->start.ledger, "decision", spool_text(members),
                        &x->ticket);
}

/* ---- waiting for the disk */

void
enter_leave(struct exchange *x)
{
    if (!list_is_linked(&x->awaiting))
        return;
    list_remove(&x->awaiting);
    doorbell_leave(x->worker->start.bell);
}

void
enter_hear(struct worker *w)
{
    doorbell_heard(w->start.bell);
    for (struct list *m = w->awaiting.next; m != &w->awaiting; m = m->next)
        exchange_wake(LIST_OWNER(m, struct exchange, awaiting));
}

static enum pace
await_disk(struct exchange *x)
{
    struct ledger *l = x->worker->start.ledger;
    struct ledger_state state;

    if (!list_is_linked(&x->awaiting)) {
        list_add_last(&x->worker->awaiting, &x->awaiting);
        doorbell_await(x->worker->start.bell);
        ledger_hurry(l, x->ticket);
    }
    ledger_look(l, &state);
    if (state.failed)
        return refuse(x, REASON_LEDGER_FAILED);
    /* It may have come there while we looked, and the bell rung before that. */
    if (ledger_is_durable(l, x->ticket))
        return GO;
    return wait_once(x, exchange_limits(x)->ledger_wait_ms, REASON_LEDGER_FAILED);
}

static bool
must_await(const struct exchange *x)
{
    return x->view.conf->ledger.durable == CONF_DURABLE_DECISION &&
           !ledger_is_durable(x->worker->start.ledger, x->ticket);
}

/* ---- the step */

static enum pace
pass_on(struct exchange *x)
{
    enum reason why;

    enter_leave(x);
    if ((why = ending_allow(x)) != REASON_OK)
        return refuse(x, why);
    /* While we waited it may have said something, unasked. */
    if (!upstream_is_shared(x->up) && buf_length(&x->up->link.in) > 0)
        return refuse(x, REASON_UPSTREAM_MALFORMED);
    x->sent = true;
    tally_add(&x->worker->metrics->opaque, x->view.opaque);
    present_send(x);
    x->wake.is_short = true; /* an answer does not wait for others' signatures */
    return go(x, STEP_RELAY);
}

enum pace
enter(struct exchange *x)
{
    enum reason why;

    if (x->worker->start.ledger == NULL)
        return pass_on(x);
    if (x->ticket == 0 && (why = enter_decision(x)) != REASON_OK)
        return refuse(x, why);
    return must_await(x) ? await_disk(x) : pass_on(x);
}

/* ---- what is refused */

/* What has left was allowed, whatever came of it; unless what came later (a trailer,
 * the end of its task) was refused. */
static bool
is_refusal(const struct exchange *x)
{
    if (x->why == REASON_OK)
        return false;
    return !x->sent || metrics_outcome(x->why) == OUTCOME_DENY;
}

/* The rest is no judgement: somebody left, was slow, or was one too many. */
static bool
is_judged(enum reason why)
{
    return why == REASON_NAMES_DISAGREE || why == REASON_SERVER_NAME ||
           why == REASON_NOT_HTTP || why == REASON_NOT_INTERCEPTED ||
           why == REASON_OWN_CONNECTION || why == REASON_LEAF_RATE;
}

void
enter_connection(const struct conn *c, enum reason why)
{
    struct ledger *l = c->worker->start.ledger;
    struct buf members = { 0 };

    if (l == NULL || !is_judged(why))
        return;
    testimony_connection(c, why, &members);
    ledger_enter_refusal(l, "decision", buf_text(&members));
    buf_free(&members);
}

static void
enter_alarm(struct exchange *x, struct ledger *l)
{
    struct buf members = { 0 };

    testimony_alarm(x, &members);
    ledger_enter_refusal(l, "alarm", buf_text(&members));
    buf_free(&members);
}

void
enter_refusal(struct exchange *x)
{
    struct spool *members = &x->worker->testimony;
    struct ledger *l = x->worker->start.ledger;

    if (l == NULL)
        return;
    if (x->view.alarmed != NULL)
        enter_alarm(x, l);
    if (!is_refusal(x))
        return;
    spool_clear(members);
    testimony_decision(x, x->why, members);
    ledger_enter_refusal(l, "decision", spool_text(members));
}

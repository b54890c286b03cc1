#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/ending.h"
#include "proxy/relay_parts.h"

#include <assert.h>

static const struct {
    const char *name;
    enum pace (*run)(struct exchange *x);
} steps[] = {
    [STEP_HEAD] = { "head", read_head }, /* one request head, framing unambiguous, names
                                            agree */
    [STEP_INQUIRE] = { "inquire",
                       inquire },      /* a gate: what an issuer has to say first */
    [STEP_JUDGE] = { "judge", judge }, /* caller, grant, path; at a gate: the proof */
    [STEP_COLLECT] = { "collect", collect }, /* the body, as far as a proof covers it */
    [STEP_OBTAIN] = { "obtain", obtain },    /* the access token that is to leave */
    [STEP_DIAL] = { "dial", dial }, /* resolve, judge the address, verify the peer */
    [STEP_PRESENT] = { "present", present }, /* strip, sign */
    [STEP_ENTER] = { "enter", enter }, /* in the ledger first; then the head is sent */
    [STEP_RELAY] = { "relay", relay_bodies }, /* both ways, at the slower side's pace */
    [STEP_FINISH] = { "finish", finish },     /* answer if refused; one log line */
};

/* The only place an exchange is freed. */
static void
end(struct exchange *x)
{
    struct conn *c = x->conn;
    struct arena *arena = x->arena;

    enter_leave(x);
    obtain_leave(x);
    inquire_leave(x);
    exchange_drop_upstream(x);
    pair_unref(x->pair);
    lookup_drop(&x->lookup);
    wake_cancel(&x->wake);
    alarm_clear(&x->alarm);
    list_remove(&x->under);
    ending_leave(x);
    buf_free(&x->body);
    content_check_free(x->answer.check);
    stream_close(x->down);
    list_remove(&x->of_conn);
    tally_take(&x->worker->metrics->exchanges, 1);
    /* Of many it is the stream that was cut. */
    if (x->cut && !conn_is_shared(c))
        c->cut = true;
    epoch_unref(x->epoch);
    arena_free(arena); /* x lies in it */
    conn_exchange_over(c);
}

/* One who says that he sends no more still reads. One whose TLS stops without a word
 * does not; and what he was sending may have been cut by someone else. */
static bool
client_is_gone(const struct exchange *x)
{
    const struct link *l = &x->conn->link;

    return (l->state == LINK_DEAD || l->truncated || stream_is_gone(x->down)) &&
           !tunnel_is_told(x);
}

static void
run(void *owner)
{
    struct exchange *x = owner;
    bool is_told = log_wants(LOG_DEBUG);
    enum pace pace = GO;

    if (client_is_gone(x) && x->step != STEP_FINISH)
        refuse(x, REASON_CLIENT_GONE);
    while (pace == GO) {
        if (is_told)
            log_debug("x=%lx.%lu step=%s", (unsigned long)x->conn->id,
                      (unsigned long)x->number, steps[x->step].name);
        pace = steps[x->step].run(x);
    }
    if (pace == DONE)
        end(x);
}

static void
on_alarm(void *owner)
{
    struct exchange *x = owner;

    if (x->step == STEP_DIAL && dial_tries_next(x)) {
        exchange_wake(x);
        return;
    }
    x->why = x->on_timeout;
    if (x->step != STEP_FINISH) {
        x->refused_at = x->step;
        x->step = STEP_FINISH;
    }
    exchange_wake(x);
}

static void
on_stream(void *owner)
{
    exchange_wake(owner);
}

struct exchange *
exchange_new(struct conn *c, struct stream *down)
{
    struct arena *arena = arena_new();
    struct exchange *x = arena_alloc(arena, sizeof *x);

    x->conn = c;
    x->worker = c->worker;
    x->epoch = c->worker->now;
    epoch_ref(x->epoch);
    list_add_last(&x->epoch->exchanges, &x->under);
    list_add_last(&c->exchanges, &x->of_conn);
    x->wake = (struct wake){ .answer = run, .owner = x };
    x->alarm = (struct alarm){ .on_due = on_alarm, .owner = x };
    x->arena = arena;
    x->number = ++c->n_asked;
    tally_add(&c->worker->metrics->exchanges, 1);
    x->began_us = clock_monotonic_us();
    x->down = down;
    stream_set_bell(down, on_stream, x);
    return x;
}

void
exchange_wake(struct exchange *x)
{
    wake_ring(x->worker->loop, &x->wake);
}

void
exchange_abort(struct exchange *x, enum reason why)
{
    if (x->why == REASON_OK) {
        x->why = why;
        x->refused_at = x->step;
    }
    x->cut = true;
    x->responding = true; /* nothing more is written */
    x->step = STEP_FINISH;
    run(x);
}

void
exchange_refuse(struct exchange *x, enum reason why)
{
    if (x->responding) {
        exchange_abort(x, why);
        return;
    }
    stream_close_after(x->down);
    if (x->why == REASON_OK)
        (void)refuse(x, why);
    x->step = STEP_FINISH;
    run(x);
}

enum pace
refuse(struct exchange *x, enum reason why)
{
    assert(why != REASON_OK);
    x->why = why;
    x->refused_at = x->step;
    x->step = STEP_FINISH;
    return GO;
}

enum pace
go(struct exchange *x, enum step next)
{
    alarm_clear(&x->alarm); /* a deadline is a step's own */
    x->step = next;
    return GO;
}

enum pace
wait_for(struct exchange *x, int64_t ms, enum reason on_timeout)
{
    x->on_timeout = on_timeout;
    alarm_set(x->worker->loop, &x->alarm, ms);
    return WAIT;
}

enum pace
wait_once(struct exchange *x, int64_t ms, enum reason on_timeout)
{
    return x->alarm.due != 0 ? WAIT : wait_for(x, ms, on_timeout);
}

const struct conf_limits *
exchange_limits(const struct exchange *x)
{
    return &generation_conf(x->epoch->generation)->limits;
}

const struct conf_door *
exchange_door(const struct exchange *x)
{
    return generation_door(x->epoch->generation, x->conn->door);
}

/* One that never carried a request may not even be verified: only who took one from
 * PRESENT is worth keeping. What others ride on was, and stays theirs. */
static void
let_go_of(struct exchange *x, struct upstream *u)
{
    if (upstream_is_shared(u) || (x->up_stream != NULL && ending_may_keep(x)))
        pool_give(x->epoch->pool, u);
    else
        upstream_close(u);
}

void
exchange_drop_upstream(struct exchange *x)
{
    approach_end(x->epoch->pool, &x->approach);
    approach_leave(&x->follower);
    if (x->up_stream != NULL)
        stream_close(x->up_stream);
    if (x->up != NULL)
        let_go_of(x, x->up);
    x->up_stream = NULL;
    x->up = NULL;
}

/* Its own place on the upstream's wire, which says from now on when there is news. */
bool
exchange_open_stream(struct exchange *x)
{
    x->up_stream = wire_open(x->up->wire);
    if (x->up_stream == NULL)
        return false;
    stream_set_bell(x->up_stream, on_stream, x);
    if (upstream_is_shared(x->up))
        x->up->user = NULL;
    return true;
}

const char *
step_name(enum step step)
{
    return steps[step].name;
}

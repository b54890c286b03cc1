#include "proxy/conn.h"

#include "base/log.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINGER_MS = 2000, LINGER_BYTES = 1024 * 1024, TLS_HANDSHAKE = 0x16 };

static const struct conf_limits *
limits(const struct conn *c)
{
    return &generation_conf(c->worker->now->generation)->limits;
}

static const struct conf_door *
door_of(const struct conn *c)
{
    return generation_door(c->worker->now->generation, c->door);
}

static void
set_alarm(struct conn *c, int64_t ms)
{
    alarm_set(c->worker->loop, &c->alarm, ms);
}

/* ---- the end */

static void
leave_handshakes(struct conn *c)
{
    if (!list_is_linked(&c->shaking))
        return;
    list_remove(&c->shaking);
    tally_set(&c->worker->metrics->shaking, --c->worker->n_handshakes);
}

/* The only place a conn is freed. */
static void
end(struct conn *c)
{
    struct worker *w = c->worker;

    assert(c->exchange == NULL);
    wake_cancel(&c->wake);
    alarm_clear(&c->alarm);
    wire_free(c->wire);
    link_close(&c->link);
    list_remove(&c->member);
    leave_handshakes(c);
    free(c->target);
    task_unref(c->proven);
    free(c);
    worker_conn_gone(w);
}

/* Once per connection that ended before a request could be told of it. */
static void
log_end(const struct conn *c, enum reason why)
{
    struct log_line *l = log_line_begin(LOG_INFO, "connection");
    struct authority target;
    char id[24], to[AUTHORITY_PRINT_SIZE];

    tally_add(&c->worker->metrics->ended[why], 1);
    enter_connection(c, why);
    if (l == NULL)
        return;
    snprintf(id, sizeof id, "%" PRIx64, c->id);
    log_line_z(l, "x", id);
    if (c->caller.has_uid)
        log_line_number(l, "uid", c->caller.uid);
    log_line_z(l, "door", door_of(c)->kind == DOOR_GATE ? "gate" : "forward");
    if (c->target != NULL) {
        authority_recall(c->target, &target);
        log_line_text(l, "to", authority_print(&target, 0, to));
    }
    log_line_z(l, "reason", reason_token(why));
    log_line_end(l);
}

static void
fail_handshake(const struct conn *c, enum reason why)
{
    metrics_handshake(c->worker->metrics, SIDE_CLIENT, false, false);
    log_end(c, why);
}

/* What stands in `out` is still sent, and a refusal that is followed by a reset may
 * never be read: so say that no more comes, then wait for the other side to say so as
 * well. */
static void
linger(struct conn *c)
{
    c->step = CONN_LINGER;
    wire_free(c->wire);
    c->wire = NULL;
    set_alarm(c, limits(c)->stream_idle_ms);
    conn_ring(c);
}

static void
say_goodbye(struct conn *c)
{
    if (c->link.write_shut || buf_length(&c->link.out) > 0)
        return;
    link_shut_write(&c->link);
    set_alarm(c, LINGER_MS);
}

static bool
stay(struct conn *c)
{
    size_t waiting = buf_length(&c->link.in);

    buf_drop(&c->link.in, waiting);
    c->lingered += waiting;
    link_move(&c->link);
    if (c->link.sent != c->sent_seen && !c->link.write_shut) {
        c->sent_seen = c->link.sent;
        set_alarm(c, limits(c)->stream_idle_ms);
    }
    say_goodbye(c);
    return c->link.state != LINK_DEAD && !(c->link.read_ended && c->link.write_shut) &&
           c->lingered <= LINGER_BYTES;
}

/* Nothing more will be asked here. False: nothing more is to be sent either. */
static bool
leave(struct conn *c)
{
    if (c->link.state == LINK_DEAD || buf_length(&c->link.out) == 0)
        return false;
    linger(c);
    return true;
}

/* ---- what came after CONNECT */

/* The name in the ClientHello is the one CONNECT asked for, or there is none. */
static enum reason
choose_leaf(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct conn *c = owner;
    struct leaf_cache *cache = c->named ? c->worker->leaves : c->worker->refusal_leaves;
    struct authority target;
    struct host host;
    struct metrics *m = c->worker->metrics;
    enum reason why;
    uint64_t minted;

    authority_recall(c->target, &target);
    if (name.at != NULL) {
        if (host_parse(name, &host) != REASON_OK || host.address.family != 0)
            return REASON_SERVER_NAME;
        if (!host_equals(&host, &target.host))
            return REASON_NAMES_DISAGREE;
    }
    *key = leaf_cache_key(cache);
    minted = leaf_cache_minted(cache);
    why = leaf_get(cache, &target.host, leaf);
    if (why == REASON_OK)
        tally_add(leaf_cache_minted(cache) == minted ? &m->leaf_hits : &m->leaf_misses,
                  1);
    return why;
}

static void
begin_serving(struct conn *c)
{
    c->step = CONN_SERVE;
    c->sent_seen = c->link.sent;
    set_alarm(c, limits(c)->head_timeout_ms);
}

/* Those that say nothing must not keep others out: when all places are taken, the
 * oldest makes way. An honest handshake is over long before it is that. */
static void
join_handshakes(struct conn *c)
{
    struct worker *w = c->worker;

    while (w->n_handshakes >= (size_t)limits(c)->handshakes) {
        struct conn *oldest = LIST_OWNER(w->handshakes.next, struct conn, shaking);

        fail_handshake(oldest, REASON_TOO_MANY_CONNECTIONS);
        end(oldest);
    }
    list_add_last(&w->handshakes, &c->shaking);
    tally_set(&w->metrics->shaking, ++w->n_handshakes);
}

static void
begin_handshake(struct conn *c)
{
    bool gate = door_of(c)->kind == DOOR_GATE; /* which shows its own certificate */

    join_handshakes(c);
    c->step = CONN_HANDSHAKE;
    set_alarm(c, limits(c)->handshake_timeout_ms);
    link_accept_tls(&c->link, generation_server(c->worker->now->generation, c->door),
                    gate ? NULL : choose_leaf, c);
}

static bool
is_letter(char b)
{
    return (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
}

/* TLS is terminated; what begins like a request is judged as plain HTTP; anything else
 * ends here and is never spliced. */
static bool
sniff(struct conn *c)
{
    struct text first = buf_text(&c->link.in);

    if (c->link.state == LINK_DEAD || (first.n == 0 && c->link.read_ended)) {
        log_end(c, REASON_CLIENT_GONE);
        return false;
    }
    /* Our 200 goes in the clear, all of it, before anything is said in TLS. */
    if (first.n == 0 || buf_length(&c->link.out) > 0)
        return true;
    if ((unsigned char)first.at[0] == TLS_HANDSHAKE) {
        begin_handshake(c);
        return true;
    }
    if (is_letter(first.at[0])) {
        begin_serving(c);
        return true;
    }
    log_end(c, REASON_NOT_HTTP);
    return false;
}

static bool
follow_handshake(struct conn *c)
{
    if (c->link.state == LINK_HANDSHAKING)
        return true;
    leave_handshakes(c);
    if (c->link.state == LINK_DEAD) {
        fail_handshake(c, c->link.why);
        return false;
    }
    metrics_handshake(c->worker->metrics, SIDE_CLIENT, true,
                      tls_is_resumed(c->link.tls));
    begin_serving(c);
    return true;
}

/* ---- serving */

static void
await_reader(struct conn *c)
{
    c->sent_seen = c->link.sent;
    set_alarm(c, buf_length(&c->link.out) > 0 ? limits(c)->stream_idle_ms
                                              : limits(c)->connection_idle_ms);
}

/* Sends what can be sent. A client that reads puts its end off; one that only sends
 * does not. */
static void
send_on(struct conn *c)
{
    link_move(&c->link);
    if (c->link.sent != c->sent_seen)
        await_reader(c);
}

static struct wire *
new_wire(struct conn *c)
{
    const struct conf_limits *l = limits(c);
    struct wire_limits most = { (size_t)l->head_bytes, (size_t)l->fields,
                                (size_t)l->target_bytes };

    return wire_new(WIRE_HTTP1, WIRE_SERVER, &most, &c->link.in, &c->link.out);
}

/* The first byte of a request makes a wire, and one that waits for the next, without
 * any, gives it back: a thousand silent clients hold none. */
static enum flow
next_stream(struct conn *c, struct stream **s)
{
    enum flow flow;

    if (c->wire == NULL && buf_length(&c->link.in) == 0)
        return FLOW_WAIT;
    if (c->wire == NULL)
        c->wire = new_wire(c);
    if (c->link.read_ended)
        wire_read_closed(c->wire);
    flow = wire_next(c->wire, s);
    if (flow == FLOW_WAIT && wire_is_fresh(c->wire)) {
        wire_free(c->wire);
        c->wire = NULL;
    }
    return flow;
}

static bool
begin_exchange(struct conn *c)
{
    struct stream *s;

    switch (next_stream(c, &s)) {
    case FLOW_OK:
        alarm_clear(&c->alarm);
        c->exchange = exchange_new(c, s);
        exchange_wake(c->exchange);
        return true;
    case FLOW_WAIT:
        return !c->link.read_ended || leave(c);
    case FLOW_END:
    case FLOW_BROKEN:
    default:
        return leave(c);
    }
}

static bool
serve(struct conn *c)
{
    if (c->exchange != NULL) {
        exchange_wake(c->exchange);
        return true;
    }
    if (c->link.state == LINK_DEAD)
        return false;
    if (c->worker->draining)
        return leave(c);
    send_on(c);
    /* A client that asks and asks but reads no answer is not asked for more. */
    if (buf_length(&c->link.out) >= c->link.ceiling)
        return true;
    return begin_exchange(c);
}

/* Each is true while the conn lives on. */
static bool (*const steps[])(struct conn *c) = {
    [CONN_SNIFF] = sniff,
    [CONN_HANDSHAKE] = follow_handshake,
    [CONN_SERVE] = serve,
    [CONN_LINGER] = stay,
};

static void
run(void *owner)
{
    struct conn *c = owner;
    bool lives = !c->cut;
    enum conn_step before;

    if (c->cut)
        link_abort(&c->link);
    for (before = CONN_NEW; lives && c->step != before;) {
        before = c->step;
        lives = steps[before](c);
    }
    if (!lives)
        end(c);
    else if (c->step == CONN_SNIFF)
        link_move(&c->link);
}

static void
on_alarm(void *owner)
{
    struct conn *c = owner;

    if (c->exchange != NULL)
        return; /* it has deadlines of its own */
    if (c->step == CONN_HANDSHAKE)
        fail_handshake(c, REASON_CLIENT_TLS);
    if (c->step == CONN_SNIFF)
        log_end(c, REASON_IDLE);
    if (buf_length(&c->link.out) > 0)
        link_abort(&c->link); /* what was to be sent is not whole */
    end(c);
}

void
conn_ring(struct conn *c)
{
    wake_ring(c->worker->loop, &c->wake);
}

void
conn_accept(struct worker *w, size_t door, int fd, const struct sockaddr *peer)
{
    struct conn *c = calloc(1, sizeof *c);
    struct sockaddr_storage own;
    socklen_t n = sizeof own;

    assert(c != NULL);
    c->worker = w;
    c->door = door;
    c->id = w->next_conn += w->start.n_workers; /* no two workers share one */
    c->wake = (struct wake){ .answer = run, .owner = c };
    c->alarm = (struct alarm){ .on_due = on_alarm, .owner = c };
    list_add_last(&w->conns, &c->member);
    tally_set(&w->metrics->connections, ++w->n_conns);
    tally_add(&w->metrics->accepted, 1);
    link_open(&c->link, w->loop, fd, generation_ceiling(w->now->generation), &c->wake);
    c->link.traffic = &w->metrics->traffic[SIDE_CLIENT];
    if (getsockname(fd, (struct sockaddr *)&own, &n) == 0)
        caller_identify(w->callers, peer, (struct sockaddr *)&own, &c->caller);
    if (door_of(c)->kind == DOOR_FORWARD) {
        begin_serving(c);
    } else {
        begin_handshake(c);
    }
}

void
conn_cut(struct conn *c)
{
    if (c->exchange != NULL)
        exchange_abort(c->exchange,
                       REASON_DRAINING); /* ends in conn_exchange_over, which rings */
    link_abort(&c->link);
    end(c);
}

void
conn_drain(struct conn *c)
{
    if (c->exchange == NULL && c->step != CONN_LINGER)
        conn_ring(c);
    else if (c->exchange != NULL && !c->exchange->responding)
        stream_close_after(c->exchange->down);
}

bool
conn_is_tls(const struct conn *c)
{
    return c->link.tls != NULL;
}

void
conn_exchange_over(struct conn *c)
{
    if (c->cut) {
        conn_ring(c);
        return;
    }
    if (c->step == CONN_SNIFF) { /* it was a CONNECT: what follows is not this wire's */
        wire_free(c->wire);
        c->wire = NULL;
        conn_ring(c);
        return;
    }
    if (wire_may_reuse(c->wire) && c->link.state == LINK_OPEN && !c->closing) {
        await_reader(c);
        conn_ring(c);
        return;
    }
    linger(c);
}

void
conn_begin_tunnel(struct conn *c, const struct authority *target, bool named,
                  struct task *proven)
{
    c->target = authority_keep(target);
    c->named = named;
    if (proven != NULL)
        task_ref(proven);
    c->proven = proven;
    c->step = CONN_SNIFF;
    set_alarm(c, limits(c)->head_timeout_ms);
    buf_add(&c->link.out, TEXT("HTTP/1.1 200 Connection established\r\n\r\n"));
    link_move(&c->link);
}

/* ---- of a task */

void
conn_pass_task(struct conn *c, const struct task *from, const struct task *to)
{
    if (c->served == from)
        c->served = to;
}

/* Nothing is running here. What the client has not read yet is part of an answer to the
 * task that ended. */
static void
end_idle(struct conn *c, bool now)
{
    bool whole = c->link.state == LINK_DEAD || buf_length(&c->link.out) == 0;

    if (c->step == CONN_LINGER && (whole || !now))
        return; /* it is on its way out: a refusal wants to be read */
    if (!whole && !now) {
        linger(c);
        return;
    }
    if (!whole)
        link_abort(&c->link);
    end(c);
}

void
conn_end_task(struct conn *c, const struct task *k, bool now)
{
    bool proven = c->proven == k;

    if (!proven && c->served != k)
        return;
    c->served = NULL;
    if (proven) {
        task_unref(c->proven); /* with it goes the key */
        c->proven = NULL;
    }
    c->closing = true;
    /* Its head is not whole yet, and nobody else's proof is taken for it. */
    if (proven && c->exchange != NULL && c->exchange->entry == NULL)
        exchange_refuse(c->exchange, REASON_TASK_ENDED);
    if (c->exchange == NULL && !c->cut)
        end_idle(c, now);
}

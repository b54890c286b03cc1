#include "proxy/conn.h"

#include "proxy/conn_parts.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <stdlib.h>

/* ---- serving */

static void
await_reader(struct conn *c)
{
    c->sent_seen = c->link.sent;
    conn_set_alarm(c, buf_length(&c->link.out) > 0
                          ? conn_limits(c)->stream_idle_ms
                          : conn_limits(c)->connection_idle_ms);
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
new_wire(struct conn *c, enum wire_version version)
{
    struct wire_limits most = generation_wire_limits(c->worker->now->generation);

    c->link.reads_on = version == WIRE_HTTP2;
    return wire_new(version, WIRE_SERVER, &most, &c->link.in, &c->link.out);
}

void
conn_begin_serving(struct conn *c)
{
    c->step = CONN_SERVE;
    c->n_before = c->n_asked;
    c->sent_seen = c->link.sent;
    if (c->opaque)
        c->wire = new_wire(c, WIRE_OPAQUE);
    else if (conn_is_tls(c) && tls_protocol(c->link.tls) == ALPN_H2)
        c->wire = new_wire(c, WIRE_HTTP2);
    conn_set_alarm(c, conn_limits(c)->head_timeout_ms);
}

/* RFC 9113 section 3.4: what an HTTP/2 client says first, and no HTTP/1 client does. In
 * the clear it is taken where the door says so; inside TLS the protocol is agreed on.
 * FLOW_WAIT: it may become one yet. */
static enum flow
sniff_preface(const struct conn *c)
{
    struct text preface = TEXT("PRI * HTTP/2.0\r\n"), in = buf_text(&c->link.in);

    if (!conn_door(c)->h2c || conn_is_tls(c) || c->n_asked > c->n_before)
        return FLOW_END;
    if (in.n >= preface.n)
        return text_starts(in, preface) ? FLOW_OK : FLOW_END;
    return text_starts(preface, in) ? FLOW_WAIT : FLOW_END;
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
        c->wire = new_wire(c, WIRE_HTTP1);
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
        exchange_wake(exchange_new(c, s));
        return true;
    case FLOW_WAIT:
        return !c->link.read_ended || conn_leave(c);
    case FLOW_END:
    case FLOW_BROKEN:
    default:
        return conn_leave(c);
    }
}

static bool
serve(struct conn *c)
{
    if (c->wire == NULL && sniff_preface(c) == FLOW_OK)
        c->wire = new_wire(c, WIRE_HTTP2);
    if (conn_is_shared(c))
        return conn_serve_many(c);
    if (!list_is_empty(&c->exchanges)) {
        exchange_wake(conn_first_exchange(c));
        return true;
    }
    if (c->link.state == LINK_DEAD)
        return false;
    if (c->worker->draining)
        return conn_leave(c);
    send_on(c);
    if (c->wire == NULL && sniff_preface(c) == FLOW_WAIT && !c->link.read_ended)
        return true;
    /* A client that asks and asks but reads no answer is not asked for more. */
    if (buf_length(&c->link.out) >= c->link.ceiling)
        return true;
    return begin_exchange(c);
}

/* ---- its steps */

/* Each is true while the conn lives on. */
static bool (*const steps[])(struct conn *c) = {
    [CONN_IDENTIFY] = conn_await_where,
    [CONN_SNIFF] = conn_sniff,
    [CONN_HANDSHAKE] = conn_follow_handshake,
    [CONN_SERVE] = serve,
    [CONN_LINGER] = conn_stay,
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
        conn_free(c);
    else if (c->step == CONN_SNIFF)
        link_move(&c->link);
}

static void
on_alarm(void *owner)
{
    struct conn *c = owner;

    if (conn_is_shared(c) && c->step == CONN_SERVE) {
        conn_give_up_many(c);
        return;
    }
    if (!list_is_empty(&c->exchanges))
        return; /* it has deadlines of its own */
    if (c->step == CONN_IDENTIFY) {
        conn_stop_asking(c);
        conn_ring(c);
        return;
    }
    if (c->step == CONN_HANDSHAKE)
        conn_fail_handshake(c, REASON_CLIENT_TLS);
    if (c->step == CONN_SNIFF)
        conn_log_end(c, REASON_IDLE);
    if (buf_length(&c->link.out) > 0)
        link_abort(&c->link); /* what was to be sent is not whole */
    conn_free(c);
}

void
conn_ring(struct conn *c)
{
    wake_ring(c->worker->loop, &c->wake);
}

/* Nobody waits for an answer but somebody who took the door for a proxy. */
static void
turn_back(struct conn *c, enum reason why)
{
    conn_log_end(c, why);
    if (reason_status(why) != 0)
        refusal_bare(why, &c->link.out);
    conn_linger(c);
}

void
conn_begin(struct conn *c)
{
    enum reason why = c->turned_back;

    switch ((enum conf_door_kind)conn_door(c)->kind) {
    case DOOR_FORWARD:
    case DOOR_UNIX:
        conn_begin_serving(c);
        break;
    case DOOR_TRANSPARENT:
        if (why == REASON_OK && conn_is_our_own(c))
            why = REASON_OWN_CONNECTION;
        if (why != REASON_OK)
            turn_back(c, why);
        else
            conn_begin_sniffing(c);
        break;
    case DOOR_GATE:
        conn_begin_handshake(c);
        break;
    case DOOR_DNS:
    case DOOR_OPS:
    default:
        assert(conn_door(c)->kind == DOOR_GATE); /* the others have no conns */
    }
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
    c->unread = (struct alarm){ .on_due = conn_cut_unread, .owner = c };
    list_init(&c->exchanges);
    list_add_last(&w->conns, &c->member);
    tally_set(&w->metrics->connections, ++w->n_conns);
    tally_add(&w->metrics->accepted, 1);
    link_open(&c->link, w->loop, fd, generation_ceiling(w->now->generation), &c->wake);
    c->link.traffic = &w->metrics->traffic[SIDE_CLIENT];
    if (getsockname(fd, (struct sockaddr *)&own, &n) != 0)
        own = (struct sockaddr_storage){ 0 };
    if (conn_door(c)->kind == DOOR_TRANSPARENT)
        c->turned_back = conn_find_original(c, &own);
    if (conn_identify(c, fd, peer, (struct sockaddr *)&own))
        conn_begin(c);
}

/* ---- from its exchange, and of its task */

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
    if (conn_is_shared(c)) {
        conn_ring(c);
        return;
    }
    if (wire_may_reuse(c->wire) && c->link.state == LINK_OPEN && !c->closing) {
        await_reader(c);
        conn_ring(c);
        return;
    }
    conn_linger(c);
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
    conn_begin_sniffing(c);
    buf_add(&c->link.out, TEXT("HTTP/1.1 200 Connection established\r\n\r\n"));
    link_move(&c->link);
}

void
conn_pass_task(struct conn *c, const struct task *from, const struct task *to)
{
    if (c->served == from)
        c->served = to;
}

bool
conn_is_shared(const struct conn *c)
{
    return c->wire != NULL && wire_is_multiplexed(c->wire);
}

void
conn_move(struct conn *c)
{
    if (conn_is_shared(c))
        conn_ring(c);
    else
        link_move(&c->link);
}

bool
conn_is_tls(const struct conn *c)
{
    return c->link.tls != NULL;
}

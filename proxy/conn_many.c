/* A connection that carries many exchanges (HTTP/2). Each of them only notes what it
 * wants to send; the bytes move once a turn, for all. */
#include "proxy/conn_parts.h"

#include "proxy/turn.h"

/* ---- what its alarm is set for */

static enum conn_watch
watch_of(const struct conn *c)
{
    if (wire_is_busy(c->wire))
        return WATCH_HEAD;
    return list_is_empty(&c->exchanges) ? WATCH_IDLE : WATCH_NOTHING;
}

/* Nothing may begin while a head is half read, so that has a deadline whatever else
 * goes on. A client that reads what stands to be sent is not idle; one that has us
 * answer its PINGs is. */
static void
watch(struct conn *c)
{
    enum conn_watch now = watch_of(c);
    bool reads = now == WATCH_IDLE && c->link.sent != c->sent_seen &&
                 wire_has_unread(c->wire);

    if (now == c->watching && !reads)
        return;
    c->watching = now;
    c->sent_seen = c->link.sent;
    if (now == WATCH_NOTHING)
        alarm_clear(&c->alarm);
    else if (now == WATCH_HEAD || c->n_asked == c->n_before)
        conn_set_alarm(c, conn_limits(c)->head_timeout_ms);
    else
        conn_set_alarm(c, conn_limits(c)->connection_idle_ms);
}

void
conn_give_up_many(struct conn *c)
{
    if (c->watching == WATCH_HEAD) {
        conn_log_end(c, REASON_HEAD_TIMEOUT);
        conn_abort_exchanges(c, REASON_HEAD_TIMEOUT);
    }
    wire_drain(c->wire);
    wire_send(c->wire);
    link_move(&c->link);
    if (!conn_leave(c))
        conn_free(c);
}

/* An exchange is over when its answer stands in its stream, and with it its deadline.
 */
static void
watch_unread(struct conn *c)
{
    if (wire_has_unread(c->wire) && c->unread.due == 0)
        alarm_set(c->worker->loop, &c->unread, conn_limits(c)->stream_idle_ms);
}

void
conn_cut_unread(void *conn)
{
    struct conn *c = conn;

    wire_cut_unread(c->wire);
    conn_ring(c);
}

/* ---- its turn */

static void
begin_exchanges(struct conn *c)
{
    struct stream *s;

    while (wire_next(c->wire, &s) == FLOW_OK)
        exchange_wake(exchange_new(c, s));
}

/* It is read even while it takes nothing of ours: two that wait for each other would
 * wait for ever. What comes is bounded by the windows of its streams. */
static void
receive(struct conn *c)
{
    enum reason why = REASON_OK;

    if (c->link.state == LINK_DEAD || c->link.read_ended)
        wire_read_closed(c->wire);
    if (wire_receive(c->wire, &why) == FLOW_BROKEN && why != REASON_OK && !c->closing) {
        c->closing = true;
        conn_log_end(c, why);
    }
    begin_exchanges(c);
}

bool
conn_serve_many(struct conn *c)
{
    if (!c->closing)
        receive(c);
    if (c->worker->draining)
        wire_drain(c->wire);
    if (turn_send(c->wire, &c->link))
        conn_ring(c);
    watch(c);
    watch_unread(c);
    if (!list_is_empty(&c->exchanges))
        return true;
    if (c->link.state == LINK_DEAD)
        return false;
    return c->link.read_ended || c->closing || wire_is_over(c->wire) ? conn_leave(c)
                                                                     : true;
}

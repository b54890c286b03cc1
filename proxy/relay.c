/* RELAY: the bodies, both ways, at the slower side's pace. What comes is passed on at
 * once; when one side does not take it, the other is not read. */
#include "proxy/relay_parts.h"

#include "base/log.h"

#include <assert.h>

/* ---- the request's body */

/* Trailers may carry what the head may not. */
static enum reason
end_request(struct exchange *x)
{
    const struct headers *came = stream_trailers(x->down);
    struct headers sent;
    struct verdict verdict;

    if (came == NULL) {
        stream_write_end(x->up_stream, NULL);
        return REASON_OK;
    }
    headers_init(&sent, x->arena);
    headers_add_all(&sent, came);
    verdict = chain_run_trailers(generation_chain(x->epoch->generation), &x->view,
                                 &sent, &x->denied_by);
    if (verdict.answer != PASS)
        return verdict.reason != REASON_OK ? verdict.reason : REASON_INTERNAL;
    stream_write_end(x->up_stream, sent.n > 0 ? &sent : NULL);
    return REASON_OK;
}

/* Past the buffer when nothing waits there: a long body is not copied. */
void
relay_pass(struct stream *to, struct link *l, struct text piece)
{
    size_t n;

    if (buf_length(&l->out) == 0 && stream_writes_plain(to)) {
        n = link_pass(l, piece);
        stream_pass_body(to, n);
        piece = text_of(piece.at + n, piece.n - n);
    }
    stream_write_body(to, piece);
}

static enum progress
send_ahead(struct exchange *x)
{
    if (x->held || buf_length(&x->body) == 0)
        return STUCK;
    x->body_in += buf_length(&x->body);
    stream_write_body(x->up_stream, buf_text(&x->body));
    buf_free(&x->body);
    return MOVED;
}

static enum progress
pump_request(struct exchange *x, enum reason *why)
{
    enum progress progress = send_ahead(x);
    struct text piece;

    while (!stream_has_written_all(x->up_stream) && !stream_is_full(x->up_stream)) {
        switch (stream_read_body(x->down, x->arena, &piece, why)) {
        case FLOW_OK:
            x->body_in += piece.n;
            relay_pass(x->up_stream, &x->up->link, piece);
            progress = MOVED;
            break;
        case FLOW_END:
            return (*why = end_request(x)) == REASON_OK ? MOVED : BROKE;
        case FLOW_BROKEN:
            return BROKE;
        case FLOW_WAIT:
        default:
            return progress;
        }
        upstream_move(x->up);
    }
    return progress;
}

/* ---- the response */

static bool
is_interim(const struct response *r)
{
    return r->status < 200 && r->status != 101;
}

/* A final answer before the request was whole: who rides alone cannot ask again behind
 * it. On a connection that is shared both go on side by side, as gRPC's streams do. */
static void
send_head(struct exchange *x)
{
    bool interim = is_interim(&x->response);

    if (!interim) {
        x->answered = x->responding = true;
        x->status = x->response.status;
        offer_nonce(x, &x->response.headers);
        if (!conn_is_shared(x->conn) && !stream_has_read_all(x->down))
            stream_close_after(x->down);
    }
    x->interims += interim;
    if (interim && x->response.status != 100 && answer_must_be_signed(x))
        return;
    if (x->response.status != 100 || x->request.expect_continue)
        stream_write_response(x->down, &x->response);
}

/* By HTTP/2 every 2xx accepts the WebSocket that was asked for (RFC 8441 section 4): of
 * a service that has not, the client must not hear one. */
static bool
looks_accepted(const struct exchange *x)
{
    int status = x->response.status;

    return x->request.upgrade == UPGRADE_WEBSOCKET && conn_is_shared(x->conn) &&
           status >= 200 && status < 300;
}

static enum progress
pump_head(struct exchange *x, enum reason *why)
{
    while (!x->answered) {
        switch (stream_read_response(x->up_stream, x->arena, &x->response, why)) {
        case FLOW_OK:
            if (looks_accepted(x)) {
                *why = REASON_UPSTREAM_WEBSOCKET;
                return BROKE;
            }
            if (!is_interim(&x->response) && (*why = answer_judge(x)) != REASON_OK)
                return BROKE;
            if (challenge_hear(x))
                return AGAIN;
            send_head(x);
            break;
        case FLOW_WAIT:
            return STUCK;
        case FLOW_END:
        case FLOW_BROKEN:
        default:
            return BROKE;
        }
    }
    return MOVED;
}

static enum progress
pump_body(struct exchange *x, enum reason *why)
{
    enum progress progress = STUCK;
    struct text piece;

    while (!stream_is_full(x->down)) {
        switch (stream_read_body(x->up_stream, x->arena, &piece, why)) {
        case FLOW_OK:
            x->body_out += piece.n;
            answer_pass(x, piece);
            progress = MOVED;
            break;
        case FLOW_END:
            if ((*why = answer_end(x)) != REASON_OK)
                return BROKE;
            stream_write_end(x->down, answer_must_be_signed(x)
                                          ? NULL
                                          : stream_trailers(x->up_stream));
            return WHOLE;
        case FLOW_BROKEN:
            return BROKE;
        case FLOW_WAIT:
        default:
            return progress;
        }
    }
    return progress;
}

static enum progress
pump_response(struct exchange *x, enum reason *why)
{
    enum progress head = pump_head(x, why);

    if (head == MOVED)
        return is_tunnel(x) ? OPENED : pump_body(x, why);
    return head;
}

/* ---- when it cannot go on */

enum pace
relay_fail(struct exchange *x, enum reason why)
{
    if (why == REASON_UPSTREAM_CLOSED)
        why = link_why_lost(&x->up->link);
    if ((why == REASON_UPSTREAM_CLOSED || stream_is_unprocessed(x->up_stream)) &&
        again_may(x)) {
        x->retried = true;
        log_debug("the kept connection was closed: once more on a fresh one");
        /* One that is shared takes no more. */
        return again(x, STEP_DIAL, !upstream_is_shared(x->up));
    }
    if (x->responding)
        x->cut = true;
    return refuse(x, why);
}

/* A connection that is shared tells its streams itself. A TLS peer that stops without
 * close_notify may have been cut by someone else: only what frames itself is whole
 * then. */
void
relay_notice_ends(struct exchange *x)
{
    const struct link *up = &x->up->link, *down = &x->conn->link;

    if (!upstream_is_shared(x->up) && up->read_ended && !up->truncated)
        wire_read_closed(x->up->wire);
    if (!conn_is_shared(x->conn) && (down->read_ended || down->state == LINK_DEAD))
        wire_read_closed(x->conn->wire);
}

/* Of a connection that is shared its wire says what ended, and for whom: the rest of
 * this answer may have come with the connection's end, and nobody has read it yet. */
static bool
upstream_is_gone(const struct exchange *x)
{
    if (upstream_is_shared(x->up))
        return stream_is_gone(x->up_stream);
    return x->up->link.state == LINK_DEAD || x->up->link.read_ended;
}

/* What counts as life: what we could pass on, and until the answer begins nothing that
 * the upstream drips. A client cannot keep a silent service waiting by sending more. */
static uint64_t
count_progress(const struct exchange *x)
{
    const struct link *up = &x->up->link, *down = &x->conn->link;
    uint64_t asked = upstream_is_shared(x->up) ? x->body_in : up->sent;
    uint64_t came = upstream_is_shared(x->up) ? x->body_out : up->received;

    return asked + (conn_is_shared(x->conn) ? x->body_out : down->sent) +
           (x->answered ? came + 1 : x->interims);
}

/* The client's turn: of a WebSocket that is not accepted yet it is the service's. */
static bool
awaits_body(const struct exchange *x)
{
    return x->request.body.kind != BODY_TUNNEL &&
           !stream_has_written_all(x->up_stream) && !stream_is_full(x->up_stream);
}

/* What we wait for decides what a silence means. */
enum pace
relay_wait(struct exchange *x)
{
    uint64_t progress = count_progress(x);
    enum reason silence = REASON_UPSTREAM_TIMEOUT;

    if (x->responding)
        silence = REASON_IDLE;
    else if (awaits_body(x))
        silence = REASON_BODY_TIMEOUT;
    x->on_timeout = silence;
    if (x->alarm.due != 0 && progress == x->progress)
        return WAIT;
    x->progress = progress;
    return wait_for(x, exchange_limits(x)->stream_idle_ms, silence);
}

/* While TLS has more than it gave, what goes to the other side may wait for it: one
 * segment for several records, and one wake-up at its other end. A shared connection
 * sends in its own turn. */
static void
hold_back(struct exchange *x)
{
    struct link *up = &x->up->link, *down = &x->conn->link;
    bool may = (up->has_left || down->has_left) && !upstream_is_shared(x->up) &&
               !conn_is_shared(x->conn);

    up->more_comes = may && down->has_left;
    down->more_comes = may && up->has_left;
}

/* Pumps and sends until neither side can take or give more at once. Whatever is left
 * has a bell that will ring for it: a side that is full waits to be written, one that
 * gave all it had waits to be read. A side that was full and is no more has none, so it
 * is gone round again for. */
static enum progress
pump(struct exchange *x, enum progress *request, enum reason *unsent, enum reason *why)
{
    enum progress response;
    bool up_was_full, down_was_full;
    unsigned rounds;

    for (rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        hold_back(x);
        *request = pump_request(x, unsent);
        response = pump_response(x, why);
        up_was_full = stream_is_full(x->up_stream);
        down_was_full = stream_is_full(x->down);
        upstream_move(x->up);
        conn_move(
            x->conn); /* nothing is sent after this look, or it would be too early */
        if (response == WHOLE || response == OPENED || response == AGAIN ||
            response == BROKE)
            return response;
        if (response == STUCK && *request != MOVED &&
            !(up_was_full && !stream_is_full(x->up_stream)) &&
            !(down_was_full && !stream_is_full(x->down)))
            break;
    }
    if (rounds == ROUNDS_MAX) {
        exchange_wake(x); /* others have a turn first */
        response = MOVED;
    }
    return response;
}

enum pace
relay_bodies(struct exchange *x)
{
    enum reason why = REASON_UPSTREAM_CLOSED, unsent = REASON_OK;
    enum progress request, response;

    if (is_tunnel(x))
        return relay_tunnel(x);
    relay_notice_ends(x);
    response = pump(x, &request, &unsent, &why);
    if (response != MOVED) { /* else we go on at once */
        link_push(&x->up->link);
        link_push(&x->conn->link);
    }
    if (x->conn->link.state == LINK_DEAD) {
        x->cut = true;
        return refuse(x, REASON_CLIENT_GONE);
    }
    if (response == OPENED)
        return relay_tunnel(x);
    if (response == WHOLE)
        return go(x, STEP_FINISH);
    if (response == AGAIN)
        return challenge_take(x);
    if (response == BROKE)
        return relay_fail(x, why);
    if (request == BROKE)
        return relay_fail(x, unsent);
    /* A client that is full was not offered what is left of the answer. */
    if (response == STUCK && upstream_is_gone(x) && !stream_is_full(x->down))
        return relay_fail(x, REASON_UPSTREAM_CLOSED);
    return relay_wait(x);
}

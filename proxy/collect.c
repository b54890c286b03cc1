/* COLLECT: what of the request's body is read before anything is sent. A body that a
 * proof covers is waited for, whole; of another, what has come already is read, so that
 * a malformed one is refused whole where it came whole, and its service hears nothing.
 */
#include "proxy/exchange.h"

#include "filters/present.h"

static bool
is_small(const struct exchange *x)
{
    return x->request.body.kind == BODY_LENGTH && !x->request.expect_continue &&
           x->request.body.length <= (uint64_t)exchange_limits(x)->body_digest;
}

/* What follows a WebSocket's handshake is not the request's. */
static bool
has_body(const struct exchange *x)
{
    return x->request.body.kind != BODY_NONE && x->request.body.kind != BODY_TUNNEL;
}

/* What has a length and comes by HTTP/1 can be wrong in nothing but its end, which is
 * the connection's; HTTP/2's frames end where they like. */
static bool
may_be_malformed(const struct exchange *x)
{
    enum body_kind kind = x->request.body.kind;

    return kind == BODY_STREAM || (kind == BODY_LENGTH && conn_is_shared(x->conn));
}

/* Not waited for, and covered by no proof: whether it were would depend on how the
 * bytes fell into packets. */
enum reason
read_ahead(struct exchange *x)
{
    enum reason why = REASON_OK;
    enum flow flow = FLOW_OK;
    struct text piece;

    if (x->held || !may_be_malformed(x))
        return REASON_OK;
    while (flow == FLOW_OK && buf_length(&x->body) < x->conn->link.ceiling) {
        flow = stream_read_body(x->down, x->arena, &piece, &why);
        if (flow == FLOW_OK)
            buf_add(&x->body, piece);
    }
    return flow == FLOW_BROKEN ? why : REASON_OK;
}

static enum flow
take_whole_body(struct exchange *x, enum reason *why)
{
    enum flow flow = FLOW_OK;
    struct text piece;

    if (!has_body(x))
        return FLOW_END;
    while (flow == FLOW_OK) {
        flow = stream_read_body(x->down, x->arena, &piece, why);
        if (flow == FLOW_OK)
            buf_add(&x->body, piece);
    }
    conn_move(x->conn); /* there is room again to read */
    return flow;
}

/* A client that waits for 100 is not made to send: such a body streams, uncovered by
 * the proof. */
enum reason
hold_body(struct exchange *x, bool *ready)
{
    enum reason why = REASON_OK;
    enum flow flow;

    *ready = true;
    if (x->held || (has_body(x) && !is_small(x)))
        return REASON_OK;
    flow = take_whole_body(x, &why);
    if (flow == FLOW_BROKEN)
        return why;
    *ready = flow == FLOW_END;
    if (!*ready)
        return REASON_OK;
    x->held = true;
    x->body_in = buf_length(&x->body);
    x->view.body_known = true;
    x->view.body = buf_text(&x->body);
    return REASON_OK;
}

static bool
is_covered(const struct exchange *x)
{
    enum binding b = present_binding(&x->view);

    return b != BINDING_NONE && binding_covers_body(b, x->view.rule);
}

enum pace
collect(struct exchange *x)
{
    bool ready = true;
    enum reason why = REASON_OK;

    if (is_covered(x))
        why = hold_body(x, &ready);
    if (why == REASON_OK && ready)
        why = read_ahead(x);
    if (why != REASON_OK)
        return refuse(x, why);
    if (!ready)
        return wait_once(x, exchange_limits(x)->stream_idle_ms, REASON_BODY_TIMEOUT);
    return go(x, STEP_DIAL);
}

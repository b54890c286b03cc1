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

/* The client waits to be told that it may send (RFC 9110 section 10.1.1). What is held
 * here goes on whole, so nobody else is asked. */
static void
tell_to_continue(struct exchange *x)
{
    struct response go_on = { .status = 100 };

    if (!x->request.expect_continue)
        return;
    headers_init(&go_on.headers, x->arena);
    stream_write_response(x->down, &go_on);
    x->request.expect_continue = false;
    conn_move(x->conn);
}

/* A body that what is presented cannot do without. */
static enum reason
demand_body(struct exchange *x)
{
    if (x->held || !has_body(x))
        return REASON_OK;
    if (x->request.body.kind != BODY_LENGTH ||
        x->request.body.length > (uint64_t)exchange_limits(x)->body_digest)
        return REASON_BODY_NOT_COVERED;
    tell_to_continue(x);
    return REASON_OK;
}

static enum reason
collect_covered(struct exchange *x, bool *ready)
{
    const struct conf_rule *rule = x->view.rule;
    enum binding b = present_binding(&x->view);
    const struct conf_credential *c = b == BINDING_NONE
                                          ? NULL
                                          : conf_credential(x->view.conf,
                                                            rule->credential);
    enum reason why = REASON_OK;

    /* A service that wants another nonce (challenge.c) is asked again only with a body
     * that is here still. */
    if (c == NULL || (b != BINDING_DPOP && !binding_covers_body(b, rule, c)))
        return REASON_OK;
    if (binding_needs_body(b, rule, c))
        why = demand_body(x);
    return why == REASON_OK ? hold_body(x, ready) : why;
}

enum pace
collect(struct exchange *x)
{
    bool ready = true;
    enum reason why = collect_covered(x, &ready);

    if (why == REASON_OK && ready)
        why = read_ahead(x);
    if (why != REASON_OK)
        return refuse(x, why);
    if (!ready)
        return wait_once(x, exchange_limits(x)->stream_idle_ms, REASON_BODY_TIMEOUT);
    return go(x, STEP_OBTAIN);
}

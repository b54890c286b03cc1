/* PRESENT: strip, sign, and send the head anew. A retry comes through here again and
 * gets a new proof. */
#include "proxy/exchange.h"

#include "base/log.h"

#include <assert.h>

static struct text
host_to_send(struct exchange *x)
{
    char *room = arena_alloc(x->arena, AUTHORITY_PRINT_SIZE);

    return authority_print(&x->view.target,
                           text_equals(x->view.scheme, TEXT("http")) ? 80 : 443, room);
}

static void
send_held_body(struct exchange *x)
{
    if (!x->held || x->request.body.kind != BODY_LENGTH)
        return;
    if (!text_is_empty(x->view.body))
        stream_write_body(x->up_stream, x->view.body);
    stream_write_end(x->up_stream, NULL);
}

static void
send_head(struct exchange *x)
{
    x->up_stream = wire_open(x->up->wire);
    assert(x->up_stream != NULL);
    x->up_received = x->up->link.received;
    stream_write_request(x->up_stream, &x->request, x->view.path, x->view.query,
                         host_to_send(x));
    if (x->request.body.kind == BODY_NONE)
        stream_write_end(x->up_stream, NULL);
    send_held_body(x);
}

/* Only what a proof can cover is waited for. */
static bool
wants_body(const struct exchange *x)
{
    return x->view.rule != NULL && x->view.rule->credential != NULL;
}

enum pace
present(struct exchange *x)
{
    struct verdict verdict;
    enum reason why;
    bool ready = true;

    if (wants_body(x) && (why = hold_body(x, &ready)) != REASON_OK)
        return refuse(x, why);
    if (!ready)
        return wait_once(x, exchange_limits(x)->stream_idle_ms, REASON_BODY_TIMEOUT);
    verdict = chain_run(generation_chain(x->epoch->generation), CHAIN_PRESENT, &x->view,
                        &x->denied_by);
    if (verdict.answer != PASS)
        return refuse(x,
                      verdict.reason != REASON_OK ? verdict.reason : REASON_INTERNAL);
    send_head(x);
    return go(x, STEP_RELAY);
}

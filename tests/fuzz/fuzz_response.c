/* Answers as a hostile service sends them. The first byte of an input says what was
 * asked. However the rest is cut, our wire hears the same: interim answers, the head,
 * the body, the trailers, and why not. */
#include "tests/fuzz/cuts.h"

PREPARE_NOTHING

static void
promise_answer(const struct client *c)
{
    const struct response *r = &c->response;

    PROMISE(c->is_whole || c->why == REASON_UPSTREAM_CLOSED ||
            c->why == REASON_UPSTREAM_MALFORMED || c->why == REASON_UPSTREAM_UPGRADE ||
            c->why == REASON_UPSTREAM_HEAD_TOO_LARGE);
    PROMISE(!c->has_head || (r->status >= 200 && r->status <= 599));
    PROMISE(r->headers.n <= narrow_limits.fields);
    PROMISE(!c->is_whole || buf_length(&c->in) == 0 || !wire_may_reuse(c->wire));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "GET", "HEAD", "CONNECT", "POST" };
    struct text t = input_of(data, size);
    const char *method = methods[take_byte(&t) % COUNT(methods)];
    struct client whole, bytes, pieces;

    if (t.n == 0)
        return 0;
    client_give_whole(&whole, method, t);
    client_give_cut(&bytes, method, t, CUT_BYTES);
    client_give_cut(&pieces, method, t, t);
    promise_answer(&whole);
    PROMISE(client_heard_same(&whole, &bytes));
    PROMISE(client_heard_same(&whole, &pieces));
    client_free(&whole);
    client_free(&bytes);
    client_free(&pieces);
    return 0;
}

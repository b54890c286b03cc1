/* PRESENT: strip and sign; and, once that is in the ledger, the head anew. A retry
 * comes through here again and gets a new proof. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/ending.h"
#include "proxy/relay_parts.h"
#include "proxy/testimony.h"

#include <string.h>

/* As it is told, without a port that goes without saying. */
static struct text
host_to_send(struct exchange *x)
{
    bool is_https = !text_equals(x->view.scheme, TEXT("http"));
    struct text to = testimony_to(x);

    if (x->view.target.port != (is_https ? 443 : 80))
        return to;
    return text_of(to.at, to.n - (is_https ? strlen(":443") : strlen(":80")));
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

void
present_send(struct exchange *x)
{
    /* Of the connection it goes by, as the names were judged by that it came on. */
    x->request.scheme = x->up->link.tls != NULL ? TEXT("https") : TEXT("http");
    x->up_received = x->up->link.received;
    stream_write_request(x->up_stream, &x->request, x->view.path, x->view.query,
                         host_to_send(x));
    if (x->request.body.kind == BODY_NONE)
        stream_write_end(x->up_stream, NULL);
    send_held_body(x);
}

/* What stands in `in` came before anything was asked: it would be taken for the answer,
 * where an answer is known by nothing but its place.
 * And what is signed is signed for a peer that was verified, not for one that should
 * have been. */
static enum reason
take_stream(struct exchange *x)
{
    struct upstream *u = x->up;

    if (u->key.client != NULL && u->link.tls == NULL)
        return log_reason(REASON_INTERNAL, "a connection that wants TLS has none");
    if (!wire_is_multiplexed(u->wire) && exchange_is_grpc(x))
        return REASON_GRPC_NEEDS_HTTP2;
    if (!upstream_is_shared(u) && buf_length(&u->link.in) > 0)
        return REASON_UPSTREAM_MALFORMED;
    x->view.verified_tls = u->link.tls != NULL;
    x->view.connection_x5t = text_z(u->key.shows);
    return exchange_open_stream(x) ? REASON_OK : REASON_UPSTREAM_MALFORMED;
}

/* The certificate was rotated between the token and the connection: both once more. */
static enum pace
recertify(struct exchange *x)
{
    x->recertified = true;
    x->denied_by = NULL;
    return again(x, STEP_OBTAIN, false);
}

enum pace
present(struct exchange *x)
{
    struct verdict verdict;
    enum reason why;

    /* Of the body more may have come while we dialled. */
    if ((why = ending_allow(x)) != REASON_OK || (why = read_ahead(x)) != REASON_OK ||
        (why = take_stream(x)) != REASON_OK)
        return refuse(x, why);
    x->view.now_s = clock_wall_s();  /* dialling may have taken its time … */
    x->view.vault = x->epoch->vault; /* … and the secrets are as they are now */
    obtain_show(x);
    verdict = chain_run(generation_chain(x->epoch->generation), CHAIN_PRESENT, &x->view,
                        &x->denied_by);
    x->view.token = NULL; /* it may go before the exchange does … */
    x->view.dpop = NULL;  /* … with its signer */
    if (verdict.reason == REASON_CERTIFICATE_CHANGED && !x->recertified)
        return recertify(x);
    if (verdict.answer != PASS)
        return refuse(x,
                      verdict.reason != REASON_OK ? verdict.reason : REASON_INTERNAL);
    metrics_presented(x->worker->metrics, x->view.evidence.binding);
    x->ticket = 0;
    x->sent = false;
    return go(x, STEP_ENTER);
}

/* When a service is asked once more, and how: by the way of any request, with another
 * proof and another record. */
#include "proxy/relay_parts.h"

static bool
is_idempotent(struct text method)
{
    static const char *const words[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_equals(method, text_z(words[i])))
            return true;
    return false;
}

/* Of others' answers on a connection that is shared this one knows nothing. */
static bool
nothing_came(const struct exchange *x)
{
    if (upstream_is_shared(x->up))
        return x->interims == 0;
    return x->up->link.received == x->up_received;
}

/* Of a WebSocket nothing is sent before its service accepts it. */
bool
again_can_send(const struct exchange *x)
{
    return x->held || x->request.body.kind == BODY_NONE ||
           x->request.body.kind == BODY_TUNNEL;
}

/* A kept connection may have been closed while it waited, or the service says that it
 * did nothing with this request. Once, and only when nothing was answered, asking again
 * changes nothing, and the body can be sent again. */
bool
again_may(const struct exchange *x)
{
    bool undone = stream_is_unprocessed(x->up_stream) ||
                  (x->up->used_before && is_idempotent(x->request.method));

    return undone && !x->retried && !x->answered && nothing_came(x) &&
           again_can_send(x);
}

enum pace
again(struct exchange *x, enum step from, bool fresh_only)
{
    tally_add(&x->worker->metrics->retried, 1);
    x->wake.is_short = false;
    x->fresh_only = fresh_only;
    x->n_followed = 0;
    exchange_drop_upstream(x);
    lookup_drop(&x->lookup);
    x->next_address = 0;
    return go(x, from);
}

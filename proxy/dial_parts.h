/* What dial.c asks of dial_key.c. */
#ifndef PROXY_DIAL_PARTS_H
#define PROXY_DIAL_PARTS_H

#include "proxy/exchange.h"

static inline bool
dial_is_gate(const struct exchange *x)
{
    return exchange_door(x)->kind == DOOR_GATE;
}

bool dial_wants_websocket(const struct exchange *x);
/* The client certificate by which this request is bound, as it is now: a retry may find
 * another one. Before dial_key. */
MUST_USE enum reason dial_take_pair(struct exchange *x);
struct upstream_key dial_key(const struct exchange *x);

#endif

/* Sec-WebSocket-Protocol: the one field of a WebSocket's handshake that a page can set,
 * so services take credentials in it, among the protocols: as a name and then the value
 * ("access_token, …"), as one word ("openai-insecure-api-key.…", Kubernetes'
 * "base64url.bearer.authorization.k8s.io.…"), or as a JWT alone. */
#ifndef FILTERS_SUBPROTOCOLS_H
#define FILTERS_SUBPROTOCOLS_H

#include "base/arena.h"
#include "filters/positions.h"

/* False when the value holds no credential. Otherwise *kept is what is left of it,
 * perhaps nothing, and *taken the rest. */
bool subprotocols_split(const struct positions *p, struct arena *a, struct text value,
                        struct text *kept, struct text *taken);

#endif

/* A turn of a connection that many share: what its wire has to send goes to the socket,
 * as far as that takes it. */
#ifndef PROXY_TURN_H
#define PROXY_TURN_H

#include "http/wire.h"
#include "proxy/link.h"

/* True when there may be more, and others are to have a turn first: the socket has
 * taken all it was given and will ring no bell. */
bool turn_send(struct wire *w, struct link *l);

#endif

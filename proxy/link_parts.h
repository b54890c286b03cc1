/* What link_open.c, where a link begins and ends, asks of link.c, which moves its
 * bytes. */
#ifndef PROXY_LINK_PARTS_H
#define PROXY_LINK_PARTS_H

#include "proxy/link.h"

/* Waits for what its state wants. */
void link_arm(struct link *l);
/* On with the handshake of TLS; open or dead when it is over. */
void link_shake(struct link *l);

#endif

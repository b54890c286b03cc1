/* What `holdfast status` is told: members of a JSON object. Never a secret: of a
 * credential, its name and whether it can be had. */
#ifndef PROXY_STATUS_H
#define PROXY_STATUS_H

#include "proxy/holdfast.h"

void status_write(const struct holdfast *h, struct buf *out);
/* How the last reload went, for whoever waited for it. */
void status_write_reload(const struct holdfast *h, struct buf *out);

#endif

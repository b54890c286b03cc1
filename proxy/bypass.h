/* The ways past Holdfast, each tried from where we are, as who we are. Nothing that
 * could reach anybody: the addresses are documentation's (RFC 5737, RFC 3849). What is
 * only sent and not refused counts as open, whether an answer comes or not. */
#ifndef PROXY_BYPASS_H
#define PROXY_BYPASS_H

#include "base/address.h"
#include "proxy/checkup.h"

/* A finding for each way; an open one says what to do. */
void bypass_try_all(struct checkup *c);

/* An address that nobody has. */
struct address bypass_nobody(int family);
/* Whether TCP to anywhere is turned round to Holdfast: no proxy has to be named then.
 */
bool bypass_is_turned(void);

#endif

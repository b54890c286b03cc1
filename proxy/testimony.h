/* What an exchange tells of itself: who asked, for what, and for the ledger the members
 * of its records (tasks/record.h). Never a query, never a value that was stripped or
 * presented. */
#ifndef PROXY_TESTIMONY_H
#define PROXY_TESTIMONY_H

#include "proxy/exchange.h"
#include "tasks/spool.h"

/* The workload that was proved, at a gate; else the caller's uid. */
struct text testimony_who(const struct exchange *x);
/* "-" when the request never got so far as to name a host. */
struct text testimony_to(struct exchange *x);

/* What is decided about it by now: REASON_OK, or why it is refused. Behind what stands
 * in `out`. */
void testimony_decision(struct exchange *x, enum reason why, struct spool *out);
/* The same of a connection that was refused before anything was asked: what came behind
 * its CONNECT was not for that target, or is nothing we serve. */
void testimony_connection(const struct conn *c, enum reason why, struct buf *out);
/* It carried a handle that is in the wrong hands. */
void testimony_alarm(struct exchange *x, struct buf *out);

#endif

/* The ops door: what probes and scrapes may read, and nothing they could change. Served
 * on main's loop, with descriptors of its own (proxy/descriptors.h): it answers when
 * the workers are stuck or at their limits. Anyone who can reach it may be hostile:
 * heads are read by our own HTTP room, everything is bounded, and what it tells holds
 * no secret, no target and nothing that a workload said.
 *
 *   /healthz   200 while every worker's loop turns; else 503 and which one
 *   /readyz    200 while requests are taken; else 503 and why not
 *   /metrics   every figure, as Prometheus text or OpenMetrics
 */
#ifndef PROXY_OPS_H
#define PROXY_OPS_H

#include "base/buf.h"
#include "proxy/metrics_page.h"

struct event_base;
struct ops;

/* Who knows; asked on main's thread, for each request anew. */
struct ops_answers {
    bool (*is_healthy)(void *owner, struct buf *why); /* false: a line that says why */
    bool (*is_ready)(void *owner, struct buf *why); /* true: what else is to be told */
    void (*write_metrics)(void *owner, enum page_format format, struct buf *out);
    void *owner;
};

enum { OPS_CONNECTIONS = 64 };

/* Serves the listening socket, which stays the caller's, on `base`. */
struct ops *ops_new(struct event_base *base, int listener,
                    const struct ops_answers *answers);
void ops_free(struct ops *o);

#endif

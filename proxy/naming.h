/* Naming: whom a request is for. CONNECT, the TLS server name, Host or :authority, the
 * target and the port that a transparent door was reached by all say it, and one
 * canonical host and port comes of them, or a refusal (DESIGN.md G5). Values alone: no
 * socket is looked at. */
#ifndef PROXY_NAMING_H
#define PROXY_NAMING_H

#include "base/host.h"
#include "base/reason.h"
#include "conf/conf.h"
#include "http/message.h"

/* What was settled before the request came. */
struct naming {
    const struct conf_door *door;
    const struct authority_kept *tunnel; /* CONNECT's target, or what TLS was begun for
                                            at a transparent door; NULL: neither */
    const char *original; /* transparent: where the client meant to go, "ip:port" */
    bool is_tls;          /* what is between the client and us */
    bool is_shared;       /* many requests ride on the connection at once: HTTP/2 */
};

/* Any request but CONNECT. *target and *scheme are filled as far as they became known,
 * for the log, when it is refused. */
MUST_USE enum reason naming_settle(const struct naming *n, const struct request *r,
                                   struct authority *target, struct text *scheme);
/* CONNECT: the tunnel it opens. */
MUST_USE enum reason naming_settle_tunnel(const struct naming *n,
                                          const struct request *r,
                                          struct authority *target);
/* TLS that passes unopened: its server name is there, is the one that was settled
 * before, and nothing hides another. */
MUST_USE enum reason naming_settle_unopened(const struct request *r,
                                            const struct authority *target);

#endif

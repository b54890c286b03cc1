/* Names to addresses, by c-ares on a loop: a worker's, or main's for what Holdfast asks
 * itself. No search domains, no cache: one decision, one look-up. */
#ifndef PROXY_RESOLVE_H
#define PROXY_RESOLVE_H

#include "base/address.h"
#include "base/host.h"
#include "base/reason.h"
#include "conf/conf.h"
#include "proxy/loop.h"

struct resolver;

/* Borrows conf. Where it cannot be set up that is logged, and tried anew at each
 * look-up: until then they end with REASON_DNS_FAILED. */
struct resolver *resolver_new(struct loop *loop, const struct conf_resolver *conf);
bool resolver_is_ready(const struct resolver *r);
/* Look-ups under way end with REASON_DNS_FAILED. */
void resolver_free(struct resolver *r);

enum { LOOKUP_ADDRESSES = 256 };

/* One look-up: every address of the answer, and whether a name on the way (CNAME) is a
 * metadata service's. */
struct lookup {
    bool done;
    enum reason
        why; /* REASON_OK, _DNS_FAILED, _DNS_TIMEOUT, _DNS_EMPTY, _NAME_PROHIBITED */
    bool absent;               /* with _DNS_FAILED: there is no such name */
    uint32_t ttl_s;            /* of what in the answer lives shortest */
    struct address *addresses; /* owned */
    size_t n;
    struct query *query; /* under way; NULL when not */
};

/* Rings `bell` when done, which may be at once (before this returns) for an address or
 * a name of resolver.hosts. */
void lookup_start(struct resolver *r, const struct host *host, struct lookup *l,
                  struct wake *bell);
/* Lets go of a look-up, under way or done. */
void lookup_drop(struct lookup *l);

/* The version of the library behind it. */
const char *resolver_library(void);

#endif

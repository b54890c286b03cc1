/* Who is asking: what the kernel says of the process at the other end of a socket.
 * Never a byte the workload wrote. */
#ifndef TASKS_CALLER_H
#define TASKS_CALLER_H

#include "base/address.h"
#include "conf/conf.h"

struct caller {
    bool has_uid;
    uint32_t uid;
    uint32_t inode;         /* of its socket; 0 when not known */
    struct address address; /* where it connects from */
};

/* A netlink socket to ask with; one per thread. */
struct caller_lookup;
struct caller_lookup *
caller_lookup_new(void); /* NULL, logged, when the kernel has none for us */
void caller_lookup_free(struct caller_lookup *l);

/* The process that holds the client's end of this TCP connection: `client` is its
 * address, `server` ours. Exact 4-tuple, ESTABLISHED (and the half-closed states) only;
 * asked in both families for v4-mapped sockets. When it is not on this machine (or
 * cannot be known) has_uid stays false: what cannot be established does not match.
 * lookup may be NULL. */
void caller_identify(struct caller_lookup *lookup, const struct sockaddr *client,
                     const struct sockaddr *server, struct caller *out);

/* Does this caller satisfy a grant's caller block? */
bool caller_matches(const struct caller *c, const struct conf_caller *demanded);

#endif

/* Who is asking: what the kernel says of the process at the other end of a socket.
 * Never a byte the workload wrote. */
#ifndef TASKS_CALLER_H
#define TASKS_CALLER_H

#include "base/address.h"
#include "base/buf.h"
#include "conf/conf.h"

struct cgroup;

struct caller {
    bool has_uid, has_gid;
    uint32_t uid, gid;
    uint32_t inode;         /* of its socket; 0 when not known … */
    uint32_t pid;           /* … nor its process; at unix doors alone */
    uint64_t cgroup_id;     /* of the socket's maker; 0 when not known */
    struct cgroup *cgroup;  /* where it runs; NULL when not established: cgroup.h */
    size_t door;            /* by which it came in, from 1; 0 when not known */
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

/* The process that holds the socket which this datagram came from, if that one is
 * connected to `server`; false: it is not. As cheap as for a connection. */
bool caller_identify_sender(struct caller_lookup *lookup, const struct sockaddr *client,
                            const struct sockaddr *server, struct caller *out);
/* The same by the port that it came from, wherever its socket is connected to: for one
 * that is not, or whose datagram was led here on its way to another. Sockets of two
 * users on one port name nobody. It costs the kernel a walk over all UDP sockets. By a
 * lookup of its own: a port with many sockets makes a long answer, which is not read to
 * its end. */
void caller_search_sender(struct caller_lookup *lookup, const struct sockaddr *client,
                          struct caller *out);

/* The process that connected to a unix socket of ours, as the kernel wrote it down when
 * it did. Whoever was given the connection since stands behind it. One that has no
 * number in our namespaces has none here. */
void caller_identify_peer(struct caller_lookup *lookup, int fd, struct caller *out);
/* A descriptor of that process, in which its number cannot come to mean another; -1:
 * this kernel has none, or the process has gone. */
int caller_open_peer(int fd);

/* Appends what is established, "uid:1000,gid:1000,door:agent": plain bytes, in the
 * order in which a demand is printed; "unknown". door: its name, or NULL. */
void caller_print(const struct caller *c, const char *door, struct buf *out);

/* Does this caller satisfy a grant's caller block? All that it demands is established,
 * and is so. REASON_CALLER_NOT_ALLOWED: something is not so; REASON_CALLER_UNKNOWN:
 * nothing that is established speaks against it, and something is not. */
enum reason caller_judge(const struct caller *c, const struct conf_caller *demanded);

static inline bool
caller_matches(const struct caller *c, const struct conf_caller *demanded)
{
    return demanded->any || caller_judge(c, demanded) == REASON_OK;
}

/* Nothing that is known of him says that he does not. */
static inline bool
caller_may_match(const struct caller *c, const struct conf_caller *demanded)
{
    return caller_judge(c, demanded) != REASON_CALLER_NOT_ALLOWED;
}

#endif

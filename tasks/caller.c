/* Who is asking, by NETLINK_SOCK_DIAG: the exact 4-tuple of the client's end, asked
 * right after accept. The kernel answers within sendto(2), so an answer is there or it
 * never comes. Whatever is not a plain, owned, connected socket has no uid here. */
#include "tasks/caller_parts.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_WAIT_MS = 100,
    ANSWERS_MAX = 16, /* stale ones read past before we give up */
    OVERFLOW_UID = 65534
};

/* An end of a connection, in the spelling of one family. */
struct end {
    uint32_t words[4];
    uint16_t port; /* network order */
    uint32_t scope;
};

/* Of Linux 5.7, and 6.5: the headers of older systems lack them. */
enum { DIAG_CGROUP_ID = 21, PEER_PROCESS = 77 /* SO_PEERPIDFD, 6.5 */ };

static bool
uid_map_is_whole(void)
{
    unsigned inner = 1, outer = 1, n = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    bool whole;

    if (map == NULL)
        return false;
    whole = fscanf(map, "%u %u %u", &inner, &outer, &n) == 3 && inner == 0 &&
            outer == 0 && n == UINT32_MAX;
    (void)fclose(map);
    return whole;
}

static int
ask_kernel(void)
{
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  NETLINK_SOCK_DIAG);
}

void
caller_begin_anew(struct caller_lookup *l)
{
    (void)close(l->fd);
    l->fd = ask_kernel();
}

bool
caller_is_told(const struct caller_lookup *l, uint32_t uid)
{
    return uid != OVERFLOW_UID || l->sees_every_uid;
}

struct caller_lookup *
caller_lookup_new(void)
{
    struct caller_lookup *l = memory_new(sizeof *l);

    l->fd = ask_kernel();
    if (l->fd < 0) {
        log_warn("asking the kernel who calls is not possible: %s", strerror(errno));
        free(l);
        return NULL;
    }
    l->sees_every_uid = uid_map_is_whole();
    return l;
}

void
caller_lookup_free(struct caller_lookup *l)
{
    if (l == NULL)
        return;
    (void)close(l->fd);
    free(l);
}

/* ---- one address in the spelling of one family; false when it has none */

static bool
is_mapped(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

static bool
end_inet(const struct sockaddr *sa, struct end *out)
{
    *out = (struct end){ 0 };
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

        out->port = in->sin_port;
        memcpy(out->words, &in->sin_addr, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

        out->port = in6->sin6_port;
        memcpy(out->words, &in6->sin6_addr.s6_addr[12], 4);
        return is_mapped(&in6->sin6_addr);
    }
    return false;
}

static bool
end_inet6(const struct sockaddr *sa, struct end *out)
{
    struct end inner;

    *out = (struct end){ 0 };
    if (end_inet(sa, &inner)) {
        out->port = inner.port;
        out->words[2] = htonl(0xffff);
        out->words[3] = inner.words[0];
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

    out->port = in6->sin6_port;
    out->scope = in6->sin6_scope_id;
    memcpy(out->words, &in6->sin6_addr, 16);
    return true;
}

/* ---- asking */

static bool
send_question(struct caller_lookup *l, int family, const struct end *client,
              const struct end *server)
{
    struct caller_question q = { .head = { .nlmsg_len = sizeof q,
                                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                           .nlmsg_flags = NLM_F_REQUEST,
                                           .nlmsg_seq = ++l->sequence } };

    q.ask.sdiag_family = (uint8_t)family;
    q.ask.sdiag_protocol = IPPROTO_TCP;
    q.ask.idiag_states = UINT32_MAX; /* not looked at without a dump: judged below */
    q.ask.id.idiag_sport = client->port;
    q.ask.id.idiag_dport = server->port;
    memcpy(q.ask.id.idiag_src, client->words, sizeof client->words);
    memcpy(q.ask.id.idiag_dst, server->words, sizeof server->words);
    q.ask.id.idiag_if = client->scope;
    q.ask.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    q.ask.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return caller_ask(l, &q);
}

bool
caller_ask(struct caller_lookup *l, const struct caller_question *q)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

    return sendto(l->fd, q, sizeof *q, 0, (const struct sockaddr *)&kernel,
                  sizeof kernel) == (ssize_t)sizeof *q;
}

size_t
caller_receive(const struct caller_lookup *l, void *buffer, size_t size)
{
    struct pollfd wait = { .fd = l->fd, .events = POLLIN };
    struct sockaddr_nl from = { 0 };
    socklen_t n_from = sizeof from;
    ssize_t n = recvfrom(l->fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC,
                         (struct sockaddr *)&from, &n_from);

    if (n < 0 && errno == EAGAIN && poll(&wait, 1, ANSWER_WAIT_MS) == 1)
        n = recvfrom(l->fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC,
                     (struct sockaddr *)&from, &n_from);
    if (n <= 0 || (size_t)n > size || from.nl_pid != 0)
        return 0;
    return (size_t)n;
}

/* The kernel falls back to a listener when no connection has this 4-tuple: what answers
 * must be it. */
static bool
is_asked(const struct inet_diag_msg *m, const struct end *client,
         const struct end *server)
{
    return m->id.idiag_sport == client->port && m->id.idiag_dport == server->port;
}

/* TIME_WAIT and half-made sockets answer uid 0 whoever made them, and so does one whose
 * process has closed it (no inode any more): connect, send, close must not turn a
 * workload into root. */
static bool
is_owned(const struct inet_diag_msg *m)
{
    switch (m->idiag_state) {
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSE_WAIT:
        return m->idiag_inode != 0;
    default:
        return false;
    }
}

/* Among the attributes behind the answer; 0: this kernel does not tell. */
static uint64_t
cgroup_id_in(const struct nlmsghdr *head)
{
    const struct inet_diag_msg *m = NLMSG_DATA(head);
    const struct rtattr *a = (const struct rtattr *)(const void *)(m + 1);
    size_t left = head->nlmsg_len - NLMSG_LENGTH(sizeof *m);
    uint64_t id = 0;

    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == DIAG_CGROUP_ID && RTA_PAYLOAD(a) == sizeof id)
            memcpy(&id, RTA_DATA(a), sizeof id);
    return id;
}

static bool
ask(struct caller_lookup *l, int family, const struct end *client,
    const struct end *server, struct caller *out)
{
    union {
        struct nlmsghdr head;
        char bytes[1024];
    } answer;

    if (!send_question(l, family, client, server))
        return false;
    for (int i = 0; i < ANSWERS_MAX; i++) {
        size_t n = caller_receive(l, &answer, sizeof answer);
        const struct inet_diag_msg *m = NLMSG_DATA(&answer.head);

        if (n < NLMSG_HDRLEN || answer.head.nlmsg_len > n)
            return false;
        if (answer.head.nlmsg_seq != l->sequence)
            continue; /* the late answer to a question we no longer ask */
        if (answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            answer.head.nlmsg_len < NLMSG_LENGTH(sizeof *m))
            return false;
        if (!is_asked(m, client, server) || !is_owned(m))
            return false;
        if (!caller_is_told(l, m->idiag_uid))
            return false;
        out->uid = m->idiag_uid;
        out->inode = m->idiag_inode;
        out->cgroup_id = cgroup_id_in(&answer.head);
        out->has_uid = true;
        return true;
    }
    return false;
}

void
caller_identify_peer(struct caller_lookup *lookup, int fd, struct caller *out)
{
    bool whole = lookup != NULL && lookup->sees_every_uid;
    struct ucred peer;
    socklen_t n = sizeof peer;

    *out = (struct caller){ 0 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 || n != sizeof peer)
        return;
    out->has_uid = peer.uid != OVERFLOW_UID || whole;
    out->has_gid = peer.gid != OVERFLOW_UID || whole;
    out->uid = out->has_uid ? peer.uid : 0;
    out->gid = out->has_gid ? peer.gid : 0;
    out->pid = peer.pid > 0 ? (uint32_t)peer.pid : 0;
}

int
caller_open_peer(int fd)
{
    int process = -1;
    socklen_t n = sizeof process;

    if (getsockopt(fd, SOL_SOCKET, PEER_PROCESS, &process, &n) != 0)
        return -1;
    (void)fcntl(process, F_SETFD, FD_CLOEXEC);
    return process;
}

void
caller_identify(struct caller_lookup *lookup, const struct sockaddr *client,
                const struct sockaddr *server, struct caller *out)
{
    struct end theirs, ours;
    uint16_t port;

    *out = (struct caller){ 0 };
    address_from_sockaddr(client, &out->address, &port);
    if (lookup == NULL)
        return;
    if (end_inet(client, &theirs) && end_inet(server, &ours) &&
        ask(lookup, AF_INET, &theirs, &ours, out))
        return;
    /* An AF_INET6 socket connected to ::ffff:127.0.0.1 looks like IPv4 to us and is
     * IPv6 to the kernel. */
    if (end_inet6(client, &theirs) && end_inet6(server, &ours))
        (void)ask(lookup, AF_INET6, &theirs, &ours, out);
}

#include "proxy/dns_parts.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { READ_AT_ONCE = 32 };

/* Room for either family's word on where a datagram was sent to. */
union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ---- in */

static bool
take_place(struct msghdr *m, struct dns_way *way)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    struct in_pktinfo v4;
    struct in6_pktinfo v6;

    way->at.family = 0;
    if (c == NULL)
        return false;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        memcpy(&v4, CMSG_DATA(c), sizeof v4);
        way->at.family = AF_INET;
        memcpy(way->at.bytes, &v4.ipi_addr, sizeof v4.ipi_addr);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&v6, CMSG_DATA(c), sizeof v6);
        way->at.family = AF_INET6;
        memcpy(way->at.bytes, &v6.ipi6_addr, sizeof v6.ipi6_addr);
        way->interface = v6.ipi6_ifindex;
    }
    return way->at.family != 0;
}

/* -1: there is none any more, 0: one that is not worth reading. One that is longer than
 * we take is cut to its head, which says more than there is. */
static ssize_t
receive(const struct dns_door *d, char in[DNS_UDP_MOST], struct dns_way *way)
{
    struct iovec bytes = { in, DNS_UDP_MOST };
    union control control;
    struct msghdr m = { .msg_name = &way->from,
                        .msg_namelen = sizeof way->from,
                        .msg_iov = &bytes,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control };
    ssize_t n = recvmsg(d->fd, &m, 0);

    if (n < 0)
        return errno == EAGAIN ? -1 : 0;
    if (!take_place(&m, way))
        return 0;
    return (m.msg_flags & MSG_TRUNC) != 0 ? DNS_HEAD : n;
}

/* False: too much is asked to find out. */
static bool
identify(struct dns_door *d, struct dns_question *q)
{
    const struct bound_door *bound = &d->worker->start.doors[d->index];
    const struct sockaddr *from = (const struct sockaddr *)&q->way.from;
    struct sockaddr_storage at;

    if (!dns_may_send(d, &q->way.from))
        return false;
    (void)address_to_sockaddr(&q->way.at, bound->port, &at);
    if (caller_identify_sender(d->callers, from, (struct sockaddr *)&at, &q->caller))
        return true;
    if (!dns_may_search(d))
        return false;
    caller_search_sender(d->callers, from, &q->caller);
    return true;
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
    struct dns_door *d = arg;
    struct dns_question q, *waits;
    char in[DNS_UDP_MOST];
    ssize_t n;

    (void)fd, (void)what;
    for (size_t i = 0; i < READ_AT_ONCE; i++) {
        memset(&q, 0, sizeof q);
        q.door = d;
        n = receive(d, in, &q.way);
        if (n < 0)
            return;
        if (n >= DNS_HEAD && identify(d, &q))
            (void)dns_question_ask(&q, text_of(in, (size_t)n), &waits);
        else
            dns_count_drop(d);
    }
}

/* ---- out */

static void
put_place(struct msghdr *m, union control *control, const struct dns_way *way)
{
    struct in_pktinfo v4 = { 0 };
    struct in6_pktinfo v6 = { .ipi6_ifindex = way->interface };
    bool six = way->at.family == AF_INET6;
    size_t n = six ? sizeof v6 : sizeof v4;

    memset(control, 0, sizeof *control);
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(n);
    control->head.cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
    control->head.cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
    control->head.cmsg_len = CMSG_LEN(n);
    memcpy(&v4.ipi_spec_dst, way->at.bytes, sizeof v4.ipi_spec_dst);
    memcpy(&v6.ipi6_addr, way->at.bytes, sizeof v6.ipi6_addr);
    memcpy(CMSG_DATA(&control->head), six ? (void *)&v6 : (void *)&v4, n);
}

/* An answer that cannot be sent at once is lost: its client asks again. */
void
dns_datagram_send(struct dns_door *d, const struct dns_way *way, struct text message)
{
    struct sockaddr_storage to = way->from;
    struct iovec bytes = { (void *)(uintptr_t)message.at, message.n };
    union control control;
    struct msghdr m = { .msg_name = &to,
                        .msg_namelen = to.ss_family == AF_INET6
                                           ? sizeof(struct sockaddr_in6)
                                           : sizeof(struct sockaddr_in),
                        .msg_iov = &bytes,
                        .msg_iovlen = 1 };

    put_place(&m, &control, way);
    if (sendmsg(d->fd, &m, MSG_NOSIGNAL) < 0)
        dns_count_drop(d);
}

/* ---- life */

struct dns_door *
dns_door_new(struct worker *w, size_t i)
{
    struct dns_door *d = memory_new(sizeof *d);

    d->worker = w;
    d->index = i;
    d->fd = w->start.doors[i].datagrams;
    d->callers = caller_lookup_new();
    d->arena = arena_new();
    list_init(&d->lookups);
    list_init(&d->sessions);
    event_assign(&d->datagrams, loop_base(w->loop), d->fd, EV_READ | EV_PERSIST,
                 on_datagrams, d);
    event_add(&d->datagrams, NULL);
    return d;
}

void
dns_door_shut(struct dns_door *d)
{
    event_del(&d->datagrams);
}

void
dns_door_free(struct dns_door *d)
{
    if (d == NULL)
        return;
    event_del(&d->datagrams);
    dns_sessions_end(d);
    while (!list_is_empty(&d->lookups))
        dns_question_drop(LIST_OWNER(d->lookups.next, struct dns_question, member));
    caller_lookup_free(d->callers);
    arena_free(d->arena);
    free(d);
}

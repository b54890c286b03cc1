/* Who sent a datagram. A socket that is connected to us is found by the 4-tuple, as a
 * TCP connection is. One that is not, or whose datagram was led here on its way to
 * somebody else, is found by its port among all UDP sockets: then whoever holds that
 * port must be one user. */
#include "tasks/caller_parts.h"

#include <assert.h>
#include <linux/sock_diag.h>
#include <string.h>

enum { PARTS_MAX = 16 /* of one answer: who holds so many sockets names nobody */ };

/* A question about the sockets of this sender. */
struct hunt {
    struct caller_lookup *lookup;
    struct address client, server;
    uint16_t client_port, server_port; /* network order */
    bool several;
};

static struct caller_question
question_new(struct hunt *h, int family, uint16_t flags)
{
    struct caller_question q = { .head = { .nlmsg_len = sizeof q,
                                           .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                           .nlmsg_flags = (uint16_t)(NLM_F_REQUEST |
                                                                     flags),
                                           .nlmsg_seq = ++h->lookup->sequence },
                                 .ask = { .sdiag_family = (uint8_t)family,
                                          .sdiag_protocol = IPPROTO_UDP,
                                          .idiag_states = UINT32_MAX } };

    memset(q.ask.id.idiag_cookie, 0xff, sizeof q.ask.id.idiag_cookie);
    return q;
}

static size_t
address_size(const struct address *a)
{
    return a->family == AF_INET ? 4 : 16;
}

static void
take(struct hunt *h, const struct inet_diag_msg *m, struct caller *out)
{
    if (m->idiag_inode == 0 || !caller_is_told(h->lookup, m->idiag_uid) ||
        (out->has_uid && out->uid != m->idiag_uid)) {
        h->several = true;
        return;
    }
    out->uid = m->idiag_uid;
    out->inode = m->idiag_inode;
    out->has_uid = true;
}

/* ---- by the 4-tuple */

static void
find_connected(struct hunt *h, struct caller *out)
{
    struct caller_question q = question_new(h, h->client.family, 0);
    const struct inet_diag_msg *m;
    union {
        struct nlmsghdr head;
        char bytes[1024];
    } answer;
    size_t n;

    /* For UDP the kernel takes what is the socket's own end for its destination. */
    q.ask.id.idiag_sport = h->server_port;
    q.ask.id.idiag_dport = h->client_port;
    memcpy(q.ask.id.idiag_src, h->server.bytes, address_size(&h->server));
    memcpy(q.ask.id.idiag_dst, h->client.bytes, address_size(&h->client));
    if (!caller_ask(h->lookup, &q))
        return;
    do
        n = caller_receive(h->lookup, &answer, sizeof answer);
    while (n >= NLMSG_HDRLEN && answer.head.nlmsg_seq != h->lookup->sequence);
    m = NLMSG_DATA(&answer.head);
    if (n < NLMSG_LENGTH(sizeof *m) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return;
    /* One that is connected to nobody may be any of several: not judged by this. */
    if (m->id.idiag_sport == h->client_port && m->id.idiag_dport == h->server_port)
        take(h, m, out);
}

/* ---- by the port */

/* Bound to the address that the datagram came from, or to all. */
static bool
is_bound_there(const struct hunt *h, const struct inet_diag_msg *m)
{
    static const unsigned char any[16], mapped[12] = { [10] = 0xff, [11] = 0xff };
    const unsigned char *at = (const unsigned char *)m->id.idiag_src;
    size_t n = m->idiag_family == AF_INET ? 4 : 16;

    if (memcmp(at, any, n) == 0)
        return true;
    if (n == address_size(&h->client))
        return memcmp(at, h->client.bytes, n) == 0;
    return n == 16 && memcmp(at, mapped, sizeof mapped) == 0 &&
           memcmp(at + sizeof mapped, h->client.bytes, 4) == 0;
}

/* False: it was the last. */
static bool
take_message(struct hunt *h, const struct nlmsghdr *head, struct caller *out)
{
    const struct inet_diag_msg *m = NLMSG_DATA(head);

    if (head->nlmsg_seq != h->lookup->sequence)
        return true; /* the end of an answer that we no longer want */
    if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof *m)) {
        h->several |= head->nlmsg_type != NLMSG_DONE;
        return false;
    }
    if (m->id.idiag_sport == h->client_port && is_bound_there(h, m))
        take(h, m, out);
    return true;
}

static bool
take_part(struct hunt *h, struct caller *out)
{
    union {
        struct nlmsghdr head;
        char bytes[16 * 1024];
    } part;
    const struct nlmsghdr *head = &part.head;
    size_t n = caller_receive(h->lookup, &part, sizeof part);

    if (n == 0) {
        h->several = true; /* half an answer may hide another user */
        return false;
    }
    for (; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n))
        if (!take_message(h, head, out))
            return false;
    return true;
}

static void
find_by_port(struct hunt *h, int family, struct caller *out)
{
    struct caller_question q = question_new(h, family, NLM_F_DUMP);
    int parts = 0;

    q.ask.id.idiag_sport = h->client_port;
    if (!caller_ask(h->lookup, &q)) {
        h->several = true;
        return;
    }
    while (take_part(h, out))
        if (++parts == PARTS_MAX) {
            h->several = true;
            caller_begin_anew(h->lookup);
            return;
        }
}

static void
begin(struct hunt *h, struct caller_lookup *lookup, const struct sockaddr *client,
      struct caller *out)
{
    *h = (struct hunt){ .lookup = lookup };
    *out = (struct caller){ 0 };
    address_from_sockaddr(client, &h->client, &h->client_port);
    h->client_port = htons(h->client_port);
    out->address = h->client;
}

bool
caller_identify_sender(struct caller_lookup *lookup, const struct sockaddr *client,
                       const struct sockaddr *server, struct caller *out)
{
    struct hunt h;

    begin(&h, lookup, client, out);
    address_from_sockaddr(server, &h.server, &h.server_port);
    h.server_port = htons(h.server_port);
    if (lookup != NULL && h.client.family != 0 && h.client.family == h.server.family)
        find_connected(&h, out);
    return out->has_uid;
}

void
caller_search_sender(struct caller_lookup *lookup, const struct sockaddr *client,
                     struct caller *out)
{
    struct hunt h;

    begin(&h, lookup, client, out);
    if (lookup == NULL || h.client.family == 0)
        return;
    find_by_port(&h, AF_INET6, out);
    if (h.client.family == AF_INET)
        find_by_port(&h, AF_INET, out);
    if (h.several) {
        out->has_uid = false;
        out->uid = out->inode = 0;
    }
}

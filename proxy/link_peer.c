/* Who is at the other end, as the kernel tells it. */
#include "proxy/link.h"

#include <errno.h>
#include <sys/socket.h>

bool
link_has_peer(const struct link *l)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;

    return getpeername(l->fd, (struct sockaddr *)&peer, &n) == 0 || errno != ENOTCONN;
}

bool
link_peer_is(const struct link *l, const struct address *address, uint16_t port)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    struct address seen;
    uint16_t seen_port;

    if (getpeername(l->fd, (struct sockaddr *)&peer, &n) != 0)
        return false;
    address_from_sockaddr((struct sockaddr *)&peer, &seen, &seen_port);
    return address_equals(&seen, address) && seen_port == port;
}

bool
link_is_to_this_machine(const struct link *l)
{
    struct sockaddr_storage own;
    socklen_t n = sizeof own;
    struct address here, there;
    uint16_t port;

    if (getsockname(l->fd, (struct sockaddr *)&own, &n) != 0)
        return true; /* not known: as if it were */
    address_from_sockaddr((struct sockaddr *)&own, &here, &port);
    n = sizeof own;
    if (getpeername(l->fd, (struct sockaddr *)&own, &n) != 0)
        return true;
    address_from_sockaddr((struct sockaddr *)&own, &there, &port);
    return address_equals(&here, &there);
}

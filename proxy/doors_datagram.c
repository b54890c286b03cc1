/* The UDP sockets of dns doors, one for each worker, on the port that its listeners
 * have. SO_REUSEADDR is never set on them: for UDP it would let anybody who sets it too
 * bind the same port, and be sent what is meant for us. */
#include "proxy/doors_parts.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
set_options(int fd, int family, bool shared)
{
    int one = 1;

    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
        return false;
    /* Each datagram says where it was asked: an answer leaves from there, or nobody
     * would know it for one. */
    if (family == AF_INET)
        return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) == 0;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0 &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one) == 0;
}

static int
bind_datagrams(const struct bound_door *beside, bool shared)
{
    struct sockaddr_storage at;
    socklen_t n = address_to_sockaddr(&beside->address, beside->port, &at);
    int error, fd = socket(at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || (set_options(fd, at.ss_family, shared) &&
                   bind(fd, (struct sockaddr *)&at, n) == 0))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum reason
doors_bind_datagrams(struct doors *d, size_t i)
{
    bool shared = d->n_workers > 1;
    int alone;

    /* As with listeners: what shares a port would share it with another of us, too. */
    if (shared) {
        if ((alone = bind_datagrams(&d->at[i], false)) < 0)
            return REASON_CANNOT_BIND;
        close(alone);
    }
    for (size_t w = 0; w < d->n_workers; w++) {
        struct bound_door *b = &doors_of_worker(d, w)[i];

        if ((b->datagrams = bind_datagrams(b, shared)) < 0)
            return REASON_CANNOT_BIND;
    }
    return REASON_OK;
}

#include "proxy/hearing.h"

#include "base/address.h"

#include <linux/filter.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Whom our own address is chosen for has an address of ours, or one of 127.0.0.0/8. */
static bool
is_here(const struct address *own, const struct address *peer)
{
    return address_equals(own, peer) ||
           (peer->family == AF_INET && peer->bytes[0] == 127);
}

static bool
find_peer(int fd, struct address *own, struct address *peer)
{
    struct sockaddr_storage a = { 0 }, b = { 0 };
    socklen_t n = sizeof a, m = sizeof b;
    uint16_t port;

    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
        getpeername(fd, (struct sockaddr *)&b, &m) != 0)
        return false;
    address_from_sockaddr((struct sockaddr *)&a, own, &port);
    address_from_sockaddr((struct sockaddr *)&b, peer, &port);
    return true;
}

static bool
restrict_to_elsewhere(int fd)
{
    static struct sock_filter not_by_loopback[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    static const struct sock_fprog program = {
        .len = sizeof not_by_loopback / sizeof not_by_loopback[0],
        .filter = not_by_loopback,
    };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

int
hearing_begin(int fd, int type, void *owner)
{
    struct address own, peer;

    (void)owner;
    if (type != SOCK_DGRAM)
        return 0; /* whoever began it knows its numbers */
    if (!find_peer(fd, &own, &peer))
        return -1;
    return is_here(&own, &peer) || restrict_to_elsewhere(fd) ? 0 : -1;
}

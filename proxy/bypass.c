#include "proxy/bypass.h"

#include "proxy/bypass_parts.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

enum { UNASSIGNED_PROTOCOL = 253 };

static const struct way ways[] = {
    { "tcp", "TCP to another host", AF_INET, SOCK_STREAM, 0, 443, bypass_connect },
    { "tcp_port", "TCP to another port", AF_INET, SOCK_STREAM, 0, 9, bypass_connect },
    { "tcp_v6", "TCP over IPv6", AF_INET6, SOCK_STREAM, 0, 443, bypass_connect },
    { "quic", "UDP to port 443 (QUIC)", AF_INET, SOCK_DGRAM, 0, 443, bypass_send },
    { "quic_v6", "QUIC over IPv6", AF_INET6, SOCK_DGRAM, 0, 443, bypass_send },
    { "udp", "UDP to another port", AF_INET, SOCK_DGRAM, 0, 9, bypass_send },
    { "dns", "DNS to a resolver outside", AF_INET, SOCK_DGRAM, 0, DNS_PORT,
      bypass_dns },
    { "dns_v6", "DNS over IPv6", AF_INET6, SOCK_DGRAM, 0, DNS_PORT, bypass_dns },
    { "dns_tcp", "DNS over TCP", AF_INET, SOCK_STREAM, 0, DNS_PORT, bypass_dns_tcp },
    { "ping", "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0, bypass_ping },
    { "ping_v6", "ping over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, 0,
      bypass_ping },
    { "udplite", "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, 9, bypass_send },
    { "sctp", "SCTP", AF_INET, SOCK_STREAM, IPPROTO_SCTP, 9, bypass_connect },
    { "raw", "a raw socket", AF_INET, SOCK_RAW, UNASSIGNED_PROTOCOL, 0, bypass_send },
    { "raw_v6", "a raw socket over IPv6", AF_INET6, SOCK_RAW, UNASSIGNED_PROTOCOL, 0,
      bypass_send },
    { "packet", "a packet socket, below all rules", AF_PACKET, SOCK_DGRAM, 0, 0,
      bypass_open },
};

/* ---- telling */

static void
tell_open(struct checkup *c, const struct way *w)
{
    if (w->kind == SOCK_RAW || w->family == AF_PACKET)
        checkup_say(c, false, w->name,
                    "%s: may be had: take NET_RAW from the workload "
                    "(capabilities: drop ALL, --cap-drop ALL)",
                    w->what);
    else
        checkup_say(c, false, w->name,
                    "%s: leads past Holdfast: load the rules in this network namespace "
                    "before the workload starts (as root: holdfast steer --load), or "
                    "take the route away",
                    w->what);
}

static void
try(struct checkup *c, const struct way *w)
{
    int error = 0;

    switch (w->go(w, &error)) {
    case END_REFUSED:
        checkup_say(c, true, w->name, "%s: refused (%s)", w->what, strerror(error));
        break;
    case END_NO_ROUTE:
        checkup_say(c, true, w->name, "%s: no route leads there", w->what);
        break;
    case END_NO_SOCKET:
        checkup_say(c, true, w->name, "%s: no such socket can be had here (%s)",
                    w->what, strerror(error));
        break;
    case END_UNTRIED:
        checkup_say(c, false, w->name, "%s: could not be tried (%s): try again",
                    w->what, strerror(error));
        break;
    case END_TURNED:
        checkup_say(c, true, w->name, "%s: Holdfast answers in its place", w->what);
        break;
    case END_OPEN:
        tell_open(c, w);
    }
}

void
bypass_try_all(struct checkup *c)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        try(c, &ways[i]);
}

bool
bypass_is_turned(void)
{
    int error = 0;

    return bypass_connect(&ways[0], &error) == END_TURNED;
}

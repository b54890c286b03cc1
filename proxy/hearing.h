/* Whom a resolver's socket hears. By UDP an answer has a number of 16 bits that others
 * should not know, a port that any process here reads in /proc/net, and an address that
 * over IPv6 any process may write on what it sends (IPV6_FREEBIND takes no privilege).
 * But what a machine sends to itself comes by the loopback, and from a nameserver that
 * is elsewhere nothing does. */
#ifndef PROXY_HEARING_H
#define PROXY_HEARING_H

/* For a socket that was just connected, as c-ares calls it: of a datagram socket whose
 * peer is elsewhere nothing is heard any more that comes by the loopback. 0, or -1: the
 * kernel refuses, and the socket must not be used. */
int hearing_begin(int fd, int type, void *owner);

#endif

/* Addresses and ranges, and which of them nothing may be sent to (DESIGN.md G4). The
 * deny table stands in address.c, one row a range with its why. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/reason.h"
#include "base/text.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum { ADDRESS_PRINT_SIZE = INET6_ADDRSTRLEN };

struct address {
    int family;              /* AF_INET, AF_INET6; 0: none */
    unsigned char bytes[16]; /* network order; 4 used for AF_INET */
};

/* A range: addresses whose first `bits` bits are those of `base`. */
struct cidr {
    struct address base;
    unsigned bits;
};

/* Strict dotted quad (no leading zeros) or RFC 4291 text without zone, without
 * brackets. */
MUST_USE bool address_parse(struct text t, struct address *out);
/* Nothing, for family 0. */
void address_print(const struct address *a, char out[ADDRESS_PRINT_SIZE]);
bool address_equals(const struct address *a, const struct address *b);

/* Family 0 and port 0 for a socket address that is neither IPv4 nor IPv6. */
void address_from_sockaddr(const struct sockaddr *sa, struct address *out,
                           uint16_t *port);
socklen_t address_to_sockaddr(const struct address *a, uint16_t port,
                              struct sockaddr_storage *out);

/* "10.0.0.0/8", or a bare address for that one alone. Bits set behind the prefix are an
 * error. */
MUST_USE bool cidr_parse(struct text t, struct cidr *out);
bool cidr_has(const struct cidr *c, const struct address *a);

/* Why this address is never dialled unless an operator names it: a phrase such as
 * "loopback" for the operator's log; NULL when it may be. IPv4 embedded in IPv6
 * (mapped, NAT64, 6to4, Teredo, ISATAP…) is denied as a form. */
const char *address_denied(const struct address *a);

/* A metadata or host service (169.254.169.254, 168.63.129.16, fd00:ec2::254 …): an
 * operator opens it only by naming exactly that address, never by a range. Also true
 * for any spelling of one inside IPv6, under any NAT64 prefix. */
bool address_is_metadata(const struct address *a);
/* Those of them that have an address of their own. */
const struct address *address_services(size_t *n);

#endif

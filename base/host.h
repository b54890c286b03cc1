/* Hosts and authorities: one canonical spelling, or refused (DESIGN.md 6.2). A name
 * that could mean an address to some resolver is never taken for a name. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base/address.h"
#include "base/reason.h"
#include "base/text.h"

enum { HOST_MAX = 253 };

struct host {
    struct address address; /* family 0: a name */
    uint8_t n;
    char name[HOST_MAX + 3]; /* lower case, no trailing dot, NUL-terminated; an address
                                in canonical text, without brackets */
};

struct authority {
    struct host host;
    uint16_t port;
};

/* A reg-name, dotted quad or bracketed IPv6 literal as it stands in Host, :authority,
 * CONNECT. Case folded, one trailing dot removed from names and dotted quads.
 * REASON_HOST_MALFORMED or REASON_HOST_NUMERIC, with an empty name. */
MUST_USE enum reason host_parse(struct text t, struct host *out);

/* "host", "host:port". default_port 0: the port must be written (CONNECT). The port is
 * 1 to 65535, digits, without leading zeros; an empty port ("host:") is
 * REASON_PORT_MALFORMED. */
MUST_USE enum reason authority_parse(struct text t, uint16_t default_port,
                                     struct authority *out);

bool host_equals(const struct host *a, const struct host *b);
bool authority_equals(const struct authority *a, const struct authority *b);
struct text host_text(const struct host *h);

/* An authority in as many bytes as its name has: for who holds thousands. free(3) ends
 * one. */
struct authority_kept;
struct authority_kept *authority_keep(const struct authority *a);
void authority_recall(const struct authority_kept *k, struct authority *out);

/* "host" or "host:port" when the port is not the scheme's own; IPv6 in brackets. n of
 * out is at least AUTHORITY_PRINT_SIZE. Returns the text in out. */
enum { AUTHORITY_PRINT_SIZE = HOST_MAX + 10 };
struct text authority_print(const struct authority *a, uint16_t scheme_port,
                            char out[AUTHORITY_PRINT_SIZE]);

/* Names that stand for metadata services (metadata.google.internal, metadata,
 * instance-data …): refused even where they resolve to a public address, unless a
 * rule's `addresses` names the exact address. */
bool host_is_metadata(const struct host *h);
/* Names that are local by their nature: localhost, *.localhost, *.internal, *.local,
 * *.cluster.local, host.docker.internal, kubernetes, every single label …: refused
 * unless the rule that names them has `addresses`. Both are about names: an address is
 * judged by address_denied. */
bool host_is_local(const struct host *h);

#endif

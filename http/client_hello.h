/* ClientHello: the first thing a TLS client says, read by us where TLS is passed on
 * unopened (RFC 8446 section 4.1.2). A pure function, and a strict one: what it takes
 * can be read in no other way, and whatever it does not take goes nowhere. Who decides
 * on the name is somebody else. */
#ifndef HTTP_CLIENT_HELLO_H
#define HTTP_CLIENT_HELLO_H

#include "base/host.h"
#include "http/wire.h"

enum { CLIENT_HELLO_MAX = 16 * 1024, CLIENT_HELLO_RECORDS = 8 };

struct client_hello {
    size_t n; /* bytes of the input that it is: whole records */
    /* As it was sent; empty: there is no server_name. */
    char name[HOST_MAX + 1];
    size_t name_n;
    /* Encrypted ClientHello, one of its drafts, or GREASE that looks like it: the name
     * above may not be the one that is meant, and nobody between the two can tell. */
    bool hides_name;
};

static inline struct text
client_hello_name(const struct client_hello *h)
{
    return text_of(h->name, h->name_n);
}

/* FLOW_WAIT: it may become one. FLOW_BROKEN: it never will, or is one of a TLS before
 * 1.2; it is longer than CLIENT_HELLO_MAX, or in more than CLIENT_HELLO_RECORDS
 * records; it shares its last record with something else, or its server_name is not
 * exactly one host_name. What stands behind its last record is not looked at. */
enum flow client_hello_read(struct text in, struct client_hello *out);

#endif

/* The fields of an HTTP/2 head, looked over byte by byte and sorted: what frames,
 * routes or is HTTP/2's own goes to its place, the rest becomes the message's headers.
 */
#ifndef HTTP_HTTP2_GATHER_H
#define HTTP_HTTP2_GATHER_H

#include "http/http2_fields.h"
#include "http/message.h"

enum pseudo {
    PSEUDO_METHOD,
    PSEUDO_SCHEME,
    PSEUDO_PATH,
    PSEUDO_AUTHORITY,
    PSEUDO_PROTOCOL,
    PSEUDO_STATUS,
    N_PSEUDO
};

/* What a head's fields say of the message, gathered while the others are listed. */
struct gathered {
    bool of_request;
    bool past_pseudo;
    struct text pseudo[N_PSEUDO]; /* `at` NULL: not there */
    struct text host, length, expect;
    unsigned n_host, n_length, n_expect, n_cookie;
    size_t cookie_at; /* the first, in `headers` */
    bool takes_trailers;
    struct headers *headers;
};

/* Into g, whose of_request and headers stand already; g->headers gets all others,
 * cookies joined. */
MUST_USE enum reason http2_gather(struct gathered *g, const struct section *section,
                                  struct arena *a);
/* A name and its value can stand in any HTTP, also in a trailer. */
bool http2_is_field(const struct field *f);

#endif

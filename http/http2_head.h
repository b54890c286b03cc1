/* What an HTTP/2 head means, and how one is written: from fields to a request or a
 * response as a value, and back. It knows no frame. HTTP/2 has no grammar of its own on
 * the wire, so every byte that HTTP/1 would take for framing is looked for here
 * (RFC 9113 section 8.2): what is taken can be written to an HTTP/1 peer as it is. */
#ifndef HTTP_HTTP2_HEAD_H
#define HTTP_HTTP2_HEAD_H

#include "http/head.h"
#include "http/http2_fields.h"

/* What is known of a message besides its fields. */
struct http2_facts {
    const struct wire_limits *limits;
    struct asked asked;
};

/* The asked method is HEAD; also of a head that is refused, whose refusal is an answer
 * to it. */
bool http2_asks_head(const struct section *section);
MUST_USE enum reason http2_read_request(const struct section *section,
                                        const struct http2_facts *facts,
                                        struct arena *a, struct request *out);
/* REASON_UPSTREAM_UPGRADE for 101, which HTTP/2 does not have. */
MUST_USE enum reason http2_read_response(const struct section *section,
                                         const struct http2_facts *facts,
                                         struct arena *a, struct response *out);
/* As head_read_trailers: forbidden ones refuse a request, and are left out of a
 * response. */
MUST_USE enum reason http2_read_trailers(const struct section *section,
                                         enum wire_role role, struct arena *a,
                                         struct headers *out);

/* A head's fields in the order they are sent. A zeroed one is empty; http2_draft_free
 * ends it. */
struct http2_draft {
    struct buf fields; /* room for `n` struct field */
    size_t n;
    struct buf path; /* where path and query had to be joined */
    char digits[2][24];
};

void http2_draft_request(struct http2_draft *d, const struct request *r,
                         struct text path, struct text query, struct text host);
/* told: the content-length to write; NULL: none. */
void http2_draft_response(struct http2_draft *d, const struct response *r,
                          const uint64_t *told);
/* Trailers, from the bytes of a section of n fields. */
void http2_draft_section(struct http2_draft *d, struct text section, size_t n);
void http2_draft_free(struct http2_draft *d);

static inline const struct field *
http2_draft_at(const struct http2_draft *d, size_t i)
{
    return (const struct field *)(const void *)d->fields.mem + i;
}

#endif

/* HTTP/1.0 and 1.1: one exchange at a time on a wire. Its life is in http1.c, its
 * reading half in http1_read.c, its writing half in http1_write.c; this is what they
 * share. */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/codec.h"
#include "http/parser.h"

enum reading {
    READ_HEAD,
    READ_LENGTH, /* `read_left` bytes */
    READ_CHUNKS, /* `read_left` bytes of this chunk */
    READ_UNTIL_CLOSE,
    READ_TUNNEL, /* as it comes, once a WebSocket was accepted, and nothing before */
    READ_ALL
};

enum writing {
    WRITE_HEAD,
    WRITE_LENGTH, /* `write_left` bytes */
    WRITE_CHUNKS,
    WRITE_UNTIL_CLOSE,
    WRITE_TUNNEL,
    WRITE_NOTHING, /* an answer that has no body, whatever its head tells */
    WRITE_ALL
};

/* The exchange that is on the wire. */
struct place {
    bool is_open;
    enum reading reading;
    enum writing writing;
    uint64_t read_left, write_left;
    struct asked asked;
    unsigned version; /* of the request: 10 or 11; 0 before it is known */
    unsigned n_interim;
    bool keeps_alive; /* HTTP/1.0: the client asked for it */
    bool is_tunnel;   /* a WebSocket was asked for and accepted */
    bool awaits_100;  /* the client may never send the body if it gets another answer */
    struct headers trailers;
};

struct http1 {
    struct wire wire; /* first: wire.h's view of it */
    struct stream stream;
    enum wire_role role;
    struct wire_limits limits;
    struct buf *in, *out;
    struct lexer lexer;
    struct parser *parser;
    struct place place;
    size_t lent;    /* bytes at the front of `in` that are on loan as the last piece of
                       body */
    bool is_closed; /* the peer sends no more */
    bool is_ending; /* carries no exchange after this one */
    bool has_skipped_line; /* the one empty line before this request */
    enum reason broken;    /* no byte of `in` is read any more */
};

static inline struct http1 *
http1_of(const struct stream *s)
{
    return (struct http1 *)(void *)s->wire;
}

/* The last piece of body was on loan until now. */
void http1_take_back(struct http1 *h);
enum flow http1_read_request(struct stream *s, struct arena *a, struct request *out,
                             enum reason *why);
enum flow http1_read_response(struct stream *s, struct arena *a, struct response *out,
                              enum reason *why);
enum flow http1_read_body(struct stream *s, struct arena *a, struct text *piece,
                          enum reason *why);

void http1_write_request(struct stream *s, const struct request *r, struct text path,
                         struct text query, struct text host);
void http1_write_response(struct stream *s, const struct response *r);
void http1_write_body(struct stream *s, struct text piece);
bool http1_writes_plain(const struct stream *s);
void http1_pass_body(struct stream *s, size_t n);
void http1_write_end(struct stream *s, const struct headers *trailers);

#endif

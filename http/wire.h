/* A wire: one connection's HTTP, whichever version; bytes in, bytes out, streams
 * between. It owns no socket and never waits. Above this header nobody can tell HTTP/1
 * from HTTP/2.
 *
 * Its owner appends what the socket gave to `in`, and sends what is in `out`. A stream
 * is one exchange's place on the wire: HTTP/1 has one at a time, the next request
 * staying in `in` until the one before is closed.
 *
 * Everything a stranger sent is checked byte for byte by our lexer before http-parser
 * sees it; what they disagree on is REASON_PARSERS_DISAGREE. After a read returned
 * FLOW_BROKEN the wire reads no more, and wire_may_reuse is false.
 */
#ifndef HTTP_WIRE_H
#define HTTP_WIRE_H

#include "base/buf.h"
#include "base/reason.h"
#include "http/message.h"

struct wire;
struct stream;

enum wire_role {
    WIRE_SERVER, /* towards a client: reads requests, writes responses */
    WIRE_CLIENT
}; /* towards an upstream: writes requests, reads responses */
enum wire_version { WIRE_HTTP1 };

struct wire_limits {
    size_t head_bytes; /* start line and fields together; also trailers */
    size_t fields;
    size_t target_bytes;
};

enum flow {
    FLOW_OK,    /* here it is */
    FLOW_WAIT,  /* more bytes are needed */
    FLOW_END,   /* the message is whole (reading a body), or the peer closed between
                   messages (wire_next) */
    FLOW_BROKEN /* refused: *why says so */
};

/* `in` and `out` are lent for the wire's life. */
struct wire *wire_new(enum wire_version version, enum wire_role role,
                      const struct wire_limits *limits, struct buf *in,
                      struct buf *out);
void wire_free(struct wire *w);

/* The peer will send no more: what is in `in` is the last. */
void wire_read_closed(struct wire *w);

/* Server: FLOW_OK with *s once the first byte of a next request is there and the wire
 * is ready for it. */
enum flow wire_next(struct wire *w, struct stream **s);
/* Client: a stream for a new request; NULL when the wire cannot take one now. */
struct stream *wire_open(struct wire *w);
/* Server: bytes of a request's head have come but not all, whether or not wire_next has
 * given its stream: what a head's deadline is for. Client: an exchange is open. */
bool wire_is_busy(const struct wire *w);
/* Server: between two requests and like a new one, which can take its place: no byte of
 * a next request has come, or was skipped. */
bool wire_is_fresh(const struct wire *w);
/* May carry another exchange: both messages of the last were whole, and neither side
 * asked to close. Client: nor is there a byte that nobody asked for. */
bool wire_may_reuse(const struct wire *w);

/* Server: the request's head. Copied into the arena. */
enum flow stream_read_request(struct stream *s, struct arena *a, struct request *out,
                              enum reason *why);
/* Client: a response's head. Interim ones (1xx) come one by one like any other; 101 is
 * refused as REASON_UPSTREAM_UPGRADE. Broken answers are REASON_UPSTREAM_MALFORMED,
 * _HEAD_TOO_LARGE or _CLOSED, with the detail logged. */
enum flow stream_read_response(struct stream *s, struct arena *a, struct response *out,
                               enum reason *why);
/* The next piece of body, on loan until the next call on this wire or the next byte
 * appended to `in`, where it lies. At the end
 * FLOW_END; trailers are then in stream_trailers. A message that ends too early is
 * FLOW_BROKEN with REASON_CLIENT_GONE or REASON_UPSTREAM_CLOSED. */
enum flow stream_read_body(struct stream *s, struct arena *a, struct text *piece,
                           enum reason *why);
/* The trailers that may be passed on; NULL when there were none. Forbidden ones in a
 * request were REASON_TRAILER; in a response they are left out. */
const struct headers *stream_trailers(const struct stream *s);
/* The whole message has been read. */
bool stream_has_read_all(const struct stream *s);

/* Client: writes a head anew from these values: never a byte of the stranger's own
 * framing. Adds Host, Content-Length or Transfer-Encoding, and Connection where needed.
 */
void stream_write_request(struct stream *s, const struct request *r, struct text path,
                          struct text query, struct text host);
/* Server: the same for a response. An interim one (status below 200) may come first; an
 * HTTP/1.0 client is sent none. A response with BODY_STREAM goes out chunked, or until
 * close to an HTTP/1.0 client. */
void stream_write_response(struct stream *s, const struct response *r);
void stream_write_body(struct stream *s, struct text piece);
/* This body goes on the wire as it is, with no framing between its bytes: when nothing
 * waits in `out`, the caller may send some of it without copying it there … */
bool stream_writes_plain(const struct stream *s);
/* … and says so of the n bytes that have gone. */
void stream_pass_body(struct stream *s, size_t n);
/* The message is over. trailers may be NULL. */
void stream_write_end(struct stream *s, const struct headers *trailers);
bool stream_has_written_all(const struct stream *s);

/* Server: the connection closes after this exchange, and the response's head shall say
 * so. Call before its head is written. */
void stream_close_after(struct stream *s);

/* The exchange lets go of its place. Messages not whole in both directions make the
 * wire unusable for another. */
void stream_close(struct stream *s);

#endif

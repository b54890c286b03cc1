/* A wire: one connection's HTTP, whichever version; bytes in, bytes out, streams
 * between. It owns no socket and never waits. Above this header nobody can tell HTTP/1
 * from HTTP/2, but for wire_is_multiplexed: who rides alone moves the bytes himself,
 * who shares leaves that to the connection.
 *
 * Its owner appends what the socket gave to `in`, calls wire_receive, and sends what is
 * in `out` after wire_send. A stream is one exchange's place on the wire: HTTP/1 has
 * one at a time, the next request staying in `in` until the one before is closed;
 * HTTP/2 has many, each of which rings its bell when it has news.
 *
 * Everything a stranger sent is checked byte for byte by our own reader. In HTTP/1
 * http-parser sees it after that, and what they disagree on is
 * REASON_PARSERS_DISAGREE; HTTP/2's frames are nghttp2's to read, its fields ours.
 * A read that returned FLOW_BROKEN is the last of its stream: HTTP/1 reads no more of
 * the wire then, and wire_may_reuse is false; HTTP/2 goes on with the others.
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
enum wire_version {
    WIRE_HTTP1,
    WIRE_HTTP2,
    WIRE_OPAQUE /* TLS that nobody opens here: one CONNECT, its bytes as they come, from
                   the ClientHello on. It is accepted as it is asked for: by a 200 with
                   a BODY_TUNNEL; any other answer is told as an alert. Else as HTTP/1
                 */
};

struct wire_limits {
    size_t head_bytes; /* start line and fields together; also trailers */
    size_t fields;
    size_t target_bytes;
    size_t ceiling; /* bytes of body that wait in one direction: of a stream, and in
                       `out` */
    size_t streams; /* of HTTP/2, that a peer may have open at once */
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

/* Many streams at once, whose bells ring. */
bool wire_is_multiplexed(const struct wire *w);

/* The peer will send no more: what is in `in` is the last. Before wire_receive or
 * behind it, once or again, all the same: what came is acted on, then the end. HTTP/2
 * drops what is appended to `in` after that. */
void wire_read_closed(struct wire *w);
/* HTTP/2: takes all of `in` and rings the bells of the streams that it concerns.
 * FLOW_BROKEN when the connection can go on no more (*why; what the peer is to be told
 * of it is in `out` after wire_send); the streams have rung. HTTP/1: does nothing. */
enum flow wire_receive(struct wire *w, enum reason *why);
/* HTTP/2: puts what waits into `out` until that holds `ceiling` bytes; streams that
 * have room again ring. To be called behind every turn's reads and writes. HTTP/1: does
 * nothing, its writers write to `out`. */
void wire_send(struct wire *w);
/* No other exchange after those that it carries; the peer is told as early as the
 * version allows (HTTP/1: in the next head; HTTP/2: GOAWAY). */
void wire_drain(struct wire *w);
/* Server, HTTP/2: answers stand here whole whose exchanges have let go, and whose
 * reader takes nothing … */
bool wire_has_unread(const struct wire *w);
/* … and those of which not a byte has gone since this was last called are cut. */
void wire_cut_unread(struct wire *w);
/* HTTP/2: nothing can come of it any more: it broke, or is drained (by either side) and
 * carries no stream. */
bool wire_is_over(const struct wire *w);

/* Server: FLOW_OK with *s once the first byte of a next request is there and the wire
 * is ready for it; HTTP/2: once its head is whole. */
enum flow wire_next(struct wire *w, struct stream **s);
/* Client: a stream for a new request; NULL when the wire cannot take one now. */
struct stream *wire_open(struct wire *w);
/* Client: WebSocket may be asked for here. HTTP/1: always; HTTP/2: when the peer has
 * said so (RFC 8441 section 3). */
bool wire_takes_websocket(const struct wire *w);
/* Client: what that says is the peer's last word. HTTP/1: always; HTTP/2: its first
 * frame has come. */
bool wire_is_greeted(const struct wire *w);
/* Server: bytes of a request's head have come but not all, whether or not wire_next has
 * given its stream: what a head's deadline is for; HTTP/2: or of anything else that
 * is no body. Client: an exchange is open. */
bool wire_is_busy(const struct wire *w);
/* Server: between two requests and like a new one, which can take its place: no byte of
 * a next request has come, or was skipped. */
bool wire_is_fresh(const struct wire *w);
/* May carry another exchange: both messages of the last were whole, and neither side
 * asked to close. Client: nor is there a byte that nobody asked for. HTTP/2: there is a
 * place for another stream now. */
bool wire_may_reuse(const struct wire *w);

/* HTTP/2: `ring` is called, from within wire_receive, wire_send and wire_read_closed,
 * once in each, when this stream has something to read, room to write, or was ended by
 * its peer. It must only note that. HTTP/1: never; its connection's bell is its own. */
void stream_set_bell(struct stream *s, void (*ring)(void *owner), void *owner);
/* The peer has taken the stream back (RST_STREAM), or it went down with its connection:
 * what is read and written comes to nothing. HTTP/1: never. */
bool stream_is_gone(const struct stream *s);
/* Client: the peer has said that it did nothing with this request (REFUSED_STREAM, or a
 * GOAWAY that leaves it out: RFC 9113 section 8.7). */
bool stream_is_unprocessed(const struct stream *s);

/* Server: the request's head. Copied into the arena. */
enum flow stream_read_request(struct stream *s, struct arena *a, struct request *out,
                              enum reason *why);
/* Client: a response's head. Interim ones (1xx) come one by one like any other. 101 is
 * the acceptance of a WebSocket, in HTTP/2 too (where it travels as a 2xx), and no
 * interim one: the bodies begin. Unasked it is refused as REASON_UPSTREAM_UPGRADE, and
 * as REASON_UPSTREAM_WEBSOCKET when it does not answer the handshake that was sent.
 * Broken answers are REASON_UPSTREAM_MALFORMED, _HEAD_TOO_LARGE or _CLOSED, with the
 * detail logged. */
enum flow stream_read_response(struct stream *s, struct arena *a, struct response *out,
                               enum reason *why);
/* The next piece of body (of a tunnel: of what came, which before the 101 is nothing),
 * on loan until the next call on this wire or the next byte
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
 * HTTP/1.0 client is sent none. 101 accepts the WebSocket that was asked for. A
 * response with BODY_STREAM goes out chunked, or until close to an HTTP/1.0 client. */
void stream_write_response(struct stream *s, const struct response *r);
void stream_write_body(struct stream *s, struct text piece);
/* As much of the body waits to be sent as may: more is to be written when there is
 * room. */
bool stream_is_full(const struct stream *s);
/* This body goes on the wire as it is, with no framing between its bytes: when nothing
 * waits in `out`, the caller may send some of it without copying it there … */
bool stream_writes_plain(const struct stream *s);
/* … and says so of the n bytes that have gone. */
void stream_pass_body(struct stream *s, size_t n);
/* The message is over. trailers may be NULL. Of a tunnel: this side says no more; in
 * HTTP/1 it is heard when the owner, once `out` has gone, sends no more either. */
void stream_write_end(struct stream *s, const struct headers *trailers);
bool stream_has_written_all(const struct stream *s);

/* Server: nothing more is read of this request than has been. HTTP/1: the connection
 * closes after this exchange, and the response's head shall say so: call before it is
 * written. HTTP/2: the stream alone ends with the response. */
void stream_close_after(struct stream *s);

/* The exchange lets go of its place. Messages not whole in both directions make an
 * HTTP/1 wire unusable for another, and reset an HTTP/2 stream: with NO_ERROR when the
 * response was whole, else so that what came cannot be taken for it. */
void stream_close(struct stream *s);

#endif

/* HTTP/2: many exchanges at a time on a wire. A wire's life is in http2.c, a stream's
 * in http2_stream.c, its reading half in http2_read.c, its writing half in
 * http2_write.c. Frames are read and written by nghttp2, whose door is http2_session.c
 * and the two files behind it (http2_door.h). This is what they share. */
#ifndef HTTP_HTTP2_H
#define HTTP_HTTP2_H

#include "base/list.h"
#include "http/codec.h"
#include "http/http2_guard.h"
#include "http/http2_head.h"

struct nghttp2_session;

struct http2 {
    struct wire wire; /* first: wire.h's view of it */
    enum wire_role role;
    struct wire_limits limits;
    struct buf *in, *out;
    struct nghttp2_session *session;
    struct guard guard;
    struct http2_stream *latest; /* that was asked for, while the library knows it */
    struct list streams;         /* that have not ended on both sides of us */
    struct list fresh;   /* server: their heads are whole, and nobody has taken them */
    struct list ringing; /* have news since the last bell */
    size_t n_streams;
    size_t n_left;       /* streams whose exchanges are over, and which still send */
    size_t n_wide;       /* of them, whose window was widened */
    bool is_greeted;     /* the peer's settings have come */
    bool is_closed;      /* the peer sends no more */
    bool is_draining;    /* we have told it that the end is near */
    bool is_ending;      /* no stream after those there are */
    bool has_told_fault; /* a GOAWAY that says why it broke is in `out` */
    enum reason broken;  /* nothing is read any more */
};

enum http2_reading { HTTP2_READ_HEAD, HTTP2_READ_BODY, HTTP2_READ_ALL };
enum http2_writing {
    HTTP2_WRITE_HEAD,
    HTTP2_WRITE_BODY,
    HTTP2_WRITE_NOTHING, /* the head was all, whatever it tells of a body */
    HTTP2_WRITE_ALL
};

struct http2_stream {
    struct stream stream; /* first: wire.h's view of it */
    struct list all, fresh, bell;
    void (*ring)(void *owner);
    void *owner;
    int32_t id; /* 0: its request has not been written */

    bool is_owned;       /* by an exchange; when not, it only flushes */
    bool is_known;       /* to the library: a frame of it may still come or go */
    bool is_gone;        /* the peer took it back, or it went down with the wire */
    bool is_unprocessed; /* … and says it did nothing with it */
    bool is_deaf;        /* what comes is dropped */
    bool is_blamed;      /* … and counted */
    bool is_cut;         /* we reset it of our own will */
    bool is_left;   /* its exchange is over, and its answer waits for its reader … */
    bool has_moved; /* … who took some of it, since somebody looked */
    bool is_deferred;  /* the library waits to be told of more body */
    bool ends_quietly; /* reset without error once its last byte has gone */
    bool has_head;     /* the peer's message proper has begun: its head is here, … */
    bool has_come;     /* … and its end */
    bool has_sent;     /* something of our message, … */
    bool has_sent_end; /* … and its end */

    struct sections sections;
    struct buf body; /* that came and waits to be read */
    size_t lent;     /* bytes at its front that are on loan as the last piece */
    enum http2_reading reading;
    bool has_length; /* exactly read_left bytes of body are to come … */
    uint64_t read_left;
    bool has_no_body; /* … or none whatever the fields say */
    bool is_interim;  /* the head that is coming is of an interim answer */
    unsigned n_interim;
    enum reason broken; /* what came is malformed */
    uint64_t read;      /* of its body */
    int32_t window;     /* its peer's, once it was widened */
    struct headers trailers;

    struct buf out;       /* body that waits to be sent, … */
    struct text passing;  /* … or is on loan from its writer, while he writes it */
    struct sections last; /* the trailers, until it has been */
    enum http2_writing writing;
    bool counts_down;
    uint64_t write_left;
    bool was_full;

    struct asked asked;
    bool is_accepted; /* a WebSocket that was asked for: by our answer */
};

static inline struct http2 *
http2_of(const struct stream *s)
{
    return (struct http2 *)(void *)s->wire;
}

static inline struct http2_stream *
http2_stream_of(const struct stream *s)
{
    return (struct http2_stream *)(uintptr_t)s;
}

/* ---- the library's session */

void http2_session_open(struct http2 *h);
void http2_session_close(struct http2 *h);
/* Acts on bytes that came. */
MUST_USE enum reason http2_session_take(struct http2 *h, struct text bytes);
/* Puts what waits into `out`, until that holds the ceiling; of a wire that broke no
 * more than what tells so. */
void http2_session_give(struct http2 *h);
/* Tells the peer that this connection ends by its fault. */
void http2_session_abort(struct http2 *h);
/* Tells it that no more streams will be taken soon (server), or opened. */
void http2_session_drain(struct http2 *h);
/* As many streams of ours as the peer takes at once. */
size_t http2_session_room(const struct http2 *h);
bool http2_session_takes_websocket(const struct http2 *h);

void http2_submit_head(struct http2_stream *s, const struct http2_draft *d,
                       bool is_interim, bool is_all);
/* There is more to send of it, or its end. */
void http2_resume(struct http2_stream *s);
/* With NO_ERROR, or so that what came cannot be taken for whole. */
void http2_reset(struct http2_stream *s, bool is_quiet);
/* n bytes of its body have been read: the peer may send as many again. */
void http2_consume(struct http2_stream *s, size_t n);
/* Its memory is about to go, while the library still knows it. */
void http2_forget(struct http2_stream *s);

/* ---- what the session tells */

/* The peer takes, or opens, no more streams. */
void http2_stop(struct http2 *h);
struct http2_stream *http2_stream_new(struct http2 *h);
/* A head or trailers: their fields follow, … */
void http2_stream_begin_section(struct http2_stream *s);
void http2_stream_hear_field(struct http2_stream *s, struct text name,
                             struct text value, bool never_index);
/* … and have come whole; is_last: nothing follows them. */
void http2_stream_end_section(struct http2_stream *s, bool is_last);
void http2_stream_hear(struct http2_stream *s, struct text piece);
void http2_stream_end_body(struct http2_stream *s);
/* n bytes of its body go into the wire's `out`. */
void http2_stream_send(struct http2_stream *s, size_t n);
/* Bytes of its body that wait to be sent. */
size_t http2_stream_waiting(const struct http2_stream *s);
/* A frame of its head or body is in `out`; is_last: none follows. */
void http2_stream_note_sent(struct http2_stream *s, bool is_last);
/* Left, and nothing of it has gone since this was last called: is cut. */
void http2_stream_expire(struct http2_stream *s);
/* The session has no more to do with it: both sides ended it, or one reset it. */
void http2_stream_end(struct http2_stream *s, bool is_unprocessed);

/* ---- streams, for the wire */

void http2_stream_free(struct http2_stream *s);
/* There is news; the bell rings at the end of this turn, once. */
void http2_stream_ring(struct http2_stream *s);
/* Its client sent a request that is none, or broke one that is being served: work was
 * begun, and is thrown away as if by a reset (CVE-2025-8671). Counts once. */
void http2_stream_blame(struct http2_stream *s);
/* Nothing comes of it any more. */
void http2_stream_go(struct http2_stream *s, bool is_unprocessed);

/* ---- what wire.h asks of a stream */

void http2_set_bell(struct stream *s, void (*ring)(void *owner), void *owner);
bool http2_is_gone(const struct stream *s);
bool http2_is_unprocessed(const struct stream *s);
enum flow http2_take_request(struct stream *s, struct arena *a, struct request *out,
                             enum reason *why);
enum flow http2_take_response(struct stream *s, struct arena *a, struct response *out,
                              enum reason *why);
enum flow http2_read_body(struct stream *s, struct arena *a, struct text *piece,
                          enum reason *why);
const struct headers *http2_trailers(const struct stream *s);
bool http2_has_read_all(const struct stream *s);
void http2_write_request(struct stream *s, const struct request *r, struct text path,
                         struct text query, struct text host);
void http2_write_response(struct stream *s, const struct response *r);
void http2_write_body(struct stream *s, struct text piece);
bool http2_is_full(const struct stream *s);
bool http2_writes_plain(const struct stream *s);
void http2_pass_body(struct stream *s, size_t n);
void http2_write_end(struct stream *s, const struct headers *trailers);
bool http2_has_written_all(const struct stream *s);
void http2_close_after(struct stream *s);
void http2_close(struct stream *s);

#endif

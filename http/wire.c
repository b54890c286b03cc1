#include "http/codec.h"

#include "base/log.h"

enum reason
codec_refusal(enum wire_role role, enum reason detail)
{
    enum reason told;

    if (role == WIRE_SERVER || detail == REASON_UPSTREAM_CLOSED ||
        detail == REASON_UPSTREAM_UPGRADE || detail == REASON_UPSTREAM_WEBSOCKET)
        return detail;
    told = detail == REASON_HEAD_TOO_LARGE || detail == REASON_TOO_MANY_FIELDS
               ? REASON_UPSTREAM_HEAD_TOO_LARGE
               : REASON_UPSTREAM_MALFORMED;
    return log_reason(told, "reading an answer: %s", reason_token(detail));
}

struct wire *
wire_new(enum wire_version version, enum wire_role role,
         const struct wire_limits *limits, struct buf *in, struct buf *out)
{
    switch (version) {
    case WIRE_HTTP2:
        return http2_new(role, limits, in, out);
    case WIRE_OPAQUE:
        return opaque_new(role, limits, in, out);
    case WIRE_HTTP1:
    default:
        return http1_new(role, limits, in, out);
    }
}

void
wire_free(struct wire *w)
{
    if (w != NULL)
        w->codec->free(w);
}

void
wire_read_closed(struct wire *w)
{
    w->codec->read_closed(w);
}

bool
wire_is_multiplexed(const struct wire *w)
{
    return w->codec->is_multiplexed;
}

enum flow
wire_receive(struct wire *w, enum reason *why)
{
    return w->codec->receive != NULL ? w->codec->receive(w, why) : FLOW_OK;
}

void
wire_send(struct wire *w)
{
    if (w->codec->send != NULL)
        w->codec->send(w);
}

void
wire_drain(struct wire *w)
{
    w->codec->drain(w);
}

bool
wire_is_over(const struct wire *w)
{
    return w->codec->is_over(w);
}

bool
wire_has_unread(const struct wire *w)
{
    return w->codec->has_unread != NULL && w->codec->has_unread(w);
}

void
wire_cut_unread(struct wire *w)
{
    if (wire_has_unread(w))
        w->codec->cut_unread(w);
}

enum flow
wire_next(struct wire *w, struct stream **s)
{
    return w->codec->next(w, s);
}

struct stream *
wire_open(struct wire *w)
{
    return w->codec->open(w);
}

bool
wire_is_greeted(const struct wire *w)
{
    return w->codec->is_greeted(w);
}

bool
wire_takes_websocket(const struct wire *w)
{
    return w->codec->takes_websocket(w);
}

bool
wire_is_busy(const struct wire *w)
{
    return w->codec->is_busy(w);
}

bool
wire_is_fresh(const struct wire *w)
{
    return w->codec->is_fresh(w);
}

bool
wire_may_reuse(const struct wire *w)
{
    return w->codec->may_reuse(w);
}

void
stream_set_bell(struct stream *s, void (*ring)(void *owner), void *owner)
{
    s->wire->codec->set_bell(s, ring, owner);
}

bool
stream_is_gone(const struct stream *s)
{
    return s->wire->codec->is_gone(s);
}

bool
stream_is_unprocessed(const struct stream *s)
{
    return s->wire->codec->is_unprocessed(s);
}

enum flow
stream_read_request(struct stream *s, struct arena *a, struct request *out,
                    enum reason *why)
{
    return s->wire->codec->read_request(s, a, out, why);
}

enum flow
stream_read_response(struct stream *s, struct arena *a, struct response *out,
                     enum reason *why)
{
    return s->wire->codec->read_response(s, a, out, why);
}

enum flow
stream_read_body(struct stream *s, struct arena *a, struct text *piece,
                 enum reason *why)
{
    return s->wire->codec->read_body(s, a, piece, why);
}

const struct headers *
stream_trailers(const struct stream *s)
{
    return s->wire->codec->trailers(s);
}

bool
stream_has_read_all(const struct stream *s)
{
    return s->wire->codec->has_read_all(s);
}

void
stream_write_request(struct stream *s, const struct request *r, struct text path,
                     struct text query, struct text host)
{
    s->wire->codec->write_request(s, r, path, query, host);
}

void
stream_write_response(struct stream *s, const struct response *r)
{
    s->wire->codec->write_response(s, r);
}

void
stream_write_body(struct stream *s, struct text piece)
{
    s->wire->codec->write_body(s, piece);
}

bool
stream_is_full(const struct stream *s)
{
    return s->wire->codec->is_full(s);
}

bool
stream_writes_plain(const struct stream *s)
{
    return s->wire->codec->writes_plain(s);
}

void
stream_pass_body(struct stream *s, size_t n)
{
    s->wire->codec->pass_body(s, n);
}

void
stream_write_end(struct stream *s, const struct headers *trailers)
{
    s->wire->codec->write_end(s, trailers);
}

bool
stream_has_written_all(const struct stream *s)
{
    return s->wire->codec->has_written_all(s);
}

void
stream_close_after(struct stream *s)
{
    s->wire->codec->close_after(s);
}

void
stream_close(struct stream *s)
{
    s->wire->codec->close(s);
}

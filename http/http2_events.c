/* What a session tells while it reads and writes: streams that begin, heads, pieces of
 * body, ends. No field is judged here, and nobody is called back: bells ring later. */
#include "http/http2_door.h"

#include <assert.h>

enum { URGENCY = 3 }; /* RFC 9218's default */

/* ---- what came */

static struct text
text_in(nghttp2_rcbuf *b)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

    return text_of((const char *)v.base, v.len);
}

/* All streams alike, in turns: what a client says of priorities could starve its other
 * exchanges, and costs work to hear. */
static void
share_evenly(nghttp2_session *session, int32_t id)
{
    nghttp2_extpri priority = { .urgency = URGENCY, .inc = 1 };
    int failed = nghttp2_session_change_extpri_stream_priority(session, id, &priority,
                                                               1);

    assert(failed == 0);
}

static void
begin_stream(struct http2 *h, int32_t id)
{
    struct http2_stream *s = http2_stream_new(h);

    s->id = id;
    s->is_known = true;
    nghttp2_session_set_stream_user_data(h->session, id, s);
    share_evenly(h->session, id);
    guard_earn(&h->guard, GUARD_PER_STREAM);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *wire)
{
    struct http2 *h = wire;
    struct http2_stream *s;

    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_stream(h, frame->hd.stream_id);
    if ((s = http2_stream_at(h, frame->hd.stream_id)) != NULL)
        http2_stream_begin_section(s);
    return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
          nghttp2_rcbuf *value, uint8_t flags, void *wire)
{
    bool never_index = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
    struct http2_stream *s = http2_stream_at(wire, frame->hd.stream_id);

    (void)session;
    if (s != NULL)
        http2_stream_hear_field(s, text_in(name), text_in(value), never_index);
    return 0;
}

/* An acknowledged PING is a round trip behind the notice: who has not opened a stream
 * by now has heard it. */
static void
end_drain(struct http2 *h)
{
    if (!h->is_draining || h->is_ending)
        return;
    h->is_ending = true;
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *wire)
{
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct http2_stream *s = NULL;
    struct http2 *h = wire;

    (void)session;
    if (frame->hd.stream_id != 0)
        s = http2_stream_at(wire, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && s != NULL)
        http2_stream_end_section(s, is_last);
    else if (frame->hd.type == NGHTTP2_DATA && s != NULL && is_last)
        http2_stream_end_body(s);
    else if (frame->hd.type == NGHTTP2_SETTINGS)
        h->is_greeted = true; /* an acknowledgement comes behind them */
    else if (frame->hd.type == NGHTTP2_GOAWAY)
        http2_stop(h);
    else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK))
        end_drain(h);
    return 0;
}

/* The connection's window is given back at once: a stream that nobody reads holds up
 * itself alone, and can hold no more than its own window. */
static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
        size_t n, void *wire)
{
    struct http2_stream *s = http2_stream_at(wire, id);
    struct http2 *h = wire;

    (void)flags;
    guard_earn(&h->guard, GUARD_PER_DATA_IN);
    nghttp2_session_consume_connection(session, n);
    if (s != NULL)
        http2_stream_hear(s, text_of((const char *)at, n));
    return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *wire)
{
    struct http2_stream *s = http2_stream_at(wire, id);
    struct http2 *h = wire;

    (void)session;
    h->latest = NULL;
    if (s != NULL)
        http2_stream_end(s, code == NGHTTP2_REFUSED_STREAM);
    return 0;
}

/* ---- what went, or could not */

/* An answer's head, or trailers, that the session cannot send leave nothing that could
 * end their stream. Of a request that never went nobody has heard. */
static int
on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code, void *wire)
{
    struct http2_stream *s = NULL;

    (void)session;
    (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        s = http2_stream_at(wire, frame->hd.stream_id);
    if (s != NULL && !s->is_gone)
        http2_reset(s, false);
    return 0;
}

static void
note_reset_sent(struct http2 *h, const struct http2_stream *s)
{
    /* Not the ones that we chose to send: their work is done or cut. */
    if (s == NULL || !s->is_cut)
        guard_note_reset(&h->guard);
}

static int
on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *wire)
{
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct http2_stream *s = NULL;
    struct http2 *h = wire;

    (void)session;
    if (frame->hd.stream_id != 0)
        s = http2_stream_at(wire, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
        note_reset_sent(h, s);
        break;
    case NGHTTP2_GOAWAY:
        h->has_told_fault |= frame->goaway.error_code != NGHTTP2_NO_ERROR;
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        if (s != NULL)
            http2_stream_note_sent(s, is_last);
        break;
    default:
        break;
    }
    return 0;
}

void
http2_set_events(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, http2_send_waiting);
}

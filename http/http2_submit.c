/* What a session is told to send of a stream: its head, its body as it waits, its
 * trailers, its end; and how much its peer may send. */
#include "http/http2_door.h"

#include <assert.h>

enum {
    FRAME_HEADER = 9,
    SPARE = 4096,             /* a ceiling's block has so much more (base/buf.c) */
    LONG_BODY = 1024 * 1024,  /* after so much of it … */
    WIDE = 4,                 /* … a window may be so many ceilings, … */
    WIDE_MOST = 4,            /* … of so many streams at once, … */
    WIDE_ALONE = 16,          /* … or so many, of one that is alone … */
    ALONE_BYTES = 1024 * 1024 /* … as far as that is no more than this */
};

/* ---- bodies */

/* The library copies them, in lower case. */
static nghttp2_nv *
list_fields(struct buf *room, const struct http2_draft *d)
{
    nghttp2_nv *list = (nghttp2_nv *)(void *)buf_reserve(room, d->n * sizeof *list);

    for (size_t i = 0; i < d->n; i++) {
        const struct field *f = http2_draft_at(d, i);

        list[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)f->name.at,
            .value = (uint8_t *)(uintptr_t)f->value.at,
            .namelen = f->name.n,
            .valuelen = f->value.n,
            .flags = f->never_index ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
        };
    }
    return list;
}

/* The trailers go behind the last byte of body, never before. */
static void
submit_trailers(nghttp2_session *session, struct http2_stream *s)
{
    struct http2_draft draft = { .n = 0 };
    struct buf room = { 0 };

    http2_draft_section(&draft, sections_first(&s->last), s->last.n);
    nghttp2_submit_trailer(session, s->id, list_fields(&room, &draft), draft.n);
    buf_free(&room);
    http2_draft_free(&draft);
    sections_free(&s->last);
}

/* For another frame, so that `out` stays in one block of memory; of a ceiling that is
 * lower than a frame's length, one at a time. */
bool
http2_has_room(const struct http2 *h)
{
    size_t waiting = buf_length(h->out);

    return waiting == 0 ||
           waiting + FRAME_HEADER + FRAME_MOST <= h->limits.ceiling + SPARE;
}

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *unused, size_t most,
          uint32_t *flags, nghttp2_data_source *source, void *wire)
{
    struct http2_stream *s = http2_stream_at(wire, id);
    const struct http2 *h = wire;
    size_t n;

    (void)unused;
    (void)source;
    if (h->broken != REASON_OK)
        return NGHTTP2_ERR_PAUSE;
    assert(s != NULL);
    if (s->is_gone) /* what it wrote is lost: it must not end as if whole */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = http2_stream_waiting(s);
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (s->writing == HTTP2_WRITE_ALL && n <= most) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->last.n_whole > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(session, s);
        }
    } else if (n == 0) {
        s->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)(n < most ? n : most);
}

int
http2_send_waiting(nghttp2_session *session, nghttp2_frame *frame,
                   const uint8_t *header, size_t n, nghttp2_data_source *source,
                   void *wire)
{
    struct http2_stream *s = http2_stream_at(wire, frame->hd.stream_id);
    struct http2 *h = wire;

    (void)session;
    (void)source;
    assert(s != NULL);
    buf_reserve(h->out, FRAME_HEADER + n);
    buf_add(h->out, text_of((const char *)header, FRAME_HEADER));
    http2_stream_send(s, n);
    if (n > 0)
        guard_earn(&h->guard, GUARD_PER_DATA_OUT + (int32_t)(n / GUARD_BYTES_OUT));
    return http2_has_room(h) ? 0 : NGHTTP2_ERR_PAUSE;
}

/* ---- heads */

static int
submit(nghttp2_session *session, struct http2_stream *s, const nghttp2_nv *list,
       size_t n, const nghttp2_data_provider *body, bool is_interim)
{
    if (http2_of(&s->stream)->role == WIRE_CLIENT) {
        s->id = nghttp2_submit_request(session, NULL, list, n, body, s);
        return s->id < 0;
    }
    if (is_interim)
        return nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, s->id, NULL, list, n,
                                      NULL);
    return nghttp2_submit_response(session, s->id, list, n, body);
}

void
http2_submit_head(struct http2_stream *s, const struct http2_draft *d, bool is_interim,
                  bool is_all)
{
    struct http2 *h = http2_of(&s->stream);
    nghttp2_data_provider body = { .read_callback = read_body };
    struct buf room = { 0 };
    int failed = submit(h->session, s, list_fields(&room, d), d->n,
                        is_all ? NULL : &body, is_interim);

    assert(failed == 0);
    if (h->role == WIRE_CLIENT) {
        s->is_known = true;
        guard_earn(&h->guard, GUARD_PER_STREAM);
    }
    buf_free(&room);
}

/* ---- ends and windows */

void
http2_resume(struct http2_stream *s)
{
    if (!s->is_deferred || !s->is_known)
        return;
    s->is_deferred = false;
    nghttp2_session_resume_data(http2_of(&s->stream)->session, s->id);
}

void
http2_reset(struct http2_stream *s, bool is_quiet)
{
    struct http2 *h = http2_of(&s->stream);
    uint32_t code = h->role == WIRE_CLIENT ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;

    s->is_cut = true;
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id,
                              is_quiet ? NGHTTP2_NO_ERROR : code);
}

/* A long body that is read as fast as it comes waits for windows more than for anything
 * else. One that has its connection for itself gets much more room, or a few of it
 * some; one whose reader stalls then holds that much, and no other stream loses any. */
static int32_t
wide_window(const struct http2 *h)
{
    size_t few = h->limits.ceiling * WIDE, many = h->limits.ceiling * WIDE_ALONE;

    if (many > ALONE_BYTES)
        many = few > ALONE_BYTES ? few : ALONE_BYTES;
    return (int32_t)(h->n_streams == 1 ? many : few);
}

static void
widen(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);
    int32_t window = wide_window(h);

    if (window <= s->window || s->has_come || !s->is_known)
        return;
    if (s->window == 0 && h->n_wide >= WIDE_MOST)
        return;
    h->n_wide += s->window == 0;
    s->window = window;
    (void)nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, s->id,
                                                window);
}

void
http2_consume(struct http2_stream *s, size_t n)
{
    nghttp2_session_consume_stream(http2_of(&s->stream)->session, s->id, n);
    s->read += n;
    if (s->read >= LONG_BODY)
        widen(s);
}

void
http2_forget(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);

    h->latest = NULL;
    nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
}

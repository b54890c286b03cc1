/* nghttp2's one door. It reads frames, keeps windows and the compression state, and
 * orders what is sent; it judges no field (no_http_messaging): http2_head.c does. A
 * session of its is freed with the wire, after which nothing of it is called. */
#include "http/http2.h"

#include "base/memory.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    TABLE_BYTES = 4096, /* HPACK's, each way */
    CONTINUATIONS = 8,  /* of one head */
    SETTINGS_AT_ONCE = 32,
    ACKS_QUEUED = GUARD_IDLE + 1, /* the guard is first */
    URGENCY = 3,                  /* RFC 9218's default */
    FRAME_HEADER = 9,
    FRAME_MOST = 16 * 1024,
    LONG_BODY = 1024 * 1024, /* after so much of it … */
    WIDE_FACTOR = 4,         /* … a window may be so many ceilings, … */
    WIDE_MOST = 4            /* … of so many streams at once */
};

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

/* ---- memory: none ends the process, as everywhere */

static void *
take_memory(size_t n, void *unused)
{
    (void)unused;
    return memory_new_raw(n);
}

static void *
take_zeroed(size_t count, size_t size, void *unused)
{
    (void)unused;
    return memory_new_array(count, size);
}

static void *
take_larger(void *at, size_t n, void *unused)
{
    void *larger = realloc(at, n);

    (void)unused;
    if (larger == NULL && n > 0)
        memory_exhausted();
    return larger;
}

static void
give_memory(void *at, void *unused)
{
    (void)unused;
    free(at);
}

static nghttp2_mem memory = { NULL, take_memory, give_memory, take_zeroed,
                              take_larger };

/* ---- what came */

static struct http2_stream *
stream_at(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

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
    struct http2_stream *s;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_stream(wire, frame->hd.stream_id);
    if ((s = stream_at(session, frame->hd.stream_id)) != NULL)
        http2_stream_begin_section(s);
    return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
          nghttp2_rcbuf *value, uint8_t flags, void *wire)
{
    struct http2_stream *s = stream_at(session, frame->hd.stream_id);
    bool never_index = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;

    (void)wire;
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

    if (frame->hd.stream_id != 0)
        s = stream_at(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && s != NULL)
        http2_stream_end_section(s, is_last);
    else if (frame->hd.type == NGHTTP2_DATA && s != NULL && is_last)
        http2_stream_end_body(s);
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
    struct http2_stream *s = stream_at(session, id);
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
    struct http2_stream *s = stream_at(session, id);

    (void)wire;
    if (s != NULL)
        http2_stream_end(s, code == NGHTTP2_REFUSED_STREAM);
    return 0;
}

/* ---- what goes */

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

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *unused, size_t most,
          uint32_t *flags, nghttp2_data_source *source, void *wire)
{
    struct http2_stream *s = stream_at(session, id);
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

/* For another frame, so that `out` stays below its ceiling, and in one block of memory;
 * of a ceiling that is lower than a frame's length, one at a time. */
static bool
has_room(const struct http2 *h)
{
    size_t waiting = buf_length(h->out);

    return waiting == 0 || waiting + FRAME_HEADER + FRAME_MOST <= h->limits.ceiling;
}

static int
send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
          size_t n, nghttp2_data_source *source, void *wire)
{
    struct http2_stream *s = stream_at(session, frame->hd.stream_id);
    struct http2 *h = wire;

    (void)source;
    assert(s != NULL);
    buf_reserve(h->out, FRAME_HEADER + n);
    buf_add(h->out, text_of((const char *)header, FRAME_HEADER));
    http2_stream_send(s, n);
    if (n > 0)
        guard_earn(&h->guard, GUARD_PER_DATA_OUT);
    return has_room(h) ? 0 : NGHTTP2_ERR_PAUSE;
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

    if (frame->hd.stream_id != 0)
        s = stream_at(session, frame->hd.stream_id);
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

/* ---- a session's life */

static void
make_callbacks(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0 ||
        nghttp2_option_new(&options) != 0)
        memory_exhausted();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);

    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_http_messaging(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_continuations(options, CONTINUATIONS);
    nghttp2_option_set_max_settings(options, SETTINGS_AT_ONCE);
    nghttp2_option_set_max_outbound_ack(options, ACKS_QUEUED);
    nghttp2_option_set_max_deflate_dynamic_table_size(options, TABLE_BYTES);
}

/* What both say alike, then what a side alone says. */
static void
submit_settings(struct http2 *h)
{
    nghttp2_settings_entry list[] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)h->limits.ceiling },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->limits.head_bytes },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };
    size_t n = 3;
    int failed;

    if (h->role == WIRE_SERVER) {
        list[2].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
        list[2].value = (uint32_t)h->limits.streams;
        n = sizeof list / sizeof list[0];
    }
    failed = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, list, n);
    assert(failed == 0);
}

/* As much as all streams together may hold. */
static void
open_window(struct http2 *h)
{
    uint64_t all = (uint64_t)h->limits.ceiling * h->limits.streams;
    int failed;

    if (all > NGHTTP2_MAX_WINDOW_SIZE)
        all = NGHTTP2_MAX_WINDOW_SIZE;
    if (all < NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
        all = NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE;
    failed = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)all);
    assert(failed == 0);
}

void
http2_session_open(struct http2 *h)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int failed;

    assert(h->limits.ceiling > 0 && h->limits.ceiling <= NGHTTP2_MAX_WINDOW_SIZE &&
           h->limits.streams <= INT32_MAX);
    pthread_once(&once, make_callbacks);
    failed = h->role == WIRE_SERVER
                 ? nghttp2_session_server_new3(&h->session, callbacks, h, options,
                                               &memory)
                 : nghttp2_session_client_new3(&h->session, callbacks, h, options,
                                               &memory);
    assert(failed == 0);
    submit_settings(h);
    open_window(h);
}

void
http2_session_close(struct http2 *h)
{
    nghttp2_session_del(h->session);
    h->session = NULL;
}

enum reason
http2_session_take(struct http2 *h, struct text bytes)
{
    ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.at,
                                         bytes.n);

    if (n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        return REASON_HTTP2_FLOOD;
    return n == (ssize_t)bytes.n ? REASON_OK : REASON_HTTP2_PROTOCOL;
}

static bool
wants_more(const struct http2 *h)
{
    if (h->broken != REASON_OK)
        return !h->has_told_fault;
    return has_room(h);
}

void
http2_session_give(struct http2 *h)
{
    const uint8_t *at;
    ssize_t n = 1;

    while (wants_more(h) && n > 0) {
        n = nghttp2_session_mem_send(h->session, &at);
        assert(n >= 0); /* only our own callbacks fail, and they do not */
        if (n > 0)
            buf_add(h->out, text_of((const char *)at, (size_t)n));
    }
}

void
http2_session_abort(struct http2 *h)
{
    uint32_t code = h->broken == REASON_HTTP2_FLOOD ? NGHTTP2_ENHANCE_YOUR_CALM
                                                    : NGHTTP2_PROTOCOL_ERROR;

    nghttp2_session_terminate_session(h->session, code);
}

void
http2_session_drain(struct http2 *h)
{
    if (h->role == WIRE_SERVER) {
        nghttp2_submit_shutdown_notice(h->session);
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    } else {
        h->is_ending = true;
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL,
                              0);
    }
}

size_t
http2_session_room(const struct http2 *h)
{
    if (!nghttp2_session_check_request_allowed(h->session))
        return 0;
    return nghttp2_session_get_remote_settings(h->session,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool
http2_session_takes_websocket(const struct http2 *h)
{
    return nghttp2_session_get_remote_settings(
               h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/* ---- a stream's frames */

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
 * else. A few of a connection get more room; one whose reader stalls then holds that
 * much, and no other stream loses any. */
static void
widen(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);
    int32_t size = (int32_t)h->limits.ceiling * WIDE_FACTOR;

    if (h->n_wide >= WIDE_MOST || s->has_come || !s->is_known)
        return;
    s->is_wide = true;
    h->n_wide++;
    (void)nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, s->id,
                                                size);
}

void
http2_consume(struct http2_stream *s, size_t n)
{
    nghttp2_session_consume_stream(http2_of(&s->stream)->session, s->id, n);
    s->read += n;
    if (!s->is_wide && s->read >= LONG_BODY)
        widen(s);
}

void
http2_forget(struct http2_stream *s)
{
    nghttp2_session_set_stream_user_data(http2_of(&s->stream)->session, s->id, NULL);
}

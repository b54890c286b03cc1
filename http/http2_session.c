/* A session's life. nghttp2 reads and writes frames, keeps windows and the compression
 * state, and orders what is sent; it judges no field (no_http_messaging): http2_head.c
 * does. */
#include "http/http2_door.h"

#include "base/memory.h"
#include "http/http2_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    TABLE_BYTES = 4096,  /* HPACK's, each way */
    CONTINUATIONS = 8,   /* of one head, besides what its length needs */
    HEAD_MOST = 4 << 20, /* that we send: more than any limit lets come */
    SETTINGS_AT_ONCE = 32,
    ACKS_QUEUED = GUARD_IDLE + 1, /* the guard is first */
    IDS_LEFT = 32 * 1024 /* for streams that were opened, and whose request is still to
                            be written */
};

static nghttp2_session_callbacks *callbacks;

static nghttp2_mem memory = { NULL, http2_memory_take, http2_memory_give,
                              http2_memory_take_zeroed, http2_memory_resize };

/* ---- its life */

static void
make_callbacks(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        memory_exhausted();
    http2_set_events(callbacks);
}

static nghttp2_option *
make_options(const struct wire_limits *limits)
{
    size_t continuations = CONTINUATIONS + limits->head_bytes / FRAME_MOST;
    nghttp2_option *o;

    if (nghttp2_option_new(&o) != 0)
        memory_exhausted();
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_http_messaging(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_continuations(o, continuations);
    nghttp2_option_set_max_settings(o, SETTINGS_AT_ONCE);
    nghttp2_option_set_max_outbound_ack(o, ACKS_QUEUED);
    /* The guard counts these, and knows of whom much was answered. */
    nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX, GUARD_RESETS_PER_S);
    nghttp2_option_set_max_deflate_dynamic_table_size(o, TABLE_BYTES);
    nghttp2_option_set_max_send_header_block_length(o, HEAD_MOST);
    return o;
}

/* What both say alike, then what a side alone says. */
static void
submit_settings(struct http2 *h)
{
    nghttp2_settings_entry list[] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)h->limits.ceiling },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->limits.head_bytes },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
        { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
    };
    size_t n = 4;
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
    nghttp2_option *options;
    int failed;

    assert(h->limits.ceiling > 0 && h->limits.ceiling <= NGHTTP2_MAX_WINDOW_SIZE &&
           h->limits.streams <= INT32_MAX);
    pthread_once(&once, make_callbacks);
    options = make_options(&h->limits);
    failed = h->role == WIRE_SERVER
                 ? nghttp2_session_server_new3(&h->session, callbacks, h, options,
                                               &memory)
                 : nghttp2_session_client_new3(&h->session, callbacks, h, options,
                                               &memory);
    assert(failed == 0);
    nghttp2_option_del(options);
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
    return http2_has_room(h);
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
    uint32_t id = nghttp2_session_get_next_stream_id(h->session);

    if (!nghttp2_session_check_request_allowed(h->session) || id > INT32_MAX - IDS_LEFT)
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

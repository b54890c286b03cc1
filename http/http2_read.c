/* Reading a stream: heads when they have been asked for, then the body as it came. */
#include "http/http2.h"

#include <assert.h>

/* What came means nothing to anybody; the stream's neighbours go on. */
static enum flow
refuse(struct http2_stream *s, enum reason detail, enum reason *why)
{
    http2_stream_blame(s);
    s->broken = codec_refusal(http2_of(&s->stream)->role, detail);
    http2_close_after(&s->stream);
    *why = s->broken;
    return FLOW_BROKEN;
}

static enum flow
wait_for_more(struct http2_stream *s, enum reason *why)
{
    const struct http2 *h = http2_of(&s->stream);

    if (s->broken != REASON_OK)
        return refuse(s, s->broken, why);
    if (!s->is_gone)
        return FLOW_WAIT;
    if (h->role == WIRE_SERVER)
        return refuse(s, h->broken != REASON_OK ? h->broken : REASON_CLIENT_GONE, why);
    return refuse(s, h->broken != REASON_OK ? h->broken : REASON_UPSTREAM_CLOSED, why);
}

/* ---- heads */

static void
begin_body(struct http2_stream *s, const struct section *head,
           const struct body_frame *body)
{
    s->reading = head->is_last ? HTTP2_READ_ALL : HTTP2_READ_BODY;
    s->has_no_body = body->kind == BODY_NONE;
    s->has_length = body->kind == BODY_LENGTH;
    s->read_left = s->has_length ? body->length : 0;
}

enum flow
http2_take_request(struct stream *stream, struct arena *a, struct request *out,
                   enum reason *why)
{
    struct http2_stream *s = http2_stream_of(stream);
    struct http2_facts facts = { .limits = &http2_of(stream)->limits };
    struct section head;

    assert(s->reading == HTTP2_READ_HEAD && http2_of(stream)->role == WIRE_SERVER);
    if (s->broken != REASON_OK || s->is_gone || !sections_take(&s->sections, a, &head))
        return wait_for_more(s, why);
    *why = http2_read_request(&head, &facts, a, out);
    s->asked.is_head = http2_asks_head(&head);
    if (*why != REASON_OK)
        return refuse(s, *why, why);
    s->asked.is_connect = out->form == TARGET_AUTHORITY;
    s->asked.is_websocket = out->upgrade == UPGRADE_WEBSOCKET;
    begin_body(s, &head, &out->body);
    return FLOW_OK;
}

enum flow
http2_take_response(struct stream *stream, struct arena *a, struct response *out,
                    enum reason *why)
{
    struct http2_stream *s = http2_stream_of(stream);
    struct http2_facts facts = { &http2_of(stream)->limits, s->asked };
    struct section head;

    assert(s->reading == HTTP2_READ_HEAD && http2_of(stream)->role == WIRE_CLIENT);
    if (s->broken != REASON_OK || !sections_take(&s->sections, a, &head))
        return wait_for_more(s, why);
    *why = http2_read_response(&head, &facts, a, out);
    if (*why != REASON_OK)
        return refuse(s, *why, why);
    if (out->status < 200 && out->status != 101)
        return FLOW_OK;
    begin_body(s, &head, &out->body);
    return FLOW_OK;
}

/* ---- bodies */

/* The last piece was on loan until now. */
static void
take_back(struct http2_stream *s)
{
    if (s->lent == 0)
        return;
    buf_drop(&s->body, s->lent);
    if (s->is_known && !s->has_come)
        http2_consume(s, s->lent);
    s->lent = 0;
}

/* More than the content-length told, or any of what has none, is somebody's next
 * message (RFC 9113 section 8.1.1). Of what piled up no more than one ceiling at a
 * time: whoever passes it on holds that much again. */
static enum flow
lend(struct http2_stream *s, struct text *piece, enum reason *why)
{
    size_t most = http2_of(&s->stream)->limits.ceiling;
    struct text came = buf_text(&s->body);

    if (s->has_no_body || (s->has_length && came.n > s->read_left))
        return refuse(s, REASON_CONTENT_LENGTH, why);
    came.n = came.n < most ? came.n : most;
    if (s->has_length)
        s->read_left -= came.n;
    s->lent = came.n;
    *piece = came;
    return FLOW_OK;
}

static enum flow
end_body(struct http2_stream *s, struct arena *a, enum reason *why)
{
    enum wire_role role = http2_of(&s->stream)->role;
    struct section trailers;

    if (s->read_left > 0)
        return refuse(s, REASON_CONTENT_LENGTH, why);
    if (sections_take(&s->sections, a, &trailers)) {
        *why = http2_read_trailers(&trailers, role, a, &s->trailers);
        if (*why != REASON_OK)
            return refuse(s, *why, why);
    }
    s->reading = HTTP2_READ_ALL;
    return FLOW_END;
}

/* What a client sends for a WebSocket is nothing before there is one. */
static bool
awaits_acceptance(const struct http2_stream *s)
{
    return s->asked.is_websocket && !s->is_accepted &&
           http2_of(&s->stream)->role == WIRE_SERVER;
}

enum flow
http2_read_body(struct stream *stream, struct arena *a, struct text *piece,
                enum reason *why)
{
    struct http2_stream *s = http2_stream_of(stream);

    assert(s->reading != HTTP2_READ_HEAD || s->broken != REASON_OK);
    take_back(s);
    *piece = text_of("", 0);
    *why = s->broken;
    if (s->broken != REASON_OK)
        return FLOW_BROKEN;
    if (s->reading == HTTP2_READ_ALL)
        return FLOW_END;
    if (awaits_acceptance(s))
        return wait_for_more(s, why);
    if (buf_length(&s->body) > 0)
        return lend(s, piece, why);
    if (s->has_come && !s->is_deaf)
        return end_body(s, a, why);
    return wait_for_more(s, why);
}

const struct headers *
http2_trailers(const struct stream *stream)
{
    const struct headers *t = &http2_stream_of(stream)->trailers;

    return t->n == 0 ? NULL : t;
}

bool
http2_has_read_all(const struct stream *s)
{
    return http2_stream_of(s)->reading == HTTP2_READ_ALL;
}

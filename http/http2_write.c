/* Writing a stream: what is written waits in the stream until the wire sends it, at the
 * peer's pace. What is written to a stream that is gone goes nowhere. */
#include "http/http2.h"

#include <assert.h>

/* A shorter piece waits for the end of the turn, and goes with the others'. */
enum { PASSED_LEAST = 4096 };

static void
begin_body(struct http2_stream *s, bool is_all, const struct body_frame *body)
{
    s->writing = is_all ? HTTP2_WRITE_NOTHING : HTTP2_WRITE_BODY;
    s->counts_down = !is_all && body->kind == BODY_LENGTH;
    s->write_left = s->counts_down ? body->length : 0;
}

void
http2_write_request(struct stream *stream, const struct request *r, struct text path,
                    struct text query, struct text host)
{
    struct http2_stream *s = http2_stream_of(stream);
    bool is_all = r->body.kind == BODY_NONE;
    struct http2_draft draft = { .n = 0 };

    assert(http2_of(stream)->role == WIRE_CLIENT && s->writing == HTTP2_WRITE_HEAD);
    s->asked.is_head = text_equals(r->method, TEXT("HEAD"));
    s->asked.is_connect = r->form == TARGET_AUTHORITY;
    s->asked.is_websocket = r->upgrade == UPGRADE_WEBSOCKET;
    begin_body(s, is_all, &r->body);
    if (s->is_gone)
        return;
    http2_draft_request(&draft, r, path, query, host);
    http2_submit_head(s, &draft, false, is_all);
    http2_draft_free(&draft);
}

/* ---- responses */

static bool
is_interim(const struct response *r)
{
    return r->status < 200 && r->status != 101;
}

static bool
has_body(const struct http2_stream *s, const struct response *r)
{
    return r->body.kind != BODY_NONE && r->status != 204 && r->status != 304 &&
           !s->asked.is_head;
}

/* The length to tell: of the body, or of the one that an answer without would have had
 * (RFC 9110 section 8.6). */
static const uint64_t *
told_length(const struct response *r, bool is_all)
{
    if (r->status == 204 || is_interim(r))
        return NULL;
    if (r->body.kind == BODY_LENGTH)
        return &r->body.length;
    return is_all && r->has_length ? &r->told_length : NULL;
}

void
http2_write_response(struct stream *stream, const struct response *r)
{
    struct http2_stream *s = http2_stream_of(stream);
    struct http2_draft draft = { .n = 0 };
    bool is_all = !has_body(s, r);

    assert(http2_of(stream)->role == WIRE_SERVER && s->writing == HTTP2_WRITE_HEAD);
    assert(r->status != 101 || s->asked.is_websocket);
    s->is_accepted = r->status == 101;
    if (!is_interim(r))
        begin_body(s, is_all, &r->body);
    if (!s->is_known || s->is_gone)
        return;
    http2_draft_response(&draft, r, told_length(r, is_all));
    http2_submit_head(s, &draft, is_interim(r), is_all);
    http2_draft_free(&draft);
}

/* ---- bodies */

bool
http2_is_full(const struct stream *stream)
{
    return buf_length(&http2_stream_of(stream)->out) >=
           http2_of(stream)->limits.ceiling;
}

size_t
http2_stream_waiting(const struct http2_stream *s)
{
    return s->passing.n > 0 ? s->passing.n : buf_length(&s->out);
}

/* Straight to where the connection sends from, as far as there is room and the peer
 * takes it; what is left. */
static struct text
pass(struct http2_stream *s, struct text piece)
{
    s->passing = piece;
    http2_resume(s);
    http2_session_give(http2_of(&s->stream));
    piece = s->passing;
    s->passing = text_of(NULL, 0);
    return piece;
}

void
http2_write_body(struct stream *stream, struct text piece)
{
    struct http2_stream *s = http2_stream_of(stream);

    assert(s->writing == HTTP2_WRITE_BODY || s->writing == HTTP2_WRITE_NOTHING);
    if (s->counts_down) {
        assert(piece.n <= s->write_left);
        s->write_left -= piece.n;
    }
    if (piece.n == 0 || s->writing == HTTP2_WRITE_NOTHING || !s->is_known || s->is_gone)
        return;
    if (buf_length(&s->out) == 0 && piece.n >= PASSED_LEAST)
        piece = pass(s, piece);
    if (piece.n == 0 || s->is_gone)
        return;
    buf_add(&s->out, piece);
    s->was_full = http2_is_full(stream);
    http2_resume(s);
}

/* Frames stand between its bytes. */
bool
http2_writes_plain(const struct stream *s)
{
    (void)s;
    return false;
}

void
http2_pass_body(struct stream *s, size_t n)
{
    (void)s;
    assert(n == 0);
}

static void
keep_trailers(struct http2_stream *s, const struct headers *trailers)
{
    static const struct wire_limits none = { .head_bytes = SIZE_MAX / 4,
                                             .fields = SIZE_MAX };

    sections_begin(&s->last);
    for (size_t i = 0; i < trailers->n; i++)
        sections_add(&s->last, &none, trailers->at[i].name, trailers->at[i].value,
                     trailers->at[i].never_index);
    sections_end(&s->last, true);
}

void
http2_write_end(struct stream *stream, const struct headers *trailers)
{
    struct http2_stream *s = http2_stream_of(stream);
    bool has_more = s->writing == HTTP2_WRITE_BODY;

    assert(s->writing != HTTP2_WRITE_HEAD && s->writing != HTTP2_WRITE_ALL);
    assert(s->write_left == 0); /* or the peer waits for the rest, or takes it for whole
                                 */
    s->writing = HTTP2_WRITE_ALL;
    if (!has_more || !s->is_known || s->is_gone)
        return;
    if (trailers != NULL && trailers->n > 0)
        keep_trailers(s, trailers);
    http2_resume(s);
}

bool
http2_has_written_all(const struct stream *s)
{
    return http2_stream_of(s)->writing == HTTP2_WRITE_ALL;
}

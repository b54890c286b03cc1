/* A hostile client of HTTP/2, frame by frame or in raw bytes. Whatever its requests
 * are, one that is taken means the same to an HTTP/1 upstream, a body is as long as it
 * was told, and what we answer is whole frames, however the connection ends. */
#include "tests/fuzz/h2.h"
#include "tests/unit/http/down.h"

PREPARE_NOTHING

/* Written anew to HTTP/1 and read there by our own lexer and http-parser. */
static void
promise_same_below(const struct request *r)
{
    struct passage p;

    if (r->form == TARGET_AUTHORITY || r->upgrade != UPGRADE_NONE)
        return;
    passage_write(&p, r);
    if (r->body.kind != BODY_LENGTH || r->body.length == 0)
        stream_write_end(p.asked, NULL);
    passage_read(&p);
    PROMISE(p.flow == FLOW_OK);
    PROMISE(is_same_request(r, &p.request));
    passage_free(&p);
}

static void
read_request(struct play *p)
{
    struct request r;
    enum reason why;

    if (stream_read_request(p->stream, p->arena, &r, &why) != FLOW_OK) {
        PROMISE(why != REASON_OK && why != REASON_INTERNAL);
        p->is_over = true;
        return;
    }
    PROMISE(r.headers.n <= h2_limits.fields && r.target.n <= h2_limits.target_bytes);
    PROMISE(r.host.n > 0);
    p->has_head = true;
    p->frame = r.body;
    promise_same_below(&r);
}

static void
take_streams(struct stage *s)
{
    struct stream *stream;
    struct play *p;

    while ((p = stage_place(s)) != NULL && wire_next(s->wire, &stream) == FLOW_OK) {
        play_begin(p, stream);
        read_request(p);
    }
}

static void
reply(struct stage *s, struct play *p)
{
    static const int statuses[] = { 200, 204, 304, 103, 404, 500 };
    unsigned move = stage_move(s);
    struct response r = { .status = statuses[move % COUNT(statuses)] };
    struct headers trailers;

    headers_init(&r.headers, p->arena);
    headers_add(&r.headers, TEXT("Server"), TEXT("fuzz"));
    r.body.kind = move & 0x40 ? BODY_STREAM : BODY_NONE;
    stream_write_response(p->stream, &r);
    if (r.status < 200)
        return;
    p->has_answered = true;
    if (r.body.kind == BODY_STREAM && r.status != 204 && r.status != 304)
        stream_write_body(p->stream, text_of(s->moves.at, s->moves.n));
    headers_init(&trailers, p->arena);
    headers_add(&trailers, TEXT("x-sum"), TEXT("1"));
    if (move & 0x80)
        stream_write_end(p->stream, move & 0x20 ? &trailers : NULL);
}

static void
play(struct stage *s, struct play *p)
{
    unsigned move = stage_move(s) % 8;

    if (p->stream == NULL)
        return;
    if (p->has_head && !p->is_over && move != 0)
        play_read_body(p);
    if (move == 1)
        play_end(p);
    else if (move == 2)
        stream_close_after(p->stream);
    else if (!p->has_answered && move > 3)
        reply(s, p);
    if (p->stream != NULL && p->has_answered && stream_has_written_all(p->stream) &&
        move == 7)
        play_end(p);
}

static void
turn(struct stage *s, bool goes_on)
{
    if (!goes_on)
        return;
    take_streams(s);
    for (size_t k = 0; k < s->n; k++)
        play(s, &s->plays[k]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = { 0 };
    unsigned kind;
    struct stage s;

    if (size < 2)
        return 0;
    kind = stage_begin(&s, WIRE_SERVER, input_of(data, size), &bytes);
    stage_run(&s, kind, buf_text(&bytes), turn);
    stage_send(&s);
    stage_close(&s);
    buf_free(&bytes);
    return 0;
}

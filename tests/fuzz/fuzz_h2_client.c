/* A hostile service of HTTP/2, which was asked several things. An answer that is taken
 * has a status there is and a body as long as it was told, no stream's end is
 * another's, and what we send is whole frames. */
#include "tests/fuzz/h2.h"

PREPARE_NOTHING

static void
ask(struct stage *s, unsigned kind)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "GET" };
    struct request r = { .method = text_z(methods[kind % 4]) };
    struct stream *stream = wire_open(s->wire);
    struct play *p = stage_place(s);

    if (stream == NULL)
        return;
    PROMISE(p != NULL);
    play_begin(p, stream);
    headers_init(&r.headers, p->arena);
    headers_add_secret(&r.headers, TEXT("Authorization"), TEXT("Bearer x"));
    r.upgrade = kind % 4 == 3 ? UPGRADE_WEBSOCKET : UPGRADE_NONE;
    r.body.kind = kind % 4 == 3 ? BODY_TUNNEL : kind % 4 == 2 ? BODY_STREAM : BODY_NONE;
    stream_write_request(stream, &r, TEXT("/a"), TEXT("b"), TEXT("a.test"));
    if (r.body.kind == BODY_NONE)
        stream_write_end(stream, NULL);
    else
        stream_write_body(stream, text_of(s->moves.at, s->moves.n));
}

static void
read_response(struct play *p)
{
    struct response r;
    enum reason why;
    enum flow flow;

    do {
        flow = stream_read_response(p->stream, p->arena, &r, &why);
        if (flow == FLOW_OK)
            PROMISE(r.status >= 100 && r.status <= 599 &&
                    r.headers.n <= h2_limits.fields);
    } while (flow == FLOW_OK && r.status < 200 && r.status != 101);
    if (flow == FLOW_OK) {
        p->has_head = true;
        p->frame = r.body;
    }
    if (flow == FLOW_BROKEN) {
        PROMISE(why == REASON_UPSTREAM_CLOSED || why == REASON_UPSTREAM_MALFORMED ||
                why == REASON_UPSTREAM_UPGRADE ||
                why == REASON_UPSTREAM_HEAD_TOO_LARGE);
        p->is_over = true;
    }
}

static void
play(struct stage *s, struct play *p)
{
    unsigned move = stage_move(s) % 8;

    if (p->stream == NULL)
        return;
    PROMISE(!stream_is_unprocessed(p->stream) || stream_is_gone(p->stream));
    if (!p->has_head && !p->is_over)
        read_response(p);
    if (p->has_head && !p->is_over && move != 0)
        play_read_body(p);
    if (move == 1 || (p->is_over && move > 4))
        play_end(p);
    else if (move == 2 && !stream_has_written_all(p->stream))
        stream_write_end(p->stream, NULL);
}

static void
play_all(struct stage *s)
{
    for (size_t k = 0; k < s->n; k++)
        play(s, &s->plays[k]);
}

/* Those that are asked already hear of the end; nothing more is asked then. */
static void
turn(struct stage *s, bool goes_on)
{
    play_all(s);
    if (goes_on && stage_move(s) > 0xf0)
        ask(s, stage_move(s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = { 0 };
    unsigned kind;
    struct stage s;

    if (size < 2)
        return 0;
    kind = stage_begin(&s, WIRE_CLIENT, input_of(data, size), &bytes);
    ask(&s, kind >> 2);
    ask(&s, kind >> 4);
    stage_run(&s, kind, buf_text(&bytes), turn);
    play_all(&s);
    stage_send(&s);
    stage_close(&s);
    buf_free(&bytes);
    return 0;
}

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = input_of(data, size), rest;
    unsigned kind = take_byte(&t);
    struct buf bytes = { 0 };
    struct stage s;

    if (t.n == 0)
        return 0;
    stage_open(&s, WIRE_CLIENT, t);
    ask(&s, kind >> 2);
    ask(&s, kind >> 4);
    if (kind & 1)
        add_preface(&bytes, false);
    buf_add(&bytes, t);
    rest = buf_text(&bytes);
    for (size_t i = 0; rest.n > 0; i++) {
        struct text piece = take_piece(&rest, kind & 2 ? t : TEXT("\377"), i);
        bool goes_on = stage_receive(&s, piece);

        free_copy(piece);
        for (size_t k = 0; k < s.n; k++)
            play(&s, &s.plays[k]);
        if (!goes_on)
            break;
        if (stage_move(&s) > 0xf0)
            ask(&s, stage_move(&s));
        if (stage_move(&s) == 0xd0)
            wire_drain(s.wire);
        stage_send(&s);
    }
    wire_read_closed(s.wire);
    for (size_t k = 0; k < s.n; k++)
        play(&s, &s.plays[k]);
    stage_send(&s);
    stage_close(&s);
    buf_free(&bytes);
    return 0;
}

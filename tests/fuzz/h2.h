/* What both fuzz targets of HTTP/2 share: a hostile peer's bytes go to our wire in
 * pieces, exchanges are played on its streams as other bytes of the input say, and what
 * we send must be whole frames. */
#ifndef TESTS_FUZZ_H2_H
#define TESTS_FUZZ_H2_H

#include "tests/fuzz/cuts.h"
#include "tests/unit/http/frames.h"

enum { STREAMS_MAX = 32, FRAME_MOST = 16384 };

static const struct wire_limits h2_limits = {
    .head_bytes = 512, .fields = 8, .target_bytes = 96, .ceiling = 1024, .streams = 8
};

/* One exchange on a stream of the wire. */
struct play {
    struct stream *stream;
    struct arena *arena;
    bool has_head, has_answered, is_over;
    struct body_frame frame;
    uint64_t came;
    size_t rings;
};

struct stage {
    enum wire_role role;
    struct buf in, out;
    struct wire *wire;
    struct play plays[STREAMS_MAX];
    size_t n;
    struct text moves; /* what the exchanges do, byte by byte, over and over */
    size_t moved;
    size_t n_goaway;
};

static inline unsigned
stage_move(struct stage *s)
{
    return s->moves.n == 0 ? 0 : (unsigned char)s->moves.at[s->moved++ % s->moves.n];
}

static inline void
stage_open(struct stage *s, enum wire_role role, struct text moves)
{
    memset(s, 0, sizeof *s);
    s->role = role;
    s->moves = moves;
    s->wire = wire_new(WIRE_HTTP2, role, &h2_limits, &s->in, &s->out);
}

/* Where the next play's place is; NULL: there is none left. */
static inline struct play *
stage_place(struct stage *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->plays[i].stream == NULL)
            return &s->plays[i];
    return s->n < STREAMS_MAX ? &s->plays[s->n++] : NULL;
}

static inline void
count_bell(void *play)
{
    ((struct play *)play)->rings++;
}

static inline void
play_begin(struct play *p, struct stream *stream)
{
    *p = (struct play){ .stream = stream, .arena = arena_new() };
    stream_set_bell(stream, count_bell, p);
}

static inline void
play_end(struct play *p)
{
    if (p->stream == NULL)
        return;
    stream_close(p->stream);
    arena_free(p->arena);
    p->stream = NULL;
}

/* Reads what there is. A length that was told is what comes, or it is refused. */
static inline void
play_read_body(struct play *p)
{
    struct text piece;
    enum reason why;
    enum flow flow;

    while ((flow = stream_read_body(p->stream, p->arena, &piece, &why)) == FLOW_OK) {
        p->came += piece.n;
        PROMISE(piece.n > 0 && p->frame.kind != BODY_NONE);
        PROMISE(p->frame.kind != BODY_LENGTH || p->came <= p->frame.length);
    }
    if (flow == FLOW_END) {
        const struct headers *trailers = stream_trailers(p->stream);

        PROMISE(p->frame.kind != BODY_LENGTH || p->came == p->frame.length);
        PROMISE(stream_has_read_all(p->stream));
        PROMISE(trailers == NULL || trailers->n <= h2_limits.fields);
    }
    if (flow == FLOW_BROKEN)
        PROMISE(why != REASON_OK && why != REASON_INTERNAL);
    p->is_over = flow != FLOW_WAIT;
}

/* Takes what was sent off `out`: whole frames of known types, and nothing behind a
 * GOAWAY that says why it broke. */
static inline void
stage_send(struct stage *s)
{
    struct text out;

    wire_send(s->wire);
    PROMISE(buf_length(&s->out) <= 16 * h2_limits.ceiling + FRAME_MOST);
    out = buf_text(&s->out);
    if (text_starts(out, MAGIC))
        out = text_of(out.at + MAGIC.n, out.n - MAGIC.n);
    while (out.n > 0) {
        const unsigned char *h = (const unsigned char *)out.at;
        size_t n;

        PROMISE(out.n >= 9);
        n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        PROMISE(n <= FRAME_MOST && n + 9 <= out.n && h[3] <= F_CONTINUATION);
        s->n_goaway += h[3] == F_GOAWAY;
        out = text_of(out.at + n + 9, out.n - n - 9);
    }
    buf_drop(&s->out, buf_length(&s->out));
}

static inline bool
stage_receive(struct stage *s, struct text piece)
{
    enum reason why;
    enum flow flow;

    buf_add(&s->in, piece);
    flow = wire_receive(s->wire, &why);
    PROMISE(buf_length(&s->in) == 0);
    PROMISE((flow == FLOW_BROKEN) ==
            (why == REASON_HTTP2_PROTOCOL || why == REASON_HTTP2_FLOOD));
    stage_send(s);
    if (flow == FLOW_OK)
        return true;
    PROMISE(wire_is_over(s->wire) && !wire_may_reuse(s->wire) && s->n_goaway > 0);
    for (size_t i = 0; i < s->n; i++)
        if (s->plays[i].stream != NULL && s->role == WIRE_SERVER)
            PROMISE(stream_is_gone(s->plays[i].stream));
    return false;
}

/* The input: what kind of run it is, then the peer's bytes, which are also the moves.
 * A bit of the first says whether a proper preface comes before them. */
static inline unsigned
stage_begin(struct stage *s, enum wire_role role, struct text input, struct buf *bytes)
{
    unsigned kind = take_byte(&input);

    stage_open(s, role, input);
    if (kind & 1)
        add_preface(bytes, role == WIRE_SERVER);
    buf_add(bytes, input);
    return kind;
}

static inline void
stage_end_turn(struct stage *s)
{
    unsigned move = stage_move(s);

    if (move == 0xd0)
        wire_drain(s->wire);
    else if (move == 0xd1)
        wire_cut_unread(s->wire);
}

/* All of it in pieces, as another bit says, with a turn of the exchanges behind each.
 */
static inline void
stage_run(struct stage *s, unsigned kind, struct text bytes,
          void (*turn)(struct stage *s, bool goes_on))
{
    for (size_t i = 0; bytes.n > 0; i++) {
        struct text piece = take_piece(&bytes, kind & 2 ? s->moves : TEXT("\377"), i);
        bool goes_on = stage_receive(s, piece);

        free_copy(piece);
        turn(s, goes_on);
        if (!goes_on)
            break;
        stage_end_turn(s);
        stage_send(s);
    }
    wire_read_closed(s->wire);
}

static inline void
stage_close(struct stage *s)
{
    for (size_t i = 0; i < s->n; i++)
        play_end(&s->plays[i]);
    wire_free(s->wire);
    buf_free(&s->in);
    buf_free(&s->out);
}

#endif

/* Two HTTP/2 wires joined by memory, one of each role, for tests; and what each side
 * heard of a stream. */
#ifndef TESTS_HTTP_PAIR_H
#define TESTS_HTTP_PAIR_H

#include "driver.h"

struct end {
    struct buf in, out;
    struct wire *wire;
    enum reason why; /* of wire_receive */
    bool is_broken;
};

struct pair {
    struct end client, server;
    struct arena *arena;
};

/* One side of one stream. */
struct peer {
    struct stream *stream;
    struct arena *arena;
    unsigned rings;
    struct request request;
    struct response response;
    struct buf body;
    enum reason why;
    bool has_head, is_whole, is_broken;
};

static inline void
pair_init_within(struct pair *p, const struct wire_limits *limits)
{
    memset(p, 0, sizeof *p);
    p->arena = arena_new();
    p->client.wire = wire_new(WIRE_HTTP2, WIRE_CLIENT, limits, &p->client.in,
                              &p->client.out);
    p->server.wire = wire_new(WIRE_HTTP2, WIRE_SERVER, limits, &p->server.in,
                              &p->server.out);
}

static inline void
pair_init(struct pair *p)
{
    pair_init_within(p, &usual_limits);
}

static inline void
end_free(struct end *e)
{
    wire_free(e->wire);
    buf_free(&e->in);
    buf_free(&e->out);
}

static inline void
pair_free(struct pair *p)
{
    end_free(&p->client);
    end_free(&p->server);
    arena_free(p->arena);
}

/* Everything that `from` has sent is received by `to`. */
static inline bool
carry(struct end *from, struct end *to)
{
    bool any;

    wire_send(from->wire);
    any = buf_length(&from->out) > 0;
    buf_add(&to->in, buf_text(&from->out));
    buf_drop(&from->out, buf_length(&from->out));
    if (wire_receive(to->wire, &to->why) == FLOW_BROKEN)
        to->is_broken = true;
    return any;
}

static inline void
pair_settle(struct pair *p)
{
    bool asks, answers;

    do {
        asks = carry(&p->client, &p->server);
        answers = carry(&p->server, &p->client);
    } while (asks || answers);
}

static inline void
count_ring(void *peer)
{
    ((struct peer *)peer)->rings++;
}

static inline void
peer_init(struct peer *p, struct stream *s)
{
    memset(p, 0, sizeof *p);
    assert_non_null(s);
    p->stream = s;
    p->arena = arena_new();
    stream_set_bell(s, count_ring, p);
}

static inline void
peer_free(struct peer *p)
{
    if (p->stream != NULL)
        stream_close(p->stream);
    buf_free(&p->body);
    arena_free(p->arena);
}

static inline void
peer_close(struct peer *p)
{
    stream_close(p->stream);
    p->stream = NULL;
}

/* Reads what there is of the body. */
static inline enum flow
peer_read_body(struct peer *p)
{
    struct text piece;
    enum flow flow;

    while ((flow = stream_read_body(p->stream, p->arena, &piece, &p->why)) == FLOW_OK)
        buf_add(&p->body, piece);
    p->is_whole = flow == FLOW_END;
    p->is_broken = flow == FLOW_BROKEN;
    return flow;
}

static inline enum flow
peer_read_request(struct peer *p)
{
    enum flow flow = stream_read_request(p->stream, p->arena, &p->request, &p->why);

    p->has_head = flow == FLOW_OK;
    p->is_broken = flow == FLOW_BROKEN;
    return flow;
}

static inline enum flow
peer_read_response(struct peer *p)
{
    enum flow flow = stream_read_response(p->stream, p->arena, &p->response, &p->why);

    p->has_head = flow == FLOW_OK;
    p->is_broken = flow == FLOW_BROKEN;
    return flow;
}

/* A request from `client`'s wire, with as much of a body as the caller says. */
static inline void
peer_ask(struct peer *p, struct pair *pair, const char *method, struct body_frame body)
{
    struct request r = { .method = text_z(method), .body = body };

    peer_init(p, wire_open(pair->client.wire));
    headers_init(&r.headers, p->arena);
    headers_add(&r.headers, TEXT("X-Test"), TEXT("yes"));
    stream_write_request(p->stream, &r, TEXT("/path"), TEXT("a=b"), TEXT("a.test"));
    if (body.kind == BODY_NONE)
        stream_write_end(p->stream, NULL);
}

static inline void
peer_accept(struct peer *p, struct pair *pair)
{
    struct stream *s;

    assert_int_equal(wire_next(pair->server.wire, &s), FLOW_OK);
    peer_init(p, s);
    assert_int_equal(peer_read_request(p), FLOW_OK);
}

static inline void
peer_answer(struct peer *p, int status, struct body_frame body)
{
    struct response r = { .status = status, .body = body };

    headers_init(&r.headers, p->arena);
    headers_add(&r.headers, TEXT("Server"), TEXT("test"));
    stream_write_response(p->stream, &r);
    if (body.kind == BODY_NONE)
        stream_write_end(p->stream, NULL);
}

#endif

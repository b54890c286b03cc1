/* A caller that has asked, for tests: gives an answer's bytes to a client wire as a
 * socket would, in pieces of any size, and writes down what was heard. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include "driver.h"

struct client {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    struct response response;
    bool has_head, is_over, is_whole;
    unsigned n_interim;
    enum reason why;
    struct buf heard; /* the final head, the body, the trailers */
};

static inline void
client_init_within(struct client *c, const char *method,
                   const struct wire_limits *limits)
{
    struct request r = { .method = text_z(method) };

    *c = (struct client){ .arena = arena_new() };
    c->wire = wire_new(WIRE_HTTP1, WIRE_CLIENT, limits, &c->in, &c->out);
    c->stream = wire_open(c->wire);
    assert_non_null(c->stream);
    assert_null(wire_open(c->wire));
    headers_init(&r.headers, c->arena);
    stream_write_request(c->stream, &r, TEXT("/"), text_of(NULL, 0), TEXT("a.test"));
    stream_write_end(c->stream, NULL);
}

static inline void
client_init(struct client *c, const char *method)
{
    client_init_within(c, method, &usual_limits);
}

static inline void
client_free(struct client *c)
{
    if (c->stream != NULL)
        stream_close(c->stream);
    wire_free(c->wire);
    arena_free(c->arena);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->heard);
}

static inline void
client_hear(struct client *c, const struct headers *h)
{
    for (size_t i = 0; h != NULL && i < h->n; i++)
        tell_field(&c->heard, h->at[i].name, h->at[i].value);
    buf_add_z(&c->heard, "\n");
}

static inline enum flow
client_step(struct client *c)
{
    struct text piece;
    enum flow flow;

    if (!c->has_head) {
        flow = stream_read_response(c->stream, c->arena, &c->response, &c->why);
        if (flow != FLOW_OK)
            return flow;
        if (c->response.status < 200) {
            c->n_interim++;
            return FLOW_OK;
        }
        c->has_head = true;
        buf_printf(&c->heard, "%d %.*s\n", c->response.status,
                   TEXT_ARG(c->response.reason_phrase));
        client_hear(c, &c->response.headers);
        return FLOW_OK;
    }
    flow = stream_read_body(c->stream, c->arena, &piece, &c->why);
    buf_add(&c->heard, piece);
    return flow;
}

static inline void
client_run(struct client *c)
{
    enum flow flow = FLOW_OK;

    while (!c->is_over && (flow = client_step(c)) != FLOW_WAIT) {
        if (flow == FLOW_BROKEN)
            c->is_over = true;
        if (flow == FLOW_END) {
            c->is_over = c->is_whole = true;
            buf_add_z(&c->heard, "\n");
            client_hear(c, stream_trailers(c->stream));
        }
    }
}

static inline void
client_give(struct client *c, const char *bytes, size_t n)
{
    buf_add(&c->in, text_of(bytes, n));
    client_run(c);
}

static inline void
client_end(struct client *c)
{
    wire_read_closed(c->wire);
    client_run(c);
    assert_true(c->is_over);
}

#endif

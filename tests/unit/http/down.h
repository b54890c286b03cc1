/* A request of HTTP/2 written anew to an HTTP/1 upstream and read there by our own
 * strict reader and http-parser behind it, for tests: it must mean the same. */
#ifndef TESTS_HTTP_DOWN_H
#define TESTS_HTTP_DOWN_H

#include "pair.h"

struct passage {
    struct arena *arena;
    struct buf sent, heard, unused;
    struct wire *up, *reader;
    struct stream *asked, *read;
    struct request request;
    enum flow flow;
};

/* The target's path and query, as the proxy hands them on. */
static inline void
split_target(struct text target, struct text *path, struct text *query)
{
    const char *mark = memchr(target.at, '?', target.n);
    size_t n = mark != NULL ? (size_t)(mark - target.at) : target.n;

    *path = text_of(target.at, n);
    *query = mark != NULL ? text_of(mark + 1, target.n - n - 1) : text_of(NULL, 0);
}

static inline void
passage_write(struct passage *p, const struct request *r)
{
    struct text path, query;

    memset(p, 0, sizeof *p);
    p->arena = arena_new();
    p->up = wire_new(WIRE_HTTP1, WIRE_CLIENT, &usual_limits, &p->unused, &p->sent);
    p->asked = wire_open(p->up);
    split_target(r->target, &path, &query);
    stream_write_request(p->asked, r, path, query, r->host);
}

/* To be called once the body has been written. */
static inline void
passage_read(struct passage *p)
{
    enum reason why;

    buf_add(&p->heard, buf_text(&p->sent));
    p->reader = wire_new(WIRE_HTTP1, WIRE_SERVER, &usual_limits, &p->heard, &p->unused);
    wire_read_closed(p->reader);
    assert_int_equal(wire_next(p->reader, &p->read), FLOW_OK);
    p->flow = stream_read_request(p->read, p->arena, &p->request, &why);
}

static inline void
passage_free(struct passage *p)
{
    stream_close(p->asked);
    stream_close(p->read);
    wire_free(p->up);
    wire_free(p->reader);
    buf_free(&p->sent);
    buf_free(&p->heard);
    buf_free(&p->unused);
    arena_free(p->arena);
}

static inline bool
is_same_list(const struct headers *a, const struct headers *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!text_equals_nocase(a->at[i].name, b->at[i].name) ||
            !text_equals(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

static inline bool
is_same_request(const struct request *a, const struct request *b)
{
    bool is_same_frame = a->body.kind == b->body.kind &&
                         a->body.length == b->body.length;
    /* POST without a body says so, in HTTP/1. */
    bool is_empty = a->body.kind == BODY_NONE && b->body.kind == BODY_LENGTH &&
                    b->body.length == 0;

    return text_equals(a->method, b->method) && text_equals(a->target, b->target) &&
           text_equals(a->host, b->host) && is_same_list(&a->headers, &b->headers) &&
           (is_same_frame || is_empty);
}

#endif

/* Answers, held against llhttp. What our wire calls a whole answer llhttp calls one
 * too, with the same status, fields, body and trailers; and what we then write to the
 * client, llhttp reads as the same again, and as nothing more. */
#include "tests/fuzz/cuts.h"

#include "tests/unit/http/partner.h"

PREPARE_NOTHING

struct asking {
    const char *bytes;
    bool is_old; /* HTTP/1.0: no interim answers, no trailers, and it ends with the
                    connection */
};

static const struct asking askings[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false },
    { "GET / HTTP/1.0\r\n\r\n", true },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
};

struct passage {
    struct writer up, down;
    struct response response;
    struct buf expected;
};

static void
passage_open(struct passage *p, const struct asking *asking, struct text answer)
{
    struct request get = { .method = TEXT("GET") };
    struct request heard;
    enum reason why;

    memset(p, 0, sizeof *p);
    writer_init(&p->up, WIRE_CLIENT);
    headers_init(&get.headers, p->up.arena);
    stream_write_request(p->up.stream, &get, TEXT("/"), text_of(NULL, 0), TEXT("a"));
    stream_write_end(p->up.stream, NULL);
    buf_add(&p->up.in, answer);
    wire_read_closed(p->up.wire);
    writer_init(&p->down, WIRE_SERVER);
    buf_add_z(&p->down.in, asking->bytes);
    PROMISE(wire_next(p->down.wire, &p->down.stream) == FLOW_OK);
    PROMISE(stream_read_request(p->down.stream, p->down.arena, &heard, &why) ==
            FLOW_OK);
}

static void
passage_close(struct passage *p)
{
    writer_free(&p->up);
    writer_free(&p->down);
    buf_free(&p->expected);
}

static void
pass_head(struct passage *p, bool is_told)
{
    stream_write_response(p->down.stream, &p->response);
    if (!is_told)
        return;
    buf_printf(&p->expected, "%d\n", p->response.status);
    tell_fields(&p->expected, &p->response.headers);
    buf_add_z(&p->expected, p->response.status < 200 ? "\n\n" : "\n");
}

static bool
pass_heads(struct passage *p, const struct asking *asking)
{
    enum reason why;

    do {
        if (stream_read_response(p->up.stream, p->up.arena, &p->response, &why) !=
            FLOW_OK)
            return false;
        pass_head(p, p->response.status >= 200 || !asking->is_old);
    } while (p->response.status < 200);
    return true;
}

/* False when it never came whole: then the client's connection ends, and what was sent
 * is no answer. */
static bool
pass_body(struct passage *p, const struct asking *asking)
{
    const struct headers *trailers;
    struct text piece;
    enum reason why;
    enum flow flow;

    while ((flow = stream_read_body(p->up.stream, p->up.arena, &piece, &why)) ==
           FLOW_OK) {
        stream_write_body(p->down.stream, piece);
        buf_add(&p->expected, piece);
    }
    if (flow != FLOW_END)
        return false;
    trailers = stream_trailers(p->up.stream);
    stream_write_end(p->down.stream, trailers);
    buf_add_z(&p->expected, "\n");
    if (!asking->is_old)
        tell_fields(&p->expected, trailers);
    return true;
}

static void
promise_llhttp(const struct passage *p)
{
    static struct partner theirs;
    struct text sent = buf_text(&p->down.out);

    partner_read(&theirs, HTTP_RESPONSE, sent);
    if (!text_equals(buf_text(&theirs.told), buf_text(&p->expected))) {
        print_bytes(sent.at, sent.n);
        fprintf(stderr, "llhttp:\n%.*sours:\n%.*s", TEXT_ARG(buf_text(&theirs.told)),
                TEXT_ARG(buf_text(&p->expected)));
    }
    PROMISE(theirs.error == HPE_OK);
    PROMISE(text_equals(buf_text(&theirs.told), buf_text(&p->expected)));
    partner_free(&theirs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = input_of(data, size);
    const struct asking *asking = &askings[take_byte(&t) % COUNT(askings)];
    struct passage p;

    partner_compares_answer(t.at, t.n);
    passage_open(&p, asking, t);
    if (pass_heads(&p, asking) && pass_body(&p, asking))
        promise_llhttp(&p);
    passage_close(&p);
    return 0;
}

/* WebSocket over HTTP/1.1: the handshake, which each side ends for itself, and the
 * bytes behind it. */
#include "driver.h"

#include "http/websocket.h"

#define LINE       "GET /chat HTTP/1.1\r\nHost: a.test\r\n"
#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION    "Sec-WebSocket-Version: 13\r\n"
#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define KEY        "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n"
#define GOOD       LINE UPGRADE CONNECTION VERSION KEY

static bool
is_in(struct text t, const char *part)
{
    return memmem(t.at, t.n, part, strlen(part)) != NULL;
}

/* ---- towards a client */

struct server {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    struct request request;
    enum reason why;
};

static enum flow
server_init(struct server *s, const char *bytes)
{
    *s = (struct server){ .arena = arena_new() };
    s->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &usual_limits, &s->in, &s->out);
    buf_add(&s->in, text_z(bytes));
    assert_int_equal(wire_next(s->wire, &s->stream), FLOW_OK);
    return stream_read_request(s->stream, s->arena, &s->request, &s->why);
}

static void
server_answer(struct server *s, int status)
{
    struct response r = { .status = status,
                          .body.kind = status == 101 ? BODY_TUNNEL : BODY_NONE };

    headers_init(&r.headers, s->arena);
    stream_write_response(s->stream, &r);
}

static void
server_free(struct server *s)
{
    stream_close(s->stream);
    wire_free(s->wire);
    arena_free(s->arena);
    buf_free(&s->in);
    buf_free(&s->out);
}

static void
a_handshake_is_a_request_for_a_tunnel_without_the_fields_of_its_own(void **state)
{
    static const char *const rows[] = {
        GOOD "\r\n",
        LINE "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" VERSION KEY
             "\r\n",
        GOOD "Sec-WebSocket-Accept: x\r\n\r\n",
        GOOD "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: y\r\n\r\n",
        GOOD "Expect: 100-continue\r\n\r\n",
        "GET http://a.test/chat HTTP/1.1\r\nHost: a.test\r\n" UPGRADE CONNECTION VERSION
            KEY "\r\n",
        /* the key is for us alone: its spare bits may be anything */
        LINE UPGRADE CONNECTION VERSION
        "Sec-WebSocket-Key: abcdefghijklmnopqrstuv==\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server s;

        if (server_init(&s, rows[i]) != FLOW_OK)
            fail_msg("row %zu: %s", i, reason_token(s.why));
        assert_int_equal(s.request.upgrade, UPGRADE_WEBSOCKET);
        assert_int_equal(s.request.body.kind, BODY_TUNNEL);
        assert_false(s.request.expect_continue);
        assert_int_equal(s.request.headers.n, 0);
        assert_false(stream_has_read_all(s.stream));
        server_free(&s);
    }
}

static void
what_the_two_ends_agree_on_passes(void **state)
{
    struct server s;

    (void)state;
    assert_int_equal(server_init(&s,
                                 GOOD "Sec-WebSocket-Protocol: chat, superchat\r\n"
                                      "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                      "Origin: https://a.test\r\n\r\n"),
                     FLOW_OK);
    assert_int_equal(s.request.headers.n, 3);
    assert_true(headers_has(&s.request.headers, TEXT("Sec-WebSocket-Protocol")));
    assert_true(headers_has(&s.request.headers, TEXT("Sec-WebSocket-Extensions")));
    assert_true(headers_has(&s.request.headers, TEXT("Origin")));
    server_free(&s);
}

#define MALFORMED REASON_WEBSOCKET_HANDSHAKE
#define WITH_KEY(key)                                                                  \
    LINE UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:" key "\r\n\r\n"
#define WITH_VERSION(version)                                                          \
    LINE UPGRADE CONNECTION KEY "Sec-WebSocket-Version:" version "\r\n\r\n"

static const struct {
    const char *bytes;
    enum reason why;
} malformed[] = {
    /* the request */
    { "POST / HTTP/1.1\r\nHost: a.test\r\n" UPGRADE CONNECTION VERSION KEY "\r\n",
      MALFORMED },
    { "HEAD / HTTP/1.1\r\nHost: a.test\r\n" UPGRADE CONNECTION VERSION KEY "\r\n",
      MALFORMED },
    { "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n" UPGRADE CONNECTION VERSION KEY "\r\n",
      MALFORMED },
    { "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n" UPGRADE CONNECTION VERSION KEY
      "\r\n",
      MALFORMED },
    { "GET / HTTP/1.0\r\nHost: a.test\r\n" UPGRADE CONNECTION VERSION KEY "\r\n",
      MALFORMED },
    /* Connection */
    { LINE UPGRADE VERSION KEY "\r\n", MALFORMED },
    { LINE UPGRADE "Connection: keep-alive\r\n" VERSION KEY "\r\n", MALFORMED },
    { LINE UPGRADE "Connection: upgrades\r\n" VERSION KEY "\r\n", MALFORMED },
    /* what could be taken for a body */
    { GOOD "Content-Length: 0\r\n\r\n", MALFORMED },
    { GOOD "Content-Length: 3\r\n\r\nabc", MALFORMED },
    { GOOD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED },
    /* the key */
    { LINE UPGRADE CONNECTION VERSION "\r\n", MALFORMED },
    { GOOD KEY "\r\n", MALFORMED },
    { WITH_KEY(""), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZQ"), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZQ="), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZQ==="), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZQA="), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZ==="), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25j-_=="), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25j Q=="), MALFORMED },
    { WITH_KEY(SAMPLE_KEY ", " SAMPLE_KEY), MALFORMED },
    { WITH_KEY("dGhlIHNhbXBsZSBub25jZSE="), MALFORMED }, /* 17 bytes */
    /* the version */
    { LINE UPGRADE CONNECTION KEY "\r\n", MALFORMED },
    { GOOD VERSION "\r\n", MALFORMED },
    { WITH_VERSION(""), MALFORMED },
    { WITH_VERSION("8"), REASON_WEBSOCKET_VERSION },
    { WITH_VERSION("14"), REASON_WEBSOCKET_VERSION },
    { WITH_VERSION("013"), REASON_WEBSOCKET_VERSION },
    { WITH_VERSION("13, 8"), REASON_WEBSOCKET_VERSION },
};

static void
every_malformed_handshake_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct server s;
        enum flow flow = server_init(&s, malformed[i].bytes);

        if (flow != FLOW_BROKEN || s.why != malformed[i].why)
            fail_msg("row %zu: %d, %s", i, flow, reason_token(s.why));
        assert_int_equal(reason_status(s.why), 400);
        server_free(&s);
    }
}

static void
another_protocol_is_told_as_one_whatever_else_is_asked(void **state)
{
    static const char *const rows[] = {
        LINE "Upgrade: h2c\r\n" CONNECTION "\r\n",
        LINE "Upgrade: TLS/1.3\r\n\r\n",
        LINE "Upgrade:\r\n\r\n",
        LINE "Upgrade: websockets\r\n" CONNECTION VERSION KEY "\r\n",
        LINE "Upgrade: websocket, h2c\r\n" CONNECTION VERSION KEY "\r\n",
        LINE "Upgrade: h2c, websocket\r\n" CONNECTION VERSION KEY "\r\n",
        GOOD UPGRADE "\r\n",
        GOOD "Upgrade: h2c\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a.test\r\nUpgrade: x\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server s;

        if (server_init(&s, rows[i]) != FLOW_OK)
            fail_msg("row %zu: %s", i, reason_token(s.why));
        assert_int_equal(s.request.upgrade, UPGRADE_OTHER);
        assert_int_equal(s.request.body.kind, BODY_NONE);
        server_free(&s);
    }
}

static void
the_client_is_told_what_its_key_asks_for(void **state)
{
    struct server s;

    (void)state;
    assert_int_equal(server_init(&s, GOOD "\r\n"), FLOW_OK);
    stream_close_after(s.stream); /* nothing of that stands in an acceptance */
    server_answer(&s, 101);
    assert_true(text_equals(
        buf_text(&s.out),
        TEXT("HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")));
    assert_true(stream_writes_plain(s.stream));
    server_free(&s);
}

static void
nothing_is_taken_from_the_client_before_the_101(void **state)
{
    struct server s;
    struct text piece;

    (void)state;
    assert_int_equal(server_init(&s, GOOD "\r\nearly"), FLOW_OK);
    wire_read_closed(s.wire);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_WAIT);
    assert_int_equal(buf_length(&s.in), 5);
    server_answer(&s, 101);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_OK);
    assert_true(text_equals(piece, TEXT("early")));
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_END);
    assert_true(stream_has_read_all(s.stream));
    server_free(&s);
}

static void
bytes_go_as_they_are_until_each_side_has_ended(void **state)
{
    static const char both[] = "\x82\x00GET / HTTP/1.1\r\n\r\n";
    struct text whole = text_of(both, sizeof both - 1), piece;
    struct server s;

    (void)state;
    assert_int_equal(server_init(&s, GOOD "\r\n"), FLOW_OK);
    server_answer(&s, 101);
    buf_free(&s.out);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_WAIT);
    buf_add(&s.in, whole);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_OK);
    assert_true(text_equals(piece, whole));
    stream_write_body(s.stream, whole);
    assert_true(text_equals(buf_text(&s.out), whole));
    stream_write_end(s.stream, NULL);
    assert_true(stream_has_written_all(s.stream));
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_WAIT);
    wire_read_closed(s.wire);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_END);
    assert_false(wire_may_reuse(s.wire));
    server_free(&s);
}

static void
a_wire_whose_handshake_failed_carries_nothing_else(void **state)
{
    static const int statuses[] = { 200, 204, 403, 426, 500 };
    struct text piece;

    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct server s;
        struct stream *next;

        assert_int_equal(server_init(&s, GOOD "\r\n" LINE "\r\n"), FLOW_OK);
        server_answer(&s, 103);
        server_answer(&s, statuses[i]);
        stream_write_end(s.stream, NULL);
        assert_true(is_in(buf_text(&s.out), "\r\nConnection: close\r\n"));
        assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why),
                         FLOW_WAIT);
        assert_false(wire_may_reuse(s.wire));
        stream_close(s.stream);
        assert_int_equal(wire_next(s.wire, &next), FLOW_END);
        server_free(&s);
    }
}

/* ---- towards a service */

struct asker {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    struct response response;
    enum reason why;
    char key[WEBSOCKET_KEY_SIZE];
};

static void
take_key(struct asker *c)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    struct text out = buf_text(&c->out);
    const char *at = memmem(out.at, out.n, name, sizeof name - 1);

    assert_non_null(at);
    memcpy(c->key, at + sizeof name - 1, sizeof c->key);
}

static void
asker_init(struct asker *c)
{
    struct request r = { .method = TEXT("GET"),
                         .upgrade = UPGRADE_WEBSOCKET,
                         .body.kind = BODY_TUNNEL };

    *c = (struct asker){ .arena = arena_new() };
    c->wire = wire_new(WIRE_HTTP1, WIRE_CLIENT, &usual_limits, &c->in, &c->out);
    assert_true(wire_takes_websocket(c->wire));
    c->stream = wire_open(c->wire);
    headers_init(&r.headers, c->arena);
    headers_add(&r.headers, TEXT("Sec-WebSocket-Protocol"), TEXT("chat"));
    stream_write_request(c->stream, &r, TEXT("/chat"), text_of(NULL, 0),
                         TEXT("a.test"));
    take_key(c);
}

static void
asker_free(struct asker *c)
{
    stream_close(c->stream);
    assert_false(wire_may_reuse(c->wire));
    assert_null(wire_open(c->wire));
    wire_free(c->wire);
    arena_free(c->arena);
    buf_free(&c->in);
    buf_free(&c->out);
}

/* In `format` %s stands for what accepts our key. */
static enum flow
asker_give(struct asker *c, const char *format)
{
    char accept[WEBSOCKET_ACCEPT_SIZE + 1] = "";

    websocket_accept(c->key, accept);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buf_printf(&c->in, format, accept, accept);
#pragma GCC diagnostic pop
    return stream_read_response(c->stream, c->arena, &c->response, &c->why);
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: %s\r\n"

static void
a_handshake_is_written_with_a_fresh_key_of_our_own(void **state)
{
    struct asker a, b;

    (void)state;
    asker_init(&a);
    asker_init(&b);
    assert_true(text_starts(
        buf_text(&a.out),
        TEXT("GET /chat HTTP/1.1\r\nHost: a.test\r\nSec-WebSocket-Protocol: chat\r\n"
             "Connection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ")));
    assert_true(text_ends(buf_text(&a.out), TEXT("==\r\n\r\n")));
    assert_false(is_in(buf_text(&a.out), "Content-Length"));
    assert_false(is_in(buf_text(&a.out), "Transfer-Encoding"));
    assert_memory_not_equal(a.key, b.key, sizeof a.key);
    asker_free(&a);
    asker_free(&b);
}

static void
a_101_that_answers_our_key_opens_the_tunnel(void **state)
{
    static const char *const rows[] = {
        SWITCH UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\nglued",
        SWITCH "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" ACCEPT
               "Sec-WebSocket-Protocol: chat\r\n\r\nglued",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" SWITCH UPGRADE
            CONNECTION ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\nglued",
    };
    struct text piece;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asker c;
        enum flow flow;

        asker_init(&c);
        flow = asker_give(&c, rows[i]);
        while (flow == FLOW_OK && c.response.status < 200 && c.response.status != 101)
            flow = stream_read_response(c.stream, c.arena, &c.response, &c.why);
        if (flow != FLOW_OK)
            fail_msg("row %zu: %s", i, reason_token(c.why));
        assert_int_equal(c.response.status, 101);
        assert_int_equal(c.response.body.kind, BODY_TUNNEL);
        assert_int_equal(c.response.headers.n, 1);
        assert_int_equal(stream_read_body(c.stream, c.arena, &piece, &c.why), FLOW_OK);
        assert_true(text_equals(piece, TEXT("glued")));
        buf_free(&c.out);
        stream_write_body(c.stream, TEXT("hello"));
        assert_true(text_equals(buf_text(&c.out), TEXT("hello")));
        stream_write_end(c.stream, NULL);
        wire_read_closed(c.wire);
        assert_int_equal(stream_read_body(c.stream, c.arena, &piece, &c.why), FLOW_END);
        asker_free(&c);
    }
}

static void
a_101_that_answers_anything_else_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        enum reason why;
    } rows[] = {
        { SWITCH "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE CONNECTION "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH CONNECTION ACCEPT "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE ACCEPT "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH "Upgrade: h2c\r\n" CONNECTION ACCEPT "\r\n",
          REASON_UPSTREAM_WEBSOCKET },
        { SWITCH "Upgrade: websocket, h2c\r\n" CONNECTION ACCEPT "\r\n",
          REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE UPGRADE CONNECTION ACCEPT "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE CONNECTION ACCEPT ACCEPT "\r\n", REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE CONNECTION "Sec-WebSocket-Accept: x%s\r\n\r\n",
          REASON_UPSTREAM_WEBSOCKET },
        /* another key's */
        { SWITCH UPGRADE CONNECTION
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
          REASON_UPSTREAM_WEBSOCKET },
        { SWITCH UPGRADE CONNECTION ACCEPT "Content-Length: 5\r\n\r\nhello",
          REASON_UPSTREAM_MALFORMED },
        { SWITCH UPGRADE CONNECTION ACCEPT "Transfer-Encoding: chunked\r\n\r\n",
          REASON_UPSTREAM_MALFORMED },
        { SWITCH UPGRADE "Connection: upgrade, close\r\n" ACCEPT "\r\n",
          REASON_UPSTREAM_MALFORMED },
        { "HTTP/1.0 101 Switching Protocols\r\n" UPGRADE CONNECTION ACCEPT "\r\n",
          REASON_UPSTREAM_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asker c;
        enum flow flow;

        asker_init(&c);
        flow = asker_give(&c, rows[i].bytes);
        if (flow != FLOW_BROKEN || c.why != rows[i].why)
            fail_msg("row %zu: %d, %s", i, flow, reason_token(c.why));
        asker_free(&c);
    }
}

static void
another_answer_is_an_answer_and_the_last(void **state)
{
    static const char *const rows[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 426 No\r\nContent-Length: 2\r\nSec-WebSocket-Version: 8\r\n\r\nno",
        "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT
        "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    };
    struct text piece;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asker c;

        asker_init(&c);
        assert_int_equal(asker_give(&c, rows[i]), FLOW_OK);
        assert_true(c.response.status >= 200);
        assert_int_not_equal(c.response.body.kind, BODY_TUNNEL);
        assert_int_equal(stream_read_body(c.stream, c.arena, &piece, &c.why), FLOW_OK);
        assert_true(text_equals(piece, TEXT("no")));
        assert_int_equal(stream_read_body(c.stream, c.arena, &piece, &c.why), FLOW_END);
        asker_free(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_handshake_is_a_request_for_a_tunnel_without_the_fields_of_its_own),
        cmocka_unit_test(what_the_two_ends_agree_on_passes),
        cmocka_unit_test(every_malformed_handshake_is_refused),
        cmocka_unit_test(another_protocol_is_told_as_one_whatever_else_is_asked),
        cmocka_unit_test(the_client_is_told_what_its_key_asks_for),
        cmocka_unit_test(nothing_is_taken_from_the_client_before_the_101),
        cmocka_unit_test(bytes_go_as_they_are_until_each_side_has_ended),
        cmocka_unit_test(a_wire_whose_handshake_failed_carries_nothing_else),
        cmocka_unit_test(a_handshake_is_written_with_a_fresh_key_of_our_own),
        cmocka_unit_test(a_101_that_answers_our_key_opens_the_tunnel),
        cmocka_unit_test(a_101_that_answers_anything_else_is_refused),
        cmocka_unit_test(another_answer_is_an_answer_and_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* HTTP/2 wires of both roles, joined by memory: exchanges as they should be. */
#include "pair.h"

static const struct body_frame nothing = { BODY_NONE, 0 },
                               streamed = { BODY_STREAM, 0 };

#define TEXT_IS(text, literal) assert_true(text_equals(text, TEXT(literal)))

static void
a_get_and_its_answer_go_both_ways(void **state)
{
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    assert_true(wire_is_multiplexed(p.client.wire));
    peer_ask(&client, &p, "GET", nothing);
    pair_settle(&p);
    peer_accept(&server, &p);
    TEXT_IS(server.request.method, "GET");
    TEXT_IS(server.request.target, "/path?a=b");
    TEXT_IS(server.request.host, "a.test");
    TEXT_IS(server.request.scheme, "https");
    assert_int_equal(server.request.form, TARGET_ORIGIN);
    assert_int_equal(server.request.body.kind, BODY_NONE);
    assert_int_equal(server.request.headers.n, 1);
    TEXT_IS(server.request.headers.at[0].name, "x-test");
    TEXT_IS(server.request.headers.at[0].value, "yes");
    assert_int_equal(peer_read_body(&server), FLOW_END);

    peer_answer(&server, 200, (struct body_frame){ BODY_LENGTH, 5 });
    stream_write_body(server.stream, TEXT("hello"));
    stream_write_end(server.stream, NULL);
    peer_free(&server);
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(client.response.status, 200);
    assert_int_equal(client.response.body.kind, BODY_LENGTH);
    assert_int_equal(client.response.body.length, 5);
    TEXT_IS(headers_get(&client.response.headers, TEXT("server"))->value, "test");
    assert_int_equal(peer_read_body(&client), FLOW_END);
    TEXT_IS(buf_text(&client.body), "hello");
    assert_false(stream_is_gone(client.stream));
    peer_free(&client);
    assert_true(wire_may_reuse(p.client.wire));
    assert_false(p.client.is_broken || p.server.is_broken);
    pair_free(&p);
}

/* Writes `n` bytes of a pattern as far as the peer takes them. */
static size_t
write_some(struct peer *p, size_t at, size_t n)
{
    char piece[1000];

    while (at < n && !stream_is_full(p->stream)) {
        size_t size = n - at < sizeof piece ? n - at : sizeof piece;

        for (size_t i = 0; i < size; i++)
            piece[i] = (char)((at + i) * 7);
        stream_write_body(p->stream, text_of(piece, size));
        at += size;
        if (at == n)
            stream_write_end(p->stream, NULL);
    }
    return at;
}

static void
is_pattern(const struct buf *b, size_t n)
{
    assert_int_equal(buf_length(b), n);
    for (size_t i = 0; i < n; i++)
        if (buf_text(b).at[i] != (char)(i * 7))
            fail_msg("byte %zu", i);
}

static void
bodies_larger_than_every_window_go_both_ways(void **state)
{
    enum { SIZE = 1 << 20 };
    size_t asked = 0, answered = 0;
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    peer_ask(&client, &p, "POST", (struct body_frame){ BODY_LENGTH, SIZE });
    pair_settle(&p);
    peer_accept(&server, &p);
    assert_int_equal(server.request.body.kind, BODY_LENGTH);
    peer_answer(&server, 200, streamed);
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(client.response.body.kind, BODY_STREAM);
    while (!client.is_whole || !server.is_whole) {
        asked = write_some(&client, asked, SIZE);
        answered = write_some(&server, answered, SIZE);
        carry(&p.client, &p.server);
        carry(&p.server, &p.client);
        peer_read_body(&client);
        peer_read_body(&server);
        assert_false(client.is_broken || server.is_broken);
        assert_true(buf_length(&p.client.out) <= usual_limits.ceiling + (16 << 10));
    }
    is_pattern(&client.body, SIZE);
    is_pattern(&server.body, SIZE);
    assert_true(stream_has_read_all(client.stream));
    assert_true(stream_has_written_all(client.stream));
    peer_free(&client);
    peer_free(&server);
    pair_settle(&p);
    pair_free(&p);
}

static void
trailers_go_both_ways(void **state)
{
    struct peer client, server;
    struct headers trailers;
    struct pair p;

    (void)state;
    pair_init(&p);
    headers_init(&trailers, p.arena);
    headers_add(&trailers, TEXT("Grpc-Status"), TEXT("0"));
    peer_ask(&client, &p, "POST", streamed);
    stream_write_body(client.stream, TEXT("question"));
    stream_write_end(client.stream, &trailers);
    pair_settle(&p);
    peer_accept(&server, &p);
    assert_int_equal(peer_read_body(&server), FLOW_END);
    TEXT_IS(buf_text(&server.body), "question");
    TEXT_IS(stream_trailers(server.stream)->at[0].name, "grpc-status");
    peer_answer(&server, 200, streamed);
    stream_write_end(server.stream, &trailers);
    peer_free(&server);
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(peer_read_body(&client), FLOW_END);
    TEXT_IS(stream_trailers(client.stream)->at[0].value, "0");
    peer_free(&client);
    pair_free(&p);
}

static void
many_streams_share_a_wire(void **state)
{
    enum { STREAMS = 100 };
    struct peer clients[STREAMS], servers[STREAMS];
    struct pair p;

    (void)state;
    pair_init(&p);
    for (int i = 0; i < STREAMS; i++)
        peer_ask(&clients[i], &p, "POST", streamed);
    assert_false(wire_may_reuse(p.client.wire));
    assert_null(wire_open(p.client.wire));
    pair_settle(&p);
    for (int i = 0; i < STREAMS; i++)
        peer_accept(&servers[i], &p);
    for (int i = STREAMS - 1; i >= 0; i--) {
        stream_write_body(clients[i].stream, text_of((const char *)&i, sizeof i));
        stream_write_end(clients[i].stream, NULL);
    }
    pair_settle(&p);
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(servers[i].rings, 1);
        assert_int_equal(peer_read_body(&servers[i]), FLOW_END);
        assert_memory_equal(buf_text(&servers[i].body).at, &i, sizeof i);
        peer_answer(&servers[i], 204, nothing);
        peer_free(&servers[i]);
    }
    pair_settle(&p);
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(peer_read_response(&clients[i]), FLOW_OK);
        assert_int_equal(clients[i].response.status, 204);
        peer_free(&clients[i]);
    }
    assert_true(wire_may_reuse(p.client.wire));
    pair_free(&p);
}

static void
heads_as_long_as_a_limit_may_be_go_both_ways(void **state)
{
    enum { FIELDS = 90, SIZE = 11000 };
    struct wire_limits limits = usual_limits;
    static char value[SIZE];
    struct request asked = { .method = TEXT("GET") };
    struct response answered = { .status = 200 };
    struct peer client, server;
    struct pair p;

    (void)state;
    limits.head_bytes = 1 << 20;
    memset(value, '#', sizeof value);
    pair_init_within(&p, &limits);
    headers_init(&asked.headers, p.arena);
    for (int i = 0; i < FIELDS; i++)
        headers_add(&asked.headers, TEXT("x"), text_of(value, sizeof value));
    answered.headers = asked.headers;
    peer_init(&client, wire_open(p.client.wire));
    stream_write_request(client.stream, &asked, TEXT("/"), text_of(NULL, 0),
                         TEXT("a.test"));
    stream_write_end(client.stream, NULL);
    pair_settle(&p);
    peer_accept(&server, &p);
    assert_int_equal(server.request.headers.n, FIELDS);
    stream_write_response(server.stream, &answered);
    stream_write_end(server.stream, NULL);
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(client.response.headers.n, FIELDS);
    peer_free(&client);
    peer_free(&server);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_and_its_answer_go_both_ways),
        cmocka_unit_test(bodies_larger_than_every_window_go_both_ways),
        cmocka_unit_test(trailers_go_both_ways),
        cmocka_unit_test(many_streams_share_a_wire),
        cmocka_unit_test(heads_as_long_as_a_limit_may_be_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

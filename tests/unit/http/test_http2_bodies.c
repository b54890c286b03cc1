/* Bodies, trailers and answers of HTTP/2 that do not keep their word, from either side:
 * what could be taken for another message is refused, and only its own stream ends. */
#include "asking.h"

/* ---- what clients send behind a head */

#define POST HEAD_OF_POST

static const struct {
    const char *lines, *data, *trailers;
    enum reason why;
} bad_bodies[] = {
    { POST "|content-length: 5", "abcd", NULL, REASON_CONTENT_LENGTH },
    { POST "|content-length: 5", "abcdef", NULL, REASON_CONTENT_LENGTH },
    { POST "|content-length: 0", "a", NULL, REASON_CONTENT_LENGTH },
    { POST "|content-length: 1", "GET /denied HTTP/1.1\r\nHost: a.test\r\n\r\n", NULL,
      REASON_CONTENT_LENGTH },
    { POST "|content-length: 5", "abc", "x: y", REASON_CONTENT_LENGTH },
    { ":method: CONNECT|:authority: a.test:443", "a", NULL, REASON_CONTENT_LENGTH },
    { POST, "a", ":path: /", REASON_TRAILER },
    { POST, "a", "X: y", REASON_TRAILER },
    { POST, "a", "x: y\r\nz: a", REASON_TRAILER },
    { POST, "a", "x: y ", REASON_TRAILER },
    { POST, "a", "content-length: 1", REASON_TRAILER },
    { POST, "a", "authorization: x", REASON_TRAILER },
    { POST, "a", "x_forwarded_for: y", REASON_TRAILER },
    { POST, "a", "connection: close", REASON_TRAILER },
    { POST, "a", "te: trailers", REASON_TRAILER },
};

static void
bodies_that_do_not_keep_their_word_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_bodies); i++) {
        const char *trailers = bad_bodies[i].trailers;
        struct asking a;

        ask(&a, bad_bodies[i].lines, false);
        assert_int_equal(a.flow, FLOW_OK);
        add_frame(&a.server.in, F_DATA, trailers == NULL ? F_END_STREAM : 0, 1,
                  text_z(bad_bodies[i].data));
        if (trailers != NULL)
            add_head(&a.server.in, 1, trailers, F_END_STREAM);
        asking_receive(&a);
        assert_int_equal(a.peer.rings, 1);
        assert_int_equal(peer_read_body(&a.peer), FLOW_BROKEN);
        if (a.peer.why != bad_bodies[i].why)
            fail_msg("row %zu: %s", i, reason_token(a.peer.why));
        assert_int_equal(a.server.why, REASON_OK);
        asking_end(&a);
    }
}

static void
a_head_behind_the_head_that_is_not_the_last_is_refused(void **state)
{
    struct asking a;

    (void)state;
    ask(&a, POST, false);
    add_head(&a.server.in, 1, "x: y", 0);
    add_frame(&a.server.in, F_DATA, F_END_STREAM, 1, TEXT("abc"));
    asking_receive(&a);
    assert_int_equal(peer_read_body(&a.peer), FLOW_BROKEN);
    assert_int_equal(a.peer.why, REASON_TRAILER);
    asking_end(&a);
}

static void
padding_is_no_body(void **state)
{
    struct asking a;

    (void)state;
    ask(&a, POST "|content-length: 3", false);
    add_frame(&a.server.in, F_DATA, F_PADDED, 1, text_of("\4abc\0\0\0\0", 8));
    add_frame(&a.server.in, F_DATA, F_PADDED | F_END_STREAM, 1, text_of("\2\0\0", 3));
    asking_receive(&a);
    assert_int_equal(peer_read_body(&a.peer), FLOW_END);
    assert_true(text_equals(buf_text(&a.peer.body), TEXT("abc")));
    asking_end(&a);
}

/* ---- answers made by hand */

struct answering {
    struct end client;
    struct peer peer;
};

static void
answering_begin(struct answering *a, const char *method, enum upgrade upgrade)
{
    struct request r = { .method = text_z(method), .upgrade = upgrade };

    memset(a, 0, sizeof *a);
    a->client.wire = wire_new(WIRE_HTTP2, WIRE_CLIENT, &usual_limits, &a->client.in,
                              &a->client.out);
    add_preface(&a->client.in, false);
    peer_init(&a->peer, wire_open(a->client.wire));
    headers_init(&r.headers, a->peer.arena);
    r.body.kind = upgrade == UPGRADE_NONE ? BODY_NONE : BODY_TUNNEL;
    stream_write_request(a->peer.stream, &r, TEXT("/"), text_of(NULL, 0),
                         TEXT("a.test"));
    if (upgrade == UPGRADE_NONE)
        stream_write_end(a->peer.stream, NULL);
    wire_send(a->client.wire);
}

static void
answering_receive(struct answering *a)
{
    wire_receive(a->client.wire, &a->client.why);
    wire_send(a->client.wire);
    assert_int_equal(a->client.why, REASON_OK);
}

static void
answering_end(struct answering *a)
{
    peer_free(&a->peer);
    end_free(&a->client);
}

static const struct {
    const char *method, *lines;
    bool is_all;
    const char *data;
    enum reason why;
} bad_answers[] = {
    { "GET", "", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", "x: y", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 20", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 2000", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 099", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 600", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: +20", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 1xx", false, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|:status: 200", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|:path: /", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", "x: y|:status: 200", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|X: y", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|x: y\r\nset-cookie: z", true, NULL,
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|transfer-encoding: chunked", true, NULL,
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|connection: close", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|content-length: 5", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|content-length: 5|content-length: 5", false, "abcde",
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|content-length: 5", false, "abc",
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 200|content-length: 5", false, "abcdef",
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 204", false, "a", REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 204|content-length: 1", true, NULL, REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 304|content-length: 5", false, "abcde",
      REASON_UPSTREAM_MALFORMED },
    { "HEAD", ":status: 200|content-length: 5", false, "abcde",
      REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 100", true, NULL, REASON_UPSTREAM_CLOSED },
    { "GET", ":status: 103", false, "a", REASON_UPSTREAM_MALFORMED },
    { "GET", ":status: 101", false, NULL, REASON_UPSTREAM_UPGRADE },
};

static void
hostile_answers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_answers); i++) {
        struct answering a;
        enum flow flow;

        answering_begin(&a, bad_answers[i].method, UPGRADE_NONE);
        add_head(&a.client.in, 1, bad_answers[i].lines,
                 bad_answers[i].is_all ? F_END_STREAM : 0);
        if (bad_answers[i].data != NULL)
            add_frame(&a.client.in, F_DATA, F_END_STREAM, 1,
                      text_z(bad_answers[i].data));
        answering_receive(&a);
        flow = peer_read_response(&a.peer);
        if (flow == FLOW_OK)
            flow = peer_read_body(&a.peer);
        if (flow != FLOW_BROKEN || a.peer.why != bad_answers[i].why)
            fail_msg("row %zu: %d %s", i, flow, reason_token(a.peer.why));
        answering_end(&a);
    }
}

static const struct {
    const char *method, *lines;
    bool is_all;
    int status;
    enum body_kind kind;
    uint64_t length; /* of the body, or told of none */
} good_answers[] = {
    { "GET", ":status: 200", true, 200, BODY_NONE, 0 },
    { "GET", ":status: 200", false, 200, BODY_STREAM, 0 },
    { "GET", ":status: 200|content-length: 5", false, 200, BODY_LENGTH, 5 },
    { "GET", ":status: 200|content-length: 0", true, 200, BODY_LENGTH, 0 },
    { "GET", ":status: 204", true, 204, BODY_NONE, 0 },
    { "GET", ":status: 304|content-length: 7", true, 304, BODY_NONE, 7 },
    { "HEAD", ":status: 200|content-length: 7", true, 200, BODY_NONE, 7 },
    { "GET", ":status: 599|grpc-status: 7", true, 599, BODY_NONE, 0 },
};

static void
innocent_answers_are_heard_as_they_are_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_answers); i++) {
        const struct response *r;
        struct answering a;

        answering_begin(&a, good_answers[i].method, UPGRADE_NONE);
        add_head(&a.client.in, 1, good_answers[i].lines,
                 good_answers[i].is_all ? F_END_STREAM : 0);
        answering_receive(&a);
        assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
        r = &a.peer.response;
        assert_int_equal(r->status, good_answers[i].status);
        assert_int_equal(r->body.kind, good_answers[i].kind);
        assert_true(good_answers[i].length ==
                    (r->body.kind == BODY_NONE ? r->told_length : r->body.length));
        answering_end(&a);
    }
}

static void
interim_answers_come_one_by_one_and_not_without_end(void **state)
{
    struct answering a;
    int n = 0;

    (void)state;
    answering_begin(&a, "GET", UPGRADE_NONE);
    add_head(&a.client.in, 1, ":status: 103|link: </a>", 0);
    add_head(&a.client.in, 1, ":status: 100", 0);
    add_head(&a.client.in, 1, ":status: 200", F_END_STREAM);
    answering_receive(&a);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(a.peer.response.status, 103);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(a.peer.response.status, 100);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(a.peer.response.status, 200);
    answering_end(&a);

    answering_begin(&a, "GET", UPGRADE_NONE);
    while (!a.peer.is_broken && n < 1000) {
        add_head(&a.client.in, 1, ":status: 102", 0);
        answering_receive(&a);
        n += peer_read_response(&a.peer) == FLOW_OK;
    }
    assert_true(n < 20);
    assert_int_equal(a.peer.why, REASON_UPSTREAM_MALFORMED);
    answering_end(&a);
}

static void
trailers_of_an_answer_lose_what_must_not_stand_there(void **state)
{
    struct answering a;

    (void)state;
    answering_begin(&a, "GET", UPGRADE_NONE);
    add_head(&a.client.in, 1, ":status: 200", 0);
    add_frame(&a.client.in, F_DATA, 0, 1, TEXT("abc"));
    add_head(&a.client.in, 1, "grpc-status: 0|set-cookie: a=b|x: y", F_END_STREAM);
    answering_receive(&a);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(peer_read_body(&a.peer), FLOW_END);
    assert_int_equal(stream_trailers(a.peer.stream)->n, 2);
    assert_false(headers_has(stream_trailers(a.peer.stream), TEXT("set-cookie")));
    answering_end(&a);
}

/* ---- WebSocket (RFC 8441) */

static void
a_2xx_to_a_websocket_is_a_101(void **state)
{
    struct answering a;

    (void)state;
    answering_begin(&a, "GET", UPGRADE_WEBSOCKET);
    add_head(&a.client.in, 1, ":status: 200", 0);
    add_frame(&a.client.in, F_DATA, 0, 1, TEXT("\x81\x02hi"));
    answering_receive(&a);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(a.peer.response.status, 101);
    assert_int_equal(a.peer.response.body.kind, BODY_TUNNEL);
    assert_int_equal(peer_read_body(&a.peer), FLOW_WAIT);
    assert_true(text_equals(buf_text(&a.peer.body), TEXT("\x81\x02hi")));
    answering_end(&a);

    answering_begin(&a, "GET", UPGRADE_WEBSOCKET);
    add_head(&a.client.in, 1, ":status: 403|content-length: 2", 0);
    answering_receive(&a);
    assert_int_equal(peer_read_response(&a.peer), FLOW_OK);
    assert_int_equal(a.peer.response.status, 403);
    assert_int_equal(a.peer.response.body.kind, BODY_LENGTH);
    answering_end(&a);
}

static void
ask_websocket(struct peer *p, struct pair *pair)
{
    struct request r = { .method = TEXT("GET"),
                         .upgrade = UPGRADE_WEBSOCKET,
                         .body = { BODY_TUNNEL, 0 } };

    peer_init(p, wire_open(pair->client.wire));
    headers_init(&r.headers, p->arena);
    stream_write_request(p->stream, &r, TEXT("/"), text_of(NULL, 0), TEXT("a.test"));
}

static void
what_a_client_sends_for_a_websocket_that_it_does_not_get_is_never_read(void **state)
{
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    pair_settle(&p);
    ask_websocket(&client, &p);
    stream_write_body(client.stream, TEXT("early"));
    stream_write_end(client.stream, NULL);
    pair_settle(&p);
    peer_accept(&server, &p);
    assert_int_equal(peer_read_body(&server), FLOW_WAIT);
    peer_answer(&server, 403, (struct body_frame){ BODY_NONE, 0 });
    assert_int_equal(peer_read_body(&server), FLOW_WAIT);
    assert_int_equal(buf_length(&server.body), 0);
    peer_free(&client);
    peer_free(&server);
    pair_free(&p);
}

static void
a_websocket_goes_from_end_to_end(void **state)
{
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    assert_false(wire_takes_websocket(p.client.wire));
    pair_settle(&p);
    assert_true(wire_takes_websocket(p.client.wire));
    ask_websocket(&client, &p);
    stream_write_body(client.stream, TEXT("from the client"));
    pair_settle(&p);
    peer_accept(&server, &p);
    assert_int_equal(server.request.upgrade, UPGRADE_WEBSOCKET);
    assert_int_equal(server.request.body.kind, BODY_TUNNEL);
    assert_int_equal(server.request.headers.n, 0);
    assert_int_equal(peer_read_body(&server), FLOW_WAIT);
    assert_int_equal(buf_length(&server.body), 0); /* it waits for the 101 */
    peer_answer(&server, 101, (struct body_frame){ BODY_TUNNEL, 0 });
    stream_write_body(server.stream, TEXT("from the server"));
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(client.response.status, 101);
    assert_int_equal(peer_read_body(&client), FLOW_WAIT);
    assert_int_equal(peer_read_body(&server), FLOW_WAIT);
    assert_true(text_equals(buf_text(&client.body), TEXT("from the server")));
    assert_true(text_equals(buf_text(&server.body), TEXT("from the client")));
    stream_write_end(client.stream, NULL);
    pair_settle(&p);
    assert_int_equal(peer_read_body(&server), FLOW_END);
    stream_write_end(server.stream, NULL);
    pair_settle(&p);
    assert_int_equal(peer_read_body(&client), FLOW_END);
    peer_free(&client);
    peer_free(&server);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_that_do_not_keep_their_word_are_refused),
        cmocka_unit_test(a_head_behind_the_head_that_is_not_the_last_is_refused),
        cmocka_unit_test(padding_is_no_body),
        cmocka_unit_test(hostile_answers_are_refused),
        cmocka_unit_test(innocent_answers_are_heard_as_they_are_meant),
        cmocka_unit_test(interim_answers_come_one_by_one_and_not_without_end),
        cmocka_unit_test(trailers_of_an_answer_lose_what_must_not_stand_there),
        cmocka_unit_test(a_2xx_to_a_websocket_is_a_101),
        cmocka_unit_test(
            what_a_client_sends_for_a_websocket_that_it_does_not_get_is_never_read),
        cmocka_unit_test(a_websocket_goes_from_end_to_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

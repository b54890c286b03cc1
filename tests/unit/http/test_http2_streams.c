/* The ends of HTTP/2 streams: by either side, early, late, or by nobody. What was cut
 * never looks whole, and neighbours notice nothing. */
#include "talk.h"

#define TEXT_IS(text, literal) assert_true(text_equals(text, TEXT(literal)))

/* ---- cut */

static void
an_answer_that_is_cut_does_not_look_whole(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    stream_write_body(t.server.stream, TEXT("half of "));
    pair_settle(&t.pair);
    stream_write_body(t.server.stream, TEXT("it"));
    peer_close(&t.server);
    pair_settle(&t.pair);
    assert_int_equal(t.client.rings, 2);
    assert_true(stream_is_gone(t.client.stream));
    assert_false(stream_is_unprocessed(t.client.stream));
    assert_int_equal(peer_read_body(&t.client), FLOW_BROKEN);
    assert_int_equal(t.client.why, REASON_UPSTREAM_CLOSED);
    TEXT_IS(buf_text(&t.client.body), "half of ");
    talk_end(&t);
}

static void
a_request_that_is_cut_does_not_look_whole(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    stream_write_body(t.client.stream, TEXT("half"));
    pair_settle(&t.pair);
    peer_close(&t.client);
    pair_settle(&t.pair);
    assert_true(stream_is_gone(t.server.stream));
    assert_int_equal(peer_read_body(&t.server), FLOW_BROKEN);
    assert_int_equal(t.server.why, REASON_CLIENT_GONE);
    /* What is written goes nowhere, and is no mistake. */
    stream_write_body(t.server.stream, TEXT("to nobody"));
    assert_false(stream_is_full(t.server.stream));
    stream_write_end(t.server.stream, NULL);
    talk_end(&t);
}

static void
an_answer_before_the_end_of_its_request_stays_whole(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    stream_write_body(t.client.stream, TEXT("some of a long upload"));
    stream_close_after(t.server.stream);
    stream_write_body(t.server.stream, TEXT("no"));
    stream_write_end(t.server.stream, NULL);
    peer_close(&t.server);
    pair_settle(&t.pair);
    assert_false(stream_is_gone(t.client.stream));
    stream_write_body(t.client.stream, TEXT("more of it"));
    assert_int_equal(peer_read_body(&t.client), FLOW_END);
    TEXT_IS(buf_text(&t.client.body), "no");
    talk_end(&t);
}

static void
an_answer_goes_on_when_its_exchange_has_let_go(void **state)
{
    enum { SIZE = 300000 };
    char *large = calloc(1, SIZE);
    struct talk t;

    (void)state;
    assert_non_null(large);
    talk_begin(&t);
    stream_write_end(t.client.stream, NULL);
    stream_write_body(t.server.stream, text_of(large, SIZE));
    stream_write_end(t.server.stream, NULL);
    peer_close(&t.server);
    while (peer_read_body(&t.client) == FLOW_WAIT)
        pair_settle(&t.pair);
    assert_true(t.client.is_whole);
    assert_int_equal(buf_length(&t.client.body), SIZE);
    free(large);
    talk_end(&t);
}

/* ---- taken back by hand */

static void
a_request_reset_before_anybody_took_it_is_nobodys(void **state)
{
    struct stream *s;
    struct asking a;

    (void)state;
    asking_begin(&a);
    add_head(&a.server.in, 1, HEAD_OF_GET, F_END_STREAM);
    add_frame_u32(&a.server.in, F_RST_STREAM, 1, 8);
    add_head(&a.server.in, 3, HEAD_OF_POST, 0);
    asking_take(&a);
    assert_int_equal(wire_next(a.server.wire, &s), FLOW_WAIT);
    add_frame_u32(&a.server.in, F_RST_STREAM, 3, 8);
    asking_receive(&a);
    assert_int_equal(a.peer.rings, 1);
    assert_true(stream_is_gone(a.peer.stream));
    asking_end(&a);
}

static void
a_request_reset_before_it_is_read_is_not_read(void **state)
{
    struct peer p;
    struct stream *s;
    struct asking a;

    (void)state;
    asking_begin(&a);
    add_head(&a.server.in, 1, HEAD_OF_GET, F_END_STREAM);
    asking_receive(&a);
    assert_int_equal(wire_next(a.server.wire, &s), FLOW_OK);
    peer_init(&p, s);
    add_frame_u32(&a.server.in, F_RST_STREAM, 1, 8);
    asking_receive(&a);
    assert_int_equal(peer_read_request(&p), FLOW_BROKEN);
    assert_int_equal(p.why, REASON_CLIENT_GONE);
    peer_free(&p);
    end_free(&a.server);
}

static void
a_refused_stream_was_not_processed(void **state)
{
    enum { REFUSED_STREAM = 7, INTERNAL_ERROR = 2 };
    struct peer first, second, third;
    struct pair p;

    (void)state;
    pair_init(&p);
    peer_ask(&first, &p, "GET", nothing);
    peer_ask(&second, &p, "GET", nothing);
    peer_ask(&third, &p, "GET", nothing);
    wire_send(p.client.wire);
    add_preface(&p.client.in, false);
    add_frame_u32(&p.client.in, F_RST_STREAM, 1, REFUSED_STREAM);
    add_frame_u32(&p.client.in, F_RST_STREAM, 3, INTERNAL_ERROR);
    /* It answers, then says it did not: what came of it cannot be taken back. */
    add_head(&p.client.in, 5, ":status: 100", 0);
    add_frame_u32(&p.client.in, F_RST_STREAM, 5, REFUSED_STREAM);
    assert_int_equal(wire_receive(p.client.wire, &p.client.why), FLOW_OK);
    assert_true(stream_is_gone(first.stream) && stream_is_unprocessed(first.stream));
    assert_true(stream_is_gone(second.stream));
    assert_false(stream_is_unprocessed(second.stream));
    assert_true(stream_is_gone(third.stream));
    assert_false(stream_is_unprocessed(third.stream));
    assert_int_equal(peer_read_response(&first), FLOW_BROKEN);
    assert_int_equal(first.why, REASON_UPSTREAM_CLOSED);
    peer_free(&first);
    peer_free(&second);
    peer_free(&third);
    assert_true(wire_may_reuse(p.client.wire));
    pair_free(&p);
}

/* ---- neighbours */

static void
a_stream_that_nobody_reads_stops_itself_alone(void **state)
{
    enum { SIZE = 1 << 20 };
    static char piece[4096];
    struct peer client, server;
    size_t sent = 0, stalled = 0;
    struct talk t;

    (void)state;
    talk_begin(&t);
    while (!stream_is_full(t.client.stream)) {
        stream_write_body(t.client.stream, text_of(piece, sizeof piece));
        stalled += sizeof piece;
        pair_settle(&t.pair);
        assert_true(stalled < SIZE);
    }
    assert_true(stalled < 3 * usual_limits.ceiling);
    peer_ask(&client, &t.pair, "POST", streamed);
    pair_settle(&t.pair);
    peer_accept(&server, &t.pair);
    while (sent < SIZE) {
        for (; sent < SIZE && !stream_is_full(client.stream); sent += sizeof piece)
            stream_write_body(client.stream, text_of(piece, sizeof piece));
        pair_settle(&t.pair);
        assert_int_equal(peer_read_body(&server), FLOW_WAIT);
    }
    stream_write_end(client.stream, NULL);
    pair_settle(&t.pair);
    assert_int_equal(peer_read_body(&server), FLOW_END);
    assert_int_equal(buf_length(&server.body), SIZE);
    peer_free(&client);
    peer_free(&server);
    /* And it goes on when somebody does. */
    t.client.rings = 0;
    assert_int_equal(peer_read_body(&t.server), FLOW_WAIT);
    pair_settle(&t.pair);
    assert_int_equal(t.client.rings, 1);
    assert_false(stream_is_full(t.client.stream));
    talk_end(&t);
}

static void
a_client_keeps_to_the_streams_that_its_peer_takes(void **state)
{
    struct peer first, second;
    struct pair p;

    (void)state;
    pair_init(&p);
    add_frame_head(&p.client.in, 6, F_SETTINGS, 0, 0);
    buf_add(&p.client.in, text_of("\0\3\0\0\0\2", 6)); /* MAX_CONCURRENT_STREAMS */
    assert_int_equal(wire_receive(p.client.wire, &p.client.why), FLOW_OK);
    peer_ask(&first, &p, "GET", nothing);
    assert_true(wire_may_reuse(p.client.wire));
    peer_ask(&second, &p, "GET", nothing);
    assert_false(wire_may_reuse(p.client.wire));
    assert_null(wire_open(p.client.wire));
    wire_send(p.client.wire);
    peer_free(&first);
    wire_send(p.client.wire);
    assert_true(wire_may_reuse(p.client.wire));
    peer_free(&second);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_is_cut_does_not_look_whole),
        cmocka_unit_test(a_request_that_is_cut_does_not_look_whole),
        cmocka_unit_test(an_answer_before_the_end_of_its_request_stays_whole),
        cmocka_unit_test(an_answer_goes_on_when_its_exchange_has_let_go),
        cmocka_unit_test(a_request_reset_before_anybody_took_it_is_nobodys),
        cmocka_unit_test(a_request_reset_before_it_is_read_is_not_read),
        cmocka_unit_test(a_refused_stream_was_not_processed),
        cmocka_unit_test(a_stream_that_nobody_reads_stops_itself_alone),
        cmocka_unit_test(a_client_keeps_to_the_streams_that_its_peer_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

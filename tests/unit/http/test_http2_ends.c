/* The ends of HTTP/2 wires: announced, agreed on, or just so. What has come by then
 * counts, in whichever order a wire is told of it. */
#include "talk.h"

#define TEXT_IS(text, literal) assert_true(text_equals(text, TEXT(literal)))

static void
end_wires(struct talk *t)
{
    peer_free(&t->client);
    peer_free(&t->server);
    pair_free(&t->pair);
}

/* ---- GOAWAY */

static void
add_goaway(struct buf *b, uint32_t last)
{
    add_frame_head(b, 8, F_GOAWAY, 0, 0);
    add_u32(b, last);
    add_u32(b, 0);
}

static void
both_kinds_of_goaway_leave_out_what_is_above_them(void **state)
{
    struct peer first, second, third;
    struct pair p;

    (void)state;
    pair_init(&p);
    peer_ask(&first, &p, "GET", nothing);
    peer_ask(&second, &p, "POST", streamed);
    wire_send(p.client.wire);
    peer_init(&third, wire_open(p.client.wire)); /* has not asked yet */
    add_preface(&p.client.in, false);
    add_goaway(&p.client.in, INT32_MAX);
    assert_int_equal(wire_receive(p.client.wire, &p.client.why), FLOW_OK);
    assert_false(wire_may_reuse(p.client.wire) || wire_is_over(p.client.wire));
    assert_null(wire_open(p.client.wire));
    assert_false(stream_is_gone(first.stream) || stream_is_gone(second.stream));
    assert_true(stream_is_unprocessed(third.stream));
    assert_int_equal(third.rings, 1);

    add_goaway(&p.client.in, 1);
    add_head(&p.client.in, 1, ":status: 204", F_END_STREAM);
    assert_int_equal(wire_receive(p.client.wire, &p.client.why), FLOW_OK);
    assert_true(stream_is_gone(second.stream) && stream_is_unprocessed(second.stream));
    assert_int_equal(peer_read_response(&first), FLOW_OK);
    assert_int_equal(first.response.status, 204);
    peer_free(&second);
    peer_free(&third);
    assert_false(wire_is_over(p.client.wire));
    peer_free(&first);
    assert_true(wire_is_over(p.client.wire));
    pair_free(&p);
}

static void
a_server_that_drains_finishes_what_it_took(void **state)
{
    struct peer client, server, late, late_server;
    struct stream *s;
    struct pair p;

    (void)state;
    pair_init(&p);
    peer_ask(&client, &p, "GET", nothing);
    pair_settle(&p);
    peer_accept(&server, &p);
    wire_drain(p.server.wire);
    wire_drain(p.server.wire);
    peer_ask(&late, &p, "GET", nothing); /* crosses with the notice */
    carry(&p.client, &p.server);
    pair_settle(&p);
    peer_accept(&late_server, &p);
    assert_false(wire_may_reuse(p.client.wire) || wire_may_reuse(p.server.wire));
    peer_answer(&server, 204, nothing);
    peer_answer(&late_server, 204, nothing);
    peer_free(&server);
    peer_free(&late_server);
    assert_false(wire_is_over(p.server.wire));
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    assert_int_equal(peer_read_response(&late), FLOW_OK);
    peer_free(&client);
    peer_free(&late);
    assert_true(wire_is_over(p.server.wire) && wire_is_over(p.client.wire));
    assert_int_equal(wire_next(p.server.wire, &s), FLOW_END);
    pair_free(&p);
}

static void
a_client_that_drains_opens_no_more(void **state)
{
    struct peer client;
    struct pair p;

    (void)state;
    pair_init(&p);
    peer_ask(&client, &p, "GET", nothing);
    pair_settle(&p);
    wire_drain(p.client.wire);
    assert_null(wire_open(p.client.wire));
    assert_false(wire_is_over(p.client.wire));
    peer_free(&client);
    pair_settle(&p);
    assert_true(wire_is_over(p.client.wire));
    pair_free(&p);
}

/* ---- the connection goes */

static void
streams_go_down_with_their_wire(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    wire_read_closed(t.pair.client.wire);
    wire_read_closed(t.pair.server.wire);
    assert_int_equal(t.client.rings, 1);
    assert_int_equal(t.server.rings, 1);
    assert_int_equal(peer_read_body(&t.client), FLOW_BROKEN);
    assert_int_equal(t.client.why, REASON_UPSTREAM_CLOSED);
    assert_int_equal(peer_read_body(&t.server), FLOW_BROKEN);
    assert_int_equal(t.server.why, REASON_CLIENT_GONE);
    assert_false(wire_may_reuse(t.pair.client.wire));
    end_wires(&t);
}

static void
an_answer_that_is_whole_survives_its_wire(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    stream_write_end(t.client.stream, NULL);
    stream_write_body(t.server.stream, TEXT("whole"));
    stream_write_end(t.server.stream, NULL);
    pair_settle(&t.pair);
    wire_read_closed(t.pair.client.wire);
    assert_false(stream_is_gone(t.client.stream));
    assert_int_equal(peer_read_body(&t.client), FLOW_END);
    TEXT_IS(buf_text(&t.client.body), "whole");
    peer_free(&t.client);
    peer_free(&t.server);
    assert_true(wire_is_over(t.pair.client.wire));
    pair_free(&t.pair);
}

static void
a_wire_that_breaks_takes_its_streams_with_it(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    stream_write_body(t.server.stream, TEXT("not sent any more"));
    add_frame(&t.pair.server.in, F_DATA, 0, 0, TEXT("of no stream"));
    assert_int_equal(wire_receive(t.pair.server.wire, &t.pair.server.why), FLOW_BROKEN);
    assert_int_equal(t.pair.server.why, REASON_HTTP2_PROTOCOL);
    assert_true(wire_is_over(t.pair.server.wire));
    assert_int_equal(t.server.rings, 1);
    assert_true(stream_is_gone(t.server.stream));
    assert_int_equal(peer_read_body(&t.server), FLOW_BROKEN);
    assert_int_equal(t.server.why, REASON_HTTP2_PROTOCOL);
    peer_free(&t.server);
    carry(&t.pair.server, &t.pair.client);
    assert_int_equal(peer_read_body(&t.client), FLOW_WAIT);
    assert_false(wire_may_reuse(t.pair.client.wire));
    peer_free(&t.client);
    pair_free(&t.pair);
}

/* ---- what came with the end */

static void
close_then_receive(struct end *e)
{
    wire_read_closed(e->wire);
    (void)wire_receive(e->wire, &e->why);
}

static void
receive_then_close(struct end *e)
{
    (void)wire_receive(e->wire, &e->why);
    wire_read_closed(e->wire);
}

static void
only_close(struct end *e)
{
    wire_read_closed(e->wire);
}

static void
close_again_and_again(struct end *e)
{
    for (int i = 0; i < 3; i++)
        close_then_receive(e);
}

static void (*const orders[])(struct end *e) = { close_then_receive, receive_then_close,
                                                 only_close, close_again_and_again };

static void
the_last_of_an_answer_may_come_with_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct talk t;

        talk_begin(&t);
        add_frame(&t.pair.client.in, F_DATA, F_END_STREAM, 1, TEXT("the last"));
        orders[i](&t.pair.client);
        assert_false(stream_is_gone(t.client.stream));
        assert_true(t.client.rings > 0);
        assert_int_equal(peer_read_body(&t.client), FLOW_END);
        TEXT_IS(buf_text(&t.client.body), "the last");
        assert_int_equal(buf_length(&t.pair.client.in), 0);
        end_wires(&t);
    }
}

static void
what_is_half_here_is_read_before_it_is_said_to_be_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct talk t;

        talk_begin(&t);
        add_frame(&t.pair.client.in, F_DATA, 0, 1, TEXT("half of it"));
        orders[i](&t.pair.client);
        assert_true(stream_is_gone(t.client.stream));
        assert_int_equal(peer_read_body(&t.client), FLOW_BROKEN);
        assert_int_equal(t.client.why, REASON_UPSTREAM_CLOSED);
        TEXT_IS(buf_text(&t.client.body), "half of it");
        end_wires(&t);
    }
}

/* Its client has gone, so nothing is begun for it. */
static void
a_request_that_came_with_the_end_is_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct stream *s;
        struct asking a;

        asking_begin(&a);
        add_head(&a.server.in, 1, HEAD_OF_GET, F_END_STREAM);
        orders[i](&a.server);
        assert_int_equal(wire_next(a.server.wire, &s), FLOW_OK);
        peer_init(&a.peer, s);
        assert_true(stream_is_gone(s));
        assert_int_equal(peer_read_request(&a.peer), FLOW_BROKEN);
        assert_int_equal(a.peer.why, REASON_CLIENT_GONE);
        asking_end(&a);
    }
}

static void
a_fault_that_came_with_the_end_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct talk t;

        talk_begin(&t);
        add_frame(&t.pair.client.in, F_DATA, 0, 0, TEXT("of no stream"));
        orders[i](&t.pair.client);
        assert_int_equal(wire_receive(t.pair.client.wire, &t.pair.client.why),
                         FLOW_BROKEN);
        assert_int_equal(t.pair.client.why, REASON_HTTP2_PROTOCOL);
        end_wires(&t);
    }
}

static void
what_comes_behind_the_end_is_nothing(void **state)
{
    struct talk t;

    (void)state;
    talk_begin(&t);
    wire_read_closed(t.pair.client.wire);
    add_frame(&t.pair.client.in, F_DATA, F_END_STREAM, 1, TEXT("too late"));
    assert_int_equal(wire_receive(t.pair.client.wire, &t.pair.client.why), FLOW_OK);
    assert_int_equal(buf_length(&t.pair.client.in), 0);
    assert_int_equal(peer_read_body(&t.client), FLOW_BROKEN);
    assert_int_equal(buf_length(&t.client.body), 0);
    end_wires(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_goaway_leave_out_what_is_above_them),
        cmocka_unit_test(a_server_that_drains_finishes_what_it_took),
        cmocka_unit_test(a_client_that_drains_opens_no_more),
        cmocka_unit_test(streams_go_down_with_their_wire),
        cmocka_unit_test(an_answer_that_is_whole_survives_its_wire),
        cmocka_unit_test(a_wire_that_breaks_takes_its_streams_with_it),
        cmocka_unit_test(the_last_of_an_answer_may_come_with_the_end),
        cmocka_unit_test(what_is_half_here_is_read_before_it_is_said_to_be_cut),
        cmocka_unit_test(a_request_that_came_with_the_end_is_not_read),
        cmocka_unit_test(a_fault_that_came_with_the_end_is_told),
        cmocka_unit_test(what_comes_behind_the_end_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Peers that mean harm without many frames, and innocents who look a little like them.
 */
#include "hostile.h"

static void
bytes_that_are_no_http2_break_the_wire(void **state)
{
    static const char *const junk[] = { "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
                                        "HTTP/1.1 400 Bad Request\r\n\r\n" };

    (void)state;
    for (int role = WIRE_SERVER; role <= WIRE_CLIENT; role++) {
        struct end e;

        end_init(&e, (enum wire_role)role);
        buf_drop(&e.in, buf_length(&e.in));
        buf_add_z(&e.in, junk[role]);
        end_receive(&e);
        assert_true(e.is_broken);
        assert_int_equal(e.why, REASON_HTTP2_PROTOCOL);
        assert_int_equal(goaway_code(&e) != 0, true);
        end_free(&e);
    }
}

/* ---- heads that unpack to much */

static void
add_bomb(struct buf *b, uint32_t id, size_t refs)
{
    struct buf block = { 0 };
    char value[4000];

    memset(value, 'a', sizeof value);
    add_lines(&block, HEAD_OF_GET);
    buf_add_byte(&block, 0x40); /* remembered */
    add_string(&block, TEXT("x"));
    add_string(&block, text_of(value, sizeof value));
    memset(buf_reserve(&block, refs), 0xbe, refs); /* the newest that is */
    buf_commit(&block, refs);
    add_frame(b, F_HEADERS, F_END_HEADERS | F_END_STREAM, id, buf_text(&block));
    buf_free(&block);
}

static void
a_head_that_unpacks_to_much_costs_little(void **state)
{
    size_t before = allocated();
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    for (uint32_t id = 1; id < 200; id += 2) {
        struct peer p;
        struct stream *s;

        add_bomb(&e.in, id, 12000); /* 48 MB */
        end_receive(&e);
        assert_int_equal(wire_next(e.wire, &s), FLOW_OK);
        peer_init(&p, s);
        assert_int_equal(peer_read_request(&p), FLOW_BROKEN);
        assert_int_equal(p.why, REASON_HEAD_TOO_LARGE);
        peer_answer(&p, 431, nothing);
        peer_free(&p);
        assert_true(allocated() < before + (1 << 20));
    }
    end_free(&e);
}

static void
many_crumbs_are_too_many_fields(void **state)
{
    struct buf block = { 0 };
    struct asking a;

    (void)state;
    add_lines(&block, HEAD_OF_GET);
    for (int i = 0; i < 1000; i++)
        add_literal(&block, TEXT("cookie"), TEXT("a=b"));
    asking_begin(&a);
    add_frame(&a.server.in, F_HEADERS, F_END_HEADERS | F_END_STREAM, 1,
              buf_text(&block));
    asking_take(&a);
    assert_int_equal(a.peer.why, REASON_TOO_MANY_FIELDS);
    buf_free(&block);
    asking_end(&a);
}

/* ---- slow ones: deadlines are the connection's, which must be able to see them */

static void
a_head_that_never_ends_is_seen(void **state)
{
    struct stream *s;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    end_receive(&e);
    assert_false(wire_is_busy(e.wire)); /* the preface, then silence: an idle wire */
    add_frame_head(&e.in, 100, F_HEADERS, 0, 1);
    end_receive(&e);
    assert_true(wire_is_busy(e.wire));
    for (int i = 0; i < 99; i++) {
        buf_add_byte(&e.in, i == 0 ? '\0' : i == 1 ? 0x7f : 'a');
        end_receive(&e);
        assert_true(wire_is_busy(e.wire) && !e.is_broken);
    }
    assert_int_equal(wire_next(e.wire, &s), FLOW_WAIT);
    end_free(&e);
}

static void
what_is_no_body_and_never_ends_is_seen(void **state)
{
    struct buf all = { 0 };
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    buf_drop(&e.in, buf_length(&e.in));
    add_preface(&all, true);
    add_ping(&all, 0);
    while (buf_length(&all) > 0) {
        size_t left = buf_length(&all) - 1;

        buf_add(&e.in, text_of(buf_text(&all).at, 1));
        buf_drop(&all, 1);
        end_receive(&e);
        /* Behind the magic bytes, SETTINGS, PING. */
        assert_int_equal(wire_is_busy(e.wire), left != 26 && left != 17 && left != 0);
    }
    add_head(&e.in, 1, HEAD_OF_POST, 0);
    add_frame_head(&e.in, 100, F_DATA, 0, 1);
    buf_add_z(&e.in, "a body may take its time");
    end_receive(&e);
    assert_false(wire_is_busy(e.wire));
    end_free(&e);
}

static void
streams_that_are_never_ended_are_no_more_than_may_be(void **state)
{
    unsigned taken = 0;
    struct stream *s[200];
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    add_frame(&e.in, F_SETTINGS, F_ACK, 0, text_of("", 0));
    end_receive(&e);
    for (uint32_t id = 1; id < 400 && !e.is_broken; id += 2) {
        add_head(&e.in, id, HEAD_OF_POST, 0);
        end_receive(&e);
        if (!e.is_broken && wire_next(e.wire, &s[taken]) == FLOW_OK)
            taken++;
    }
    assert_int_equal(taken, usual_limits.streams);
    assert_int_equal(e.why, REASON_HTTP2_PROTOCOL);
    while (taken > 0)
        stream_close(s[--taken]);
    end_free(&e);
}

/* A window of one byte at a time for a large answer. */
static void
a_dribbling_reader_gets_as_little_as_it_asks_for(void **state)
{
    size_t before = allocated();
    char piece[1000] = { 0 };
    struct peer p;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    add_window_flip(&e.in, 0);
    open_one(&e, WIRE_SERVER, &p);
    assert_int_equal(peer_read_request(&p), FLOW_OK);
    peer_answer(&p, 200, (struct body_frame){ BODY_STREAM, 0 });
    while (!stream_is_full(p.stream))
        stream_write_body(p.stream, text_of(piece, sizeof piece));
    wire_send(e.wire);
    for (int i = 0; i < 3000; i++) {
        buf_drop(&e.out, buf_length(&e.out));
        add_frame_u32(&e.in, F_WINDOW_UPDATE, 1, 1);
        end_receive(&e);
        assert_false(e.is_broken);
        assert_int_equal(buf_length(&e.out), 10);
    }
    assert_true(allocated() < before + (1 << 20));
    peer_free(&p);
    end_free(&e);
}

/* ---- requests that are taken back without a reset */

static const struct {
    const char *head, *body, *trailers;
    unsigned flags; /* of what comes last */
} broken_requests[] = {
    { HEAD_OF_POST "|content-length: 1", "xx", NULL, 0 },
    { HEAD_OF_POST "|content-length: 2", "x", NULL, F_END_STREAM },
    { HEAD_OF_POST, NULL, "a: b", 0 },
    { HEAD_OF_POST, NULL, "host: b.test", F_END_STREAM },
};

/* Its head was good: somebody is served. */
static void
break_one(struct end *e, size_t row, uint32_t id)
{
    struct stream *s;
    struct peer p;

    add_head(&e->in, id, broken_requests[row].head, 0);
    end_receive(e);
    assert_int_equal(wire_next(e->wire, &s), FLOW_OK);
    peer_init(&p, s);
    assert_int_equal(peer_read_request(&p), FLOW_OK);
    if (broken_requests[row].body != NULL)
        add_frame(&e->in, F_DATA, broken_requests[row].flags, id,
                  text_z(broken_requests[row].body));
    else
        add_head(&e->in, id, broken_requests[row].trailers, broken_requests[row].flags);
    end_receive(e);
    assert_int_equal(peer_read_body(&p), FLOW_BROKEN);
    peer_answer(&p, 400, nothing);
    peer_free(&p);
    end_receive(e);
}

static void
who_breaks_what_he_asked_for_has_taken_it_back(void **state)
{
    enum { ATTEMPTS = 20000 };

    (void)state;
    for (size_t row = 0; row < COUNT(broken_requests); row++) {
        struct end e;
        uint32_t i = 0;

        end_init(&e, WIRE_SERVER);
        for (; i < ATTEMPTS && !e.is_broken; i++) {
            break_one(&e, row, 2 * i + 1);
            if (!e.is_broken)
                buf_drop(&e.out, buf_length(&e.out));
        }
        if (!e.is_broken || i < GUARD_RESETS)
            fail_msg("%zu: %s after %u", row, reason_token(e.why), i);
        assert_int_equal(e.why, REASON_HTTP2_FLOOD);
        end_free(&e);
    }
}

/* A head with no path, refused before anything was judged. */
static void
ask_nothing(struct end *e, uint32_t id)
{
    struct stream *s;
    struct peer p;

    add_head(&e->in, id, ":method: GET|:scheme: https|:authority: a.test",
             F_END_STREAM);
    end_receive(e);
    assert_int_equal(wire_next(e->wire, &s), FLOW_OK);
    peer_init(&p, s);
    assert_int_equal(peer_read_request(&p), FLOW_BROKEN);
    peer_answer(&p, 400, nothing);
    peer_free(&p);
    end_receive(e);
}

static void
who_sends_heads_that_are_none_is_cut(void **state)
{
    enum { ATTEMPTS = 20000 };
    struct end e;
    uint32_t i = 0;

    (void)state;
    end_init(&e, WIRE_SERVER);
    for (; i < ATTEMPTS && !e.is_broken; i++) {
        ask_nothing(&e, 2 * i + 1);
        if (!e.is_broken)
            buf_drop(&e.out, buf_length(&e.out));
    }
    assert_in_range(i, GUARD_RESETS, ATTEMPTS - 1);
    assert_int_equal(e.why, REASON_HTTP2_FLOOD);
    end_free(&e);
}

/* ---- and innocents */

static void
busy_peers_are_not_taken_for_hostile_ones(void **state)
{
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    for (int i = 0; i < 5000; i++) {
        peer_ask(&client, &p, "GET", nothing);
        carry(&p.client, &p.server);
        peer_accept(&server, &p);
        peer_answer(&server, 200, (struct body_frame){ BODY_STREAM, 0 });
        stream_write_body(server.stream, TEXT("x"));
        stream_write_end(server.stream, NULL);
        peer_free(&server);
        add_ping(&p.server.in, 0);
        add_window_update(&p.server.in, 0);
        carry(&p.server, &p.client);
        peer_free(&client);
    }
    pair_settle(&p);
    assert_false(p.client.is_broken || p.server.is_broken);
    pair_free(&p);
}

/* Answers before the end of uploads are our choice, however many. */
static void
refusing_many_uploads_is_nobodys_fault(void **state)
{
    struct peer client, server;
    struct pair p;

    (void)state;
    pair_init(&p);
    for (int i = 0; i < 1000; i++) {
        peer_ask(&client, &p, "POST", (struct body_frame){ BODY_STREAM, 0 });
        carry(&p.client, &p.server);
        peer_accept(&server, &p);
        peer_answer(&server, 403, nothing);
        peer_free(&server);
        carry(&p.server, &p.client);
        stream_write_end(client.stream, NULL);
        peer_free(&client);
    }
    pair_settle(&p);
    assert_false(p.server.is_broken);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_http2_break_the_wire),
        cmocka_unit_test(a_head_that_unpacks_to_much_costs_little),
        cmocka_unit_test(many_crumbs_are_too_many_fields),
        cmocka_unit_test(a_head_that_never_ends_is_seen),
        cmocka_unit_test(what_is_no_body_and_never_ends_is_seen),
        cmocka_unit_test(streams_that_are_never_ended_are_no_more_than_may_be),
        cmocka_unit_test(a_dribbling_reader_gets_as_little_as_it_asks_for),
        cmocka_unit_test(who_breaks_what_he_asked_for_has_taken_it_back),
        cmocka_unit_test(who_sends_heads_that_are_none_is_cut),
        cmocka_unit_test(busy_peers_are_not_taken_for_hostile_ones),
        cmocka_unit_test(refusing_many_uploads_is_nobodys_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

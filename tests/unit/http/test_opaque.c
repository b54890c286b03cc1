/* TLS that passes unopened, as a wire: what comes is what goes, from the first byte of
 * the ClientHello on, and not before it is allowed. */
#include "driver.h"

#include "hellos.h"

struct side {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    enum reason why;
};

static void
side_init(struct side *s, enum wire_role role)
{
    *s = (struct side){ .arena = arena_new() };
    s->wire = wire_new(WIRE_OPAQUE, role, &usual_limits, &s->in, &s->out);
}

static void
side_free(struct side *s)
{
    if (s->stream != NULL)
        stream_close(s->stream);
    wire_free(s->wire);
    arena_free(s->arena);
    buf_free(&s->in);
    buf_free(&s->out);
}

static void
add_hex(struct buf *out, const char *hex)
{
    const char *end = hex + strlen(hex);

    for (; hex < end; hex += 2)
        buf_add_byte(out, (char)text_hex_pair(hex, end));
}

/* A client of the i-th recorded hello, and what it sends in the same breath. */
static enum flow
greet(struct side *s, size_t i, struct text behind, struct request *r)
{
    side_init(s, WIRE_SERVER);
    add_hex(&s->in, recorded[i].hex);
    buf_add(&s->in, behind);
    assert_int_equal(wire_next(s->wire, &s->stream), FLOW_OK);
    return stream_read_request(s->stream, s->arena, r, &s->why);
}

static void
respond(struct side *s, int status, enum body_kind kind)
{
    struct response r = { .status = status, .body.kind = kind };

    headers_init(&r.headers, s->arena);
    stream_write_response(s->stream, &r);
}

static void
expect_piece(struct side *s, struct text expected)
{
    struct text piece;

    assert_int_equal(stream_read_body(s->stream, s->arena, &piece, &s->why), FLOW_OK);
    assert_true(text_equals(piece, expected));
}

static void
expect_flow(struct side *s, enum flow flow)
{
    struct text piece;

    assert_int_equal(stream_read_body(s->stream, s->arena, &piece, &s->why), flow);
}

/* ---- towards the client */

static void
a_hello_is_a_connect_to_the_name_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(recorded); i++) {
        struct request r;
        struct side s;

        assert_int_equal(greet(&s, i, TEXT(""), &r), FLOW_OK);
        assert_true(text_equals(r.method, TEXT("CONNECT")));
        assert_int_equal(r.form, TARGET_AUTHORITY);
        assert_true(text_equals(r.host, TEXT("pinned.test")));
        assert_int_equal(r.hides_host, recorded[i].hides_name);
        assert_int_equal(r.body.kind, BODY_TUNNEL);
        assert_int_equal(r.headers.n, 0);
        assert_int_equal(r.upgrade, UPGRADE_NONE);
        side_free(&s);
    }
}

static void
it_is_read_when_it_is_whole_and_stays_where_it_is(void **state)
{
    struct buf hello = { 0 };
    struct text whole;
    struct request r;
    struct side s;

    (void)state;
    add_hex(&hello, recorded[0].hex);
    whole = buf_text(&hello);
    side_init(&s, WIRE_SERVER);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_WAIT);
    buf_add(&s.in, text_of(whole.at, 1));
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_OK);
    for (size_t i = 1; i < whole.n; i++) {
        assert_int_equal(stream_read_request(s.stream, s.arena, &r, &s.why), FLOW_WAIT);
        assert_true(wire_is_busy(s.wire));
        buf_add(&s.in, text_of(whole.at + i, 1));
    }
    assert_int_equal(stream_read_request(s.stream, s.arena, &r, &s.why), FLOW_OK);
    expect_flow(&s, FLOW_WAIT); /* nobody has allowed it yet */
    assert_true(text_equals(buf_text(&s.in), whole));
    respond(&s, 200, BODY_TUNNEL);
    assert_int_equal(buf_length(&s.out), 0);
    expect_piece(&s, whole);
    buf_free(&hello);
    side_free(&s);
}

static void
what_comes_is_passed_as_it_is_and_so_is_its_end(void **state)
{
    struct request r;
    struct side s;

    (void)state;
    assert_int_equal(greet(&s, 1, TEXT("early"), &r), FLOW_OK);
    respond(&s, 200, BODY_TUNNEL);
    assert_false(wire_is_busy(s.wire));
    assert_true(stream_writes_plain(s.stream));
    expect_piece(&s, text_of(buf_text(&s.in).at, buf_length(&s.in)));
    buf_add(&s.in, TEXT("\0\x16GET / HTTP/1.1\r\n"));
    expect_flow(&s, FLOW_OK);
    expect_flow(&s, FLOW_WAIT);
    assert_int_equal(buf_length(&s.in), 0);
    stream_write_body(s.stream, TEXT("\0anything\r\n"));
    assert_true(text_equals(buf_text(&s.out), TEXT("\0anything\r\n")));
    buf_add(&s.in, TEXT("last"));
    wire_read_closed(s.wire);
    expect_piece(&s, TEXT("last"));
    assert_false(stream_has_read_all(s.stream));
    expect_flow(&s, FLOW_END);
    assert_true(stream_has_read_all(s.stream));
    stream_write_end(s.stream, NULL);
    assert_true(stream_has_written_all(s.stream));
    side_free(&s);
}

static void
a_connection_carries_one_exchange(void **state)
{
    struct stream *second;
    struct request r;
    struct side s;

    (void)state;
    assert_int_equal(greet(&s, 0, TEXT(""), &r), FLOW_OK);
    assert_int_equal(wire_next(s.wire, &second), FLOW_WAIT);
    assert_false(wire_is_over(s.wire));
    stream_close(s.stream);
    s.stream = NULL;
    assert_int_equal(wire_next(s.wire, &second), FLOW_END);
    assert_true(wire_is_over(s.wire));
    assert_false(wire_may_reuse(s.wire));
    assert_false(wire_is_fresh(s.wire));
    assert_false(wire_is_multiplexed(s.wire));
    side_free(&s);
}

static void
a_refusal_is_told_as_an_alert_and_nothing_more(void **state)
{
    static const struct {
        int status;
        unsigned char alert;
    } table[] = { { 400, 49 }, { 403, 49 }, { 421, 112 }, { 502, 80 }, { 503, 80 } };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const unsigned char record[] = { 21, 3, 3, 0, 2, 2, table[i].alert };
        struct request r;
        struct side s;

        assert_int_equal(greet(&s, 0, TEXT(""), &r), FLOW_OK);
        respond(&s, table[i].status, BODY_LENGTH);
        stream_write_body(s.stream, TEXT("{\"reason\":\"ech\"}"));
        stream_write_end(s.stream, NULL);
        assert_true(text_equals(buf_text(&s.out),
                                text_of((const char *)record, sizeof record)));
        assert_true(stream_has_written_all(s.stream));
        expect_flow(&s, FLOW_WAIT);
        side_free(&s);
    }
}

static void
what_is_no_hello_is_refused_with_its_reason(void **state)
{
    static const struct text table[] = { { "\x16\x03\x01\x00\x00", 5 },
                                         { "\x17\x03\x03", 3 },
                                         { "GET / HTTP/1.1\r\n\r\n", 18 } };
    struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct side s;

        side_init(&s, WIRE_SERVER);
        buf_add(&s.in, table[i]);
        assert_int_equal(wire_next(s.wire, &s.stream), FLOW_OK);
        assert_int_equal(stream_read_request(s.stream, s.arena, &r, &s.why),
                         FLOW_BROKEN);
        assert_int_equal(s.why, REASON_CLIENT_HELLO);
        side_free(&s);
    }
}

/* Nothing more is read of a client whose buffer is full: it would be waited for until
 * its time is over. */
static void
a_hello_that_has_no_room_is_refused_at_once(void **state)
{
    struct wire_limits small = usual_limits;
    struct buf in = { 0 }, out = { 0 };
    struct arena *arena = arena_new();
    struct stream *stream;
    struct request r;
    enum reason why;
    struct wire *w;

    (void)state;
    small.ceiling = 100;
    w = wire_new(WIRE_OPAQUE, WIRE_SERVER, &small, &in, &out);
    add_hex(&in, recorded[0].hex);
    buf_truncate(&in, 99);
    assert_int_equal(wire_next(w, &stream), FLOW_OK);
    assert_int_equal(stream_read_request(stream, arena, &r, &why), FLOW_WAIT);
    buf_add_byte(&in, 0);
    assert_int_equal(stream_read_request(stream, arena, &r, &why), FLOW_BROKEN);
    assert_int_equal(why, REASON_CLIENT_HELLO);
    wire_free(w);
    arena_free(arena);
    buf_free(&in);
    buf_free(&out);
}

static void
a_client_that_leaves_before_it_says_anything_asked_nothing(void **state)
{
    struct side s;

    (void)state;
    side_init(&s, WIRE_SERVER);
    wire_read_closed(s.wire);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_END);
    side_free(&s);
}

/* ---- towards the service */

static void
open_service(struct side *s)
{
    struct request r = { .method = TEXT("CONNECT"), .body.kind = BODY_TUNNEL };

    side_init(s, WIRE_CLIENT);
    assert_true(wire_is_greeted(s->wire));
    assert_false(wire_takes_websocket(s->wire));
    s->stream = wire_open(s->wire);
    assert_non_null(s->stream);
    assert_null(wire_open(s->wire));
    headers_init(&r.headers, s->arena);
    stream_write_request(s->stream, &r, TEXT("/"), TEXT(""), TEXT("pinned.test"));
}

static void
a_service_is_sent_the_bytes_alone_and_its_own_come_back(void **state)
{
    struct response answered;
    struct side s;

    (void)state;
    open_service(&s);
    assert_int_equal(buf_length(&s.out), 0);
    assert_int_equal(stream_read_response(s.stream, s.arena, &answered, &s.why),
                     FLOW_OK);
    assert_int_equal(answered.status, 200);
    assert_int_equal(answered.body.kind, BODY_TUNNEL);
    assert_int_equal(answered.headers.n, 0);
    stream_write_body(s.stream, TEXT("\x16\x03\x01"));
    assert_true(text_equals(buf_text(&s.out), TEXT("\x16\x03\x01")));
    expect_flow(&s, FLOW_WAIT);
    buf_add(&s.in, TEXT("\x16\x03\x03 its hello"));
    expect_piece(&s, TEXT("\x16\x03\x03 its hello"));
    assert_false(stream_is_full(s.stream));
    wire_read_closed(s.wire);
    expect_flow(&s, FLOW_END);
    assert_false(wire_may_reuse(s.wire));
    stream_close(s.stream);
    s.stream = NULL;
    assert_null(wire_open(s.wire));
    side_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_a_connect_to_the_name_it_says),
        cmocka_unit_test(it_is_read_when_it_is_whole_and_stays_where_it_is),
        cmocka_unit_test(what_comes_is_passed_as_it_is_and_so_is_its_end),
        cmocka_unit_test(a_connection_carries_one_exchange),
        cmocka_unit_test(a_refusal_is_told_as_an_alert_and_nothing_more),
        cmocka_unit_test(what_is_no_hello_is_refused_with_its_reason),
        cmocka_unit_test(a_hello_that_has_no_room_is_refused_at_once),
        cmocka_unit_test(a_client_that_leaves_before_it_says_anything_asked_nothing),
        cmocka_unit_test(a_service_is_sent_the_bytes_alone_and_its_own_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

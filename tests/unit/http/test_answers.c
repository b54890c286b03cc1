/* The client side of a wire: what an upstream may answer, whole, hostile, in pieces or
 * cut short. */
#include "client.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* ---- hostile answers */

enum {
    SHORT = REASON_UPSTREAM_CLOSED,
    BAD = REASON_UPSTREAM_MALFORMED,
    LARGE = REASON_UPSTREAM_HEAD_TOO_LARGE
};

static const struct {
    const char *bytes;
    int why;
} hostile[] = {
    /* the status line */
    { "", SHORT },
    { "H", SHORT },
    { "X", BAD },
    { "\r\n" OK "\r\n", BAD },
    { " " OK "\r\n", BAD },
    { "HTTP/1.1\r\n\r\n", BAD },
    { "HTTP/1.1 \r\n\r\n", BAD },
    { "HTTP/1.1  200 OK\r\n\r\n", BAD },
    { "HTTP/1.1\t200 OK\r\n\r\n", BAD },
    { "HTTP/1.1 20 OK\r\n\r\n", BAD },
    { "HTTP/1.1 2000 OK\r\n\r\n", BAD },
    { "HTTP/1.1 099 OK\r\n\r\n", BAD },
    { "HTTP/1.1 600 OK\r\n\r\n", BAD },
    { "HTTP/1.1 -20 OK\r\n\r\n", BAD },
    { "HTTP/1.1 2x0 OK\r\n\r\n", BAD },
    { "HTTP/1.1 200OK\r\n\r\n", BAD },
    { "HTTP/1.2 200 OK\r\n\r\n", BAD },
    { "HTTP/2.0 200 OK\r\n\r\n", BAD },
    { "HTTP/2 200 OK\r\n\r\n", BAD },
    { "HTTP/1.10 200 OK\r\n\r\n", BAD },
    { "http/1.1 200 OK\r\n\r\n", BAD },
    { "ICY 200 OK\r\n\r\n", BAD },
    { "<html>hello", BAD },
    { "HTTP/1.1 200 OK\n\n", BAD },
    { "HTTP/1.1 200 OK\r\r\n\r\n", BAD },
    { "HTTP/1.1 200 O\x01K\r\n\r\n", BAD },
    { "HTTP/1.1 200 O\x7fK\r\n\r\n", BAD },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      REASON_UPSTREAM_UPGRADE },
    /* fields */
    { OK " X: y\r\n\r\n", BAD },
    { OK "X: y\r\n z\r\n\r\n", BAD },
    { OK "X : y\r\n\r\n", BAD },
    { OK "X\r\n\r\n", BAD },
    { OK ": y\r\n\r\n", BAD },
    { OK "X: \x01\r\n\r\n", BAD },
    { OK "X: y\rZ: a\r\n\r\n", BAD },
    { OK "X: y\n\r\n", BAD },
    { OK "X: y\r\n\n", BAD },
    { OK "X: y\r\n\rHTTP/1.1 200 OK\r\n\r\n", BAD },
    { OK "S\xe4t: y\r\n\r\n", BAD },
    /* framing */
    { OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", BAD },
    { OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD },
    { OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", BAD },
    { OK "Content-Length: 5, 5\r\n\r\nhello", BAD },
    { OK "Content-Length: +5\r\n\r\nhello", BAD },
    { OK "Content-Length: 0x5\r\n\r\nhello", BAD },
    { OK "Content-Length: -1\r\n\r\nhello", BAD },
    { OK "Content-Length:\r\n\r\nhello", BAD },
    { OK "Content-Length: 18446744073709551621\r\n\r\nhello", BAD },
    { OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      BAD },
    { OK "Transfer-Encoding: identity\r\n\r\nhello", BAD },
    { OK "Transfer-Encoding:\r\n\r\nhello", BAD },
    { OK "Transfer-Encoding: x\r\n\r\nhello", BAD },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD },
    { OK "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", BAD },
    { OK "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      BAD },
    { "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD },
    { "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", BAD },
    { "HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\nhello", BAD },
    { "HTTP/1.1 103 Go\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD },
    { "HTTP/1.1 103 Go\r\nConnection: close\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
      BAD },
    { "HTTP/1.0 100 Go\r\n\r\n" OK "Content-Length: 0\r\n\r\n", BAD },
    { "HTTP/1.0 100 Go\r\nConnection: keep-alive\r\n\r\n" OK "\r\n", BAD },
    { "HTTP/1.1 100 Go\r\n\r\n", SHORT },
    { "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 101 Up\r\n\r\n", REASON_UPSTREAM_UPGRADE },
    /* bodies */
    { OK "Content-Length: 5\r\n\r\nhell", SHORT },
    { OK "Content-Length: 5\r\n\r\n", SHORT },
    { OK "Transfer-Encoding: chunked\r\n\r\n", SHORT },
    { OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", SHORT },
    { OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", SHORT },
    { OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", SHORT },
    { OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n6\r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
      BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n100000005\r\nhello\r\n0\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX y\r\n\r\n", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\rX", BAD },
    { OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX: \x01\r\n\r\n", BAD },
};

/* Byte by byte and at once. */
static void
give(struct client *c, const char *method, const char *bytes, bool by_bytes)
{
    size_t n = strlen(bytes);

    client_init(c, method);
    for (size_t i = 0; by_bytes && i < n && !c->is_over; i++)
        client_give(c, bytes + i, 1);
    if (!by_bytes)
        client_give(c, bytes, n);
    if (!c->is_over)
        client_end(c);
}

static void
hostile_answers_are_refused_and_their_connection_is_not_used_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile) * 2; i++) {
        size_t row = i / 2;
        struct client c;

        give(&c, "GET", hostile[row].bytes, i % 2 == 1);
        if (c.is_whole || (int)c.why != hostile[row].why)
            fail_msg("row %zu: %s", row, reason_token(c.why));
        assert_false(wire_may_reuse(c.wire));
        stream_close(c.stream);
        c.stream = NULL;
        assert_null(wire_open(c.wire));
        client_free(&c);
    }
}

static void
a_head_or_trailer_over_its_limit_is_too_large(void **state)
{
    static const char *const starts[] = { OK, OK
                                          "Transfer-Encoding: chunked\r\n\r\n0\r\n" };

    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        struct client c;

        client_init(&c, "GET");
        buf_add_z(&c.in, starts[i]);
        for (size_t f = 0; f < usual_limits.fields + 1; f++)
            buf_add_z(&c.in, "X: y\r\n");
        client_run(&c);
        assert_int_equal(c.why, LARGE);
        client_free(&c);

        client_init(&c, "GET");
        buf_add_z(&c.in, starts[i]);
        buf_add_z(&c.in, "X: ");
        memset(buf_reserve(&c.in, usual_limits.head_bytes), 'x',
               usual_limits.head_bytes);
        buf_commit(&c.in, usual_limits.head_bytes);
        client_run(&c);
        assert_int_equal(c.why, LARGE);
        client_free(&c);
    }
}

static void
interim_answers_are_passed_up_to_a_bound(void **state)
{
    (void)state;
    for (unsigned n = 16; n <= 17; n++) {
        struct client c;

        client_init(&c, "GET");
        for (unsigned i = 0; i < n; i++)
            buf_add_z(&c.in, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        buf_add_z(&c.in, "HTTP/1.1 204 \r\n\r\n");
        client_run(&c);
        assert_int_equal(c.n_interim, 16);
        assert_int_equal(c.is_whole, n == 16);
        assert_int_equal(c.why, n == 16 ? REASON_OK : BAD);
        client_free(&c);
    }
}

/* ---- innocent answers */

static const struct {
    const char *method, *bytes, *heard;
    bool is_reusable, needs_close;
} innocent[] = {
    { "GET", OK "Content-Length: 5\r\n\r\nhello", "200 OK\n\nhello\n\n", true, false },
    { "GET", OK "Content-Length: 0\r\n\r\n", "200 OK\n\n\n\n", true, false },
    { "GET", OK "Content-Length: 05\r\n\r\nhello", "200 OK\n\nhello\n\n", true, false },
    { "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 \n\n\n\n", true, false },
    { "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200 \n\n\n\n", true,
      false },
    { "GET", "HTTP/1.1 418 I'm \xe2\x98\x95\t\r\nContent-Length: 0\r\n\r\n",
      "418 I'm \xe2\x98\x95\t\n\n\n\n", true, false },
    { "GET", OK "Transfer-Encoding: Chunked\r\n\r\n5;x\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
      "200 OK\n\nhello!\n\n", true, false },
    { "GET",
      OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nSet-Cookie: "
         "a\r\nContent-Length: 9\r\n\r\n",
      "200 OK\n\n\nX-Sum:1\n\n", true, false },
    { "GET",
      OK "Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\nX_Forwarded_For: "
         "c\r\n\r\n",
      "200 OK\nSet-Cookie:a\nSet-Cookie:b\nX_Forwarded_For:c\n\n\n\n", true, false },
    { "GET",
      OK "Connection: x-a\r\nX-A: 1\r\nKeep-Alive: 5\r\nUpgrade: "
         "h2c\r\nContent-Length: 0\r\n\r\n",
      "200 OK\n\n\n\n", true, false },
    { "GET", OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", "200 OK\n\nx\n\n",
      false, false },
    { "GET", OK "\r\nuntil close", "200 OK\n\nuntil close\n\n", false, true },
    { "GET", OK "\r\n", "200 OK\n\n\n\n", false, true },
    { "GET", "HTTP/1.0 200 OK\r\n\r\nuntil close", "200 OK\n\nuntil close\n\n", false,
      true },
    { "GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 OK\n\nx\n\n", false,
      false },
    { "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
      "200 OK\n\nx\n\n", false, false },
    { "GET", "HTTP/1.1 204 No\r\n\r\n", "204 No\n\n\n\n", true, false },
    { "GET", "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "204 No\n\n\n\n", true,
      false },
    { "GET", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", "304 No\n\n\n\n", true,
      false },
    { "GET", "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", "304 No\n\n\n\n",
      true, false },
    { "HEAD", OK "Content-Length: 9\r\n\r\n", "200 OK\n\n\n\n", true, false },
    { "HEAD", OK "Transfer-Encoding: chunked\r\n\r\n", "200 OK\n\n\n\n", true, false },
    { "HEAD", OK "\r\n", "200 OK\n\n\n\n", true, false },
    { "CONNECT", OK "\r\n", "200 OK\n\n\n\n", false, false },
    { "CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx", "403 No\n\nx\n\n",
      true, false },
    { "GET",
      "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 On\r\nLink: x\r\n\r\n" OK
      "Content-Length: 1\r\n\r\nx",
      "200 OK\n\nx\n\n", true, false },
};

static void
innocent_answers_come_out_as_they_were_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(innocent) * 2; i++) {
        size_t row = i / 2;
        struct client c;

        client_init(&c, innocent[row].method);
        for (size_t b = 0; i % 2 == 1 && innocent[row].bytes[b] != '\0'; b++)
            client_give(&c, innocent[row].bytes + b, 1);
        if (i % 2 == 0)
            client_give(&c, innocent[row].bytes, strlen(innocent[row].bytes));
        if (c.is_over == innocent[row].needs_close)
            fail_msg("row %zu: whole too early or not: %s", row, reason_token(c.why));
        if (!c.is_over)
            client_end(&c);
        if (!c.is_whole ||
            !text_equals(buf_text(&c.heard), text_z(innocent[row].heard)))
            fail_msg("row %zu: %s: %.*s", row, reason_token(c.why),
                     TEXT_ARG(buf_text(&c.heard)));
        assert_int_equal(wire_may_reuse(c.wire), innocent[row].is_reusable);
        client_free(&c);
    }
}

static void
an_answer_without_a_body_tells_the_length_it_has(void **state)
{
    static const struct {
        const char *method, *bytes;
        bool has_length;
        uint64_t length;
        enum body_kind kind;
    } rows[] = {
        { "HEAD", OK "Content-Length: 9\r\n\r\n", true, 9, BODY_NONE },
        { "HEAD", OK "\r\n", false, 0, BODY_NONE },
        { "GET", "HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", true, 7, BODY_NONE },
        { "GET", OK "Content-Length: 0\r\n\r\n", true, 0, BODY_LENGTH },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client c;

        give(&c, rows[i].method, rows[i].bytes, false);
        assert_true(c.is_whole);
        assert_int_equal(c.response.has_length, rows[i].has_length);
        assert_int_equal(c.response.told_length, rows[i].length);
        assert_int_equal(c.response.body.kind, rows[i].kind);
        client_free(&c);
    }
}

/* Cut anywhere before its end, an answer with a framing of its own is broken, never
 * whole. */
static void
an_answer_cut_short_is_never_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(innocent); i++) {
        for (size_t n = 0; n < strlen(innocent[i].bytes) && !innocent[i].needs_close;
             n++) {
            struct client c;

            client_init(&c, innocent[i].method);
            client_give(&c, innocent[i].bytes, n);
            client_end(&c);
            if (c.is_whole)
                fail_msg("row %zu, cut at %zu: whole", i, n);
            assert_int_equal(c.why, SHORT);
            client_free(&c);
        }
    }
}

/* ---- the wire's life */

static void
bytes_nobody_asked_for_end_the_wires_life(void **state)
{
    struct client c;

    (void)state;
    give(&c, "GET", OK "Content-Length: 1\r\n\r\nx", false);
    assert_true(wire_may_reuse(c.wire));
    buf_add_z(&c.in, "HTTP/1.1 200 OK\r\n");
    assert_false(wire_may_reuse(c.wire));
    stream_close(c.stream);
    c.stream = NULL;
    assert_false(wire_may_reuse(c.wire));
    assert_null(wire_open(c.wire));
    client_free(&c);

    client_init(&c, "HEAD");
    client_give(&c, OK "Content-Length: 1\r\n\r\nx",
                strlen(OK "Content-Length: 1\r\n\r\nx"));
    assert_true(c.is_whole);
    assert_false(wire_may_reuse(c.wire));
    client_free(&c);
}

static void
write_get(struct stream *s, struct arena *a, struct body_frame body)
{
    struct request r = { .method = TEXT("GET"), .body = body };

    headers_init(&r.headers, a);
    stream_write_request(s, &r, TEXT("/"), text_of(NULL, 0), TEXT("a.test"));
}

static void
a_wire_carries_one_exchange_after_the_other(void **state)
{
    struct client c;

    (void)state;
    client_init(&c, "HEAD");
    for (unsigned i = 0; i < 3; i++) {
        assert_true(wire_is_busy(c.wire));
        client_give(&c, OK "Content-Length: 0\r\n\r\n",
                    strlen(OK "Content-Length: 0\r\n\r\n"));
        assert_true(c.is_whole);
        stream_close(c.stream);
        assert_false(wire_is_busy(c.wire));
        c.stream = wire_open(c.wire);
        assert_non_null(c.stream);
        c.has_head = c.is_over = c.is_whole = false;
        write_get(c.stream, c.arena, (struct body_frame){ BODY_NONE, 0 });
        stream_write_end(c.stream, NULL);
    }
    client_free(&c);
}

static void
an_answer_before_the_request_was_whole_ends_the_wires_life(void **state)
{
    struct client c = { .arena = arena_new() };

    (void)state;
    c.wire = wire_new(WIRE_HTTP1, WIRE_CLIENT, &usual_limits, &c.in, &c.out);
    c.stream = wire_open(c.wire);
    write_get(c.stream, c.arena, (struct body_frame){ BODY_STREAM, 0 });
    client_give(&c, OK "Content-Length: 0\r\n\r\n",
                strlen(OK "Content-Length: 0\r\n\r\n"));
    assert_true(c.is_whole);
    assert_false(wire_may_reuse(c.wire));
    stream_write_end(c.stream, NULL);
    assert_true(wire_may_reuse(c.wire));
    client_free(&c);
}

static void
a_wire_that_the_upstream_closed_takes_no_request(void **state)
{
    struct client c;

    (void)state;
    give(&c, "GET", OK "Content-Length: 0\r\n\r\n", false);
    stream_close(c.stream);
    c.stream = NULL;
    wire_read_closed(c.wire);
    assert_false(wire_may_reuse(c.wire));
    assert_null(wire_open(c.wire));
    client_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            hostile_answers_are_refused_and_their_connection_is_not_used_again),
        cmocka_unit_test(a_head_or_trailer_over_its_limit_is_too_large),
        cmocka_unit_test(interim_answers_are_passed_up_to_a_bound),
        cmocka_unit_test(innocent_answers_come_out_as_they_were_meant),
        cmocka_unit_test(an_answer_without_a_body_tells_the_length_it_has),
        cmocka_unit_test(an_answer_cut_short_is_never_whole),
        cmocka_unit_test(bytes_nobody_asked_for_end_the_wires_life),
        cmocka_unit_test(a_wire_carries_one_exchange_after_the_other),
        cmocka_unit_test(an_answer_before_the_request_was_whole_ends_the_wires_life),
        cmocka_unit_test(a_wire_that_the_upstream_closed_takes_no_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

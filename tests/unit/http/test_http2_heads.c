/* What a head may say in HTTP/2, from either side: every byte that could be framing to
 * somebody is refused, the stream's neighbours live on, and what is taken reads the
 * same once it has been written to an HTTP/1 upstream. */
#include "asking.h"

#define GET     HEAD_OF_GET
#define POST    HEAD_OF_POST
#define CONNECT ":method: CONNECT"
#define LATER   "|x: y|"

static const struct {
    const char *lines;
    enum reason why;
} refused[] = {
    /* pseudo-fields */
    { "", REASON_PSEUDO_FIELD },
    { "x: y", REASON_PSEUDO_FIELD },
    { ":method: GET|:authority: a.test|:path: /", REASON_PSEUDO_FIELD },
    { ":method: GET|:scheme: https|:authority: a.test", REASON_PSEUDO_FIELD },
    { ":scheme: https|:authority: a.test|:path: /", REASON_PSEUDO_FIELD },
    { ":method: GET|:scheme|:authority: a.test|:path: /", REASON_PSEUDO_FIELD },
    { GET "|:path: /", REASON_PSEUDO_FIELD },
    { GET "|:method: GET", REASON_PSEUDO_FIELD },
    { GET "|:authority: a.test", REASON_PSEUDO_FIELD },
    { GET "|:scheme: https", REASON_PSEUDO_FIELD },
    { GET "|:status: 200", REASON_PSEUDO_FIELD },
    { GET "|:other: x", REASON_PSEUDO_FIELD },
    { GET "|:: x", REASON_PSEUDO_FIELD },
    { GET "|:Path: /x", REASON_PSEUDO_FIELD },
    { GET "|:protocol: websocket", REASON_PSEUDO_FIELD },
    { ":method: GET|:scheme: https" LATER ":authority: a.test|:path: /",
      REASON_PSEUDO_FIELD },
    /* the method */
    { ":method|:scheme: https|:authority: a.test|:path: /", REASON_METHOD },
    { ":method: get|:scheme: https|:authority: a.test|:path: /", REASON_METHOD },
    { ":method: TRACE|:scheme: https|:authority: a.test|:path: /", REASON_METHOD },
    { ":method: GE|:scheme: https|:authority: a.test|:path: /", REASON_METHOD },
    { ":method: GETGETGETGET|:scheme: https|:authority: a.test|:path: /",
      REASON_METHOD },
    { ":method: GET / HTTP/1.1\r\nX: y|:scheme: https|:authority: a.test|:path: /",
      REASON_FIELD_VALUE },
    { ":method: GET |:scheme: https|:authority: a.test|:path: /", REASON_FIELD_VALUE },
    /* the path */
    { ":method: GET|:scheme: https|:authority: a.test|:path", REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: x", REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: *", REASON_TARGET },
    { ":method: OPTIONS|:scheme: https|:authority: a.test|:path: **", REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: http://a.test/",
      REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: /a b", REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: /#x", REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: /\xc3\xa4",
      REASON_TARGET },
    { ":method: GET|:scheme: https|:authority: a.test|:path: / "
      "HTTP/1.1\r\nHost: denied.test\r\n\r\n",
      REASON_FIELD_VALUE },
    { ":method: GET|:scheme: https|:authority: a.test|:path: /\n", REASON_FIELD_VALUE },
    /* names */
    { ":method: GET|:scheme: https|:path: /", REASON_HOST_MISSING },
    { ":method: GET|:scheme: https|:authority|:path: /", REASON_HOST_MISSING },
    { ":method: GET|:scheme: https|:path: /|host", REASON_HOST_MISSING },
    { GET "|host: b.test", REASON_NAMES_DISAGREE },
    { GET "|host: A.test", REASON_NAMES_DISAGREE },
    { GET "|host", REASON_NAMES_DISAGREE },
    { GET "|host: a.test|host: a.test", REASON_HOST_REPEATED },
    { ":method: GET|:scheme: https|:authority: a.test,b.test|:path: /",
      REASON_HOST_MALFORMED },
    { ":method: GET|:scheme: https|:authority: a.test b.test|:path: /",
      REASON_HOST_MALFORMED },
    /* fields */
    { GET "|: x", REASON_PSEUDO_FIELD },
    { GET "|X-Upper: y", REASON_FIELD_NAME },
    { GET "|x y: z", REASON_FIELD_NAME },
    { GET "|x\r\ny: z", REASON_FIELD_NAME },
    { GET "|authorization:x", REASON_FIELD_NAME },
    { GET "|x\xe4: y", REASON_FIELD_NAME },
    { GET "|x\x7f: y", REASON_FIELD_NAME },
    { GET "|x: a\r\nauthorization: b", REASON_FIELD_VALUE },
    { GET "|x: a\rb", REASON_FIELD_VALUE },
    { GET "|x: a\nb", REASON_FIELD_VALUE },
    { GET "|x: a\x01", REASON_FIELD_VALUE },
    { GET "|x: a\x7f", REASON_FIELD_VALUE },
    { GET "|x:  a", REASON_FIELD_VALUE },
    { GET "|x: a ", REASON_FIELD_VALUE },
    { GET "|x: a\t", REASON_FIELD_VALUE },
    { GET "|x:  ", REASON_FIELD_VALUE },
    { GET "|content_length: 5", REASON_FIELD_UNDERSCORE },
    { GET "|x_forwarded_for: 1", REASON_FIELD_UNDERSCORE },
    /* of one connection */
    { GET "|connection: close", REASON_CONNECTION_FIELD },
    { GET "|keep-alive: 5", REASON_CONNECTION_FIELD },
    { GET "|proxy-connection: close", REASON_CONNECTION_FIELD },
    { GET "|upgrade: websocket", REASON_CONNECTION_FIELD },
    { GET "|http2-settings: AAAA", REASON_CONNECTION_FIELD },
    { GET "|te: gzip", REASON_CONNECTION_FIELD },
    { GET "|te: trailers, gzip", REASON_CONNECTION_FIELD },
    { GET "|transfer-encoding: chunked", REASON_TRANSFER_ENCODING },
    { GET "|transfer-encodinga: chunked", REASON_TRANSFER_ENCODING },
    /* lengths */
    { GET "|content-length: 1", REASON_CONTENT_LENGTH },
    { GET "|content-length: 0|content-length: 0", REASON_CONTENT_LENGTH },
    { GET "|content-length: +0", REASON_CONTENT_LENGTH },
    { GET "|content-length: 0x0", REASON_CONTENT_LENGTH },
    { GET "|content-length: 0, 0", REASON_CONTENT_LENGTH },
    { GET "|content-length", REASON_CONTENT_LENGTH },
    { GET "|content-length: 9223372036854775808", REASON_CONTENT_LENGTH },
    { GET "|expect: 200-ok", REASON_EXPECT },
    /* CONNECT */
    { CONNECT "|:scheme: https|:authority: a.test:443|:path: /", REASON_PSEUDO_FIELD },
    { CONNECT "|:authority: a.test:443|:path: /", REASON_PSEUDO_FIELD },
    { CONNECT "|host: a.test:443", REASON_PSEUDO_FIELD },
    { CONNECT "|:authority: u@a.test:443", REASON_TARGET },
    { CONNECT "|:authority: a.test:443/x", REASON_TARGET },
    { CONNECT "|:protocol: websocket|:scheme: https|:authority: a.test|:path: /",
      REASON_PSEUDO_FIELD }, /* its tunnel ended with its head */
    { CONNECT "|:protocol: websocket|:authority: a.test", REASON_PSEUDO_FIELD },
    { ":method: GET|:protocol: websocket|:scheme: https|:authority: a.test|:path: /",
      REASON_PSEUDO_FIELD },
};

static void
hostile_heads_are_refused_each_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct asking a;

        ask(&a, refused[i].lines, true);
        if (a.flow != FLOW_BROKEN || a.peer.why != refused[i].why)
            fail_msg("row %zu: %s instead of %s", i, reason_token(a.peer.why),
                     reason_token(refused[i].why));
        asking_end(&a);
    }
}

/* The handshake of RFC 6455 as far as it is left (RFC 8441 section 5). */
static void
a_websocket_of_another_version_is_refused(void **state)
{
    static const struct {
        const char *lines;
        enum reason why;
    } rows[] = {
        { "", REASON_WEBSOCKET_HANDSHAKE },
        { "|sec-websocket-version: 8", REASON_WEBSOCKET_VERSION },
        { "|sec-websocket-version: 13|sec-websocket-version: 13",
          REASON_WEBSOCKET_HANDSHAKE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asking a;
        char lines[256];

        snprintf(lines, sizeof lines,
                 CONNECT "|:protocol: websocket|:scheme: https|:authority: a.test"
                         "|:path: /%s",
                 rows[i].lines);
        ask(&a, lines, false);
        if (a.flow != FLOW_BROKEN || a.peer.why != rows[i].why)
            fail_msg("row %zu: %s", i, reason_token(a.peer.why));
        asking_end(&a);
    }
}

/* NUL cannot stand in the table. */
static void
a_nul_is_refused_wherever_it_stands(void **state)
{
    static const struct {
        struct text name, value;
    } rows[] = {
        { { "x", 1 }, { "a\0b", 3 } },
        { { "x\0", 2 }, { "a", 1 } },
        { { "", 0 }, { "a", 1 } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf block = { 0 };
        struct asking a;

        asking_begin(&a);
        add_lines(&block, GET);
        add_literal(&block, rows[i].name, rows[i].value);
        add_frame(&a.server.in, F_HEADERS, F_END_HEADERS | F_END_STREAM, 1,
                  buf_text(&block));
        asking_take(&a);
        assert_int_equal(a.flow, FLOW_BROKEN);
        assert_int_equal(a.peer.why, i == 0 ? REASON_FIELD_VALUE : REASON_FIELD_NAME);
        buf_free(&block);
        asking_end(&a);
    }
}

static void
a_refused_head_is_answered_and_its_neighbour_lives_on(void **state)
{
    struct peer second;
    struct stream *s;
    struct asking a;

    (void)state;
    ask(&a, GET "|connection: close", false);
    assert_int_equal(a.flow, FLOW_BROKEN);
    add_head(&a.server.in, 3, GET, F_END_STREAM);
    add_frame(&a.server.in, F_DATA, 0, 1, TEXT("a body that nobody reads"));
    asking_receive(&a);
    peer_answer(&a.peer, 400, nothing);
    assert_int_equal(wire_next(a.server.wire, &s), FLOW_OK);
    peer_init(&second, s);
    assert_int_equal(peer_read_request(&second), FLOW_OK);
    peer_answer(&second, 204, nothing);
    peer_free(&second);
    asking_receive(&a);
    assert_int_equal(a.server.why, REASON_OK);
    assert_false(wire_is_over(a.server.wire));
    asking_end(&a);
}

/* ---- what is heard of one that is taken */

static void
hear(struct buf *heard, const struct request *r)
{
    buf_printf(heard, "%.*s %d %.*s|%.*s|", TEXT_ARG(r->method), r->form,
               TEXT_ARG(r->scheme), TEXT_ARG(r->authority));
    buf_printf(heard, "%.*s host=%.*s body=%d,%llu%s%s%s", TEXT_ARG(r->target),
               TEXT_ARG(r->host), r->body.kind, (unsigned long long)r->body.length,
               r->expect_continue ? " expects" : "",
               r->takes_trailers ? " trailers" : "",
               r->upgrade == UPGRADE_WEBSOCKET ? " websocket"
               : r->upgrade == UPGRADE_OTHER   ? " other"
                                               : "");
    for (size_t i = 0; i < r->headers.n; i++)
        buf_printf(heard, " %.*s=%.*s;", TEXT_ARG(r->headers.at[i].name),
                   TEXT_ARG(r->headers.at[i].value));
}

static const struct {
    const char *lines;
    bool is_all;
    const char *heard;
} taken[] = {
    { GET, true, "GET 0 https||/ host=a.test body=0,0" },
    { GET, false, "GET 0 https||/ host=a.test body=2,0" },
    { GET "|host: a.test", true, "GET 0 https||/ host=a.test body=0,0" },
    { ":method: GET|:scheme: http|:path: /?a=b|host: a.test:80", true,
      "GET 0 http||/?a=b host=a.test:80 body=0,0" },
    { ":path: /|:authority: a.test|:scheme: https|:method: DELETE", true,
      "DELETE 0 https||/ host=a.test body=0,0" },
    { ":method: OPTIONS|:scheme: https|:authority: a.test|:path: *", true,
      "OPTIONS 3 https||* host=a.test body=0,0" },
    { GET "|x: a\tb \xc3\xa4|y|z: :", true,
      "GET 0 https||/ host=a.test body=0,0 x=a\tb \xc3\xa4; y=; z=:;" },
    { GET "|a_b: c", true, "GET 0 https||/ host=a.test body=0,0 a_b=c;" },
    { GET "|te: trailers|trailer: x", true,
      "GET 0 https||/ host=a.test body=0,0 trailers" },
    { GET "|cookie: a=b", true, "GET 0 https||/ host=a.test body=0,0 cookie=a=b;" },
    { GET "|cookie: a=b|x: y|cookie: c=d|cookie: e=f", true,
      "GET 0 https||/ host=a.test body=0,0 cookie=a=b; c=d; e=f; x=y;" },
    { POST "|content-length: 5", false, "POST 0 https||/ host=a.test body=1,5" },
    { POST "|content-length: 0", true, "POST 0 https||/ host=a.test body=1,0" },
    { POST "|content-length: 5|expect: 100-continue", false,
      "POST 0 https||/ host=a.test body=1,5 expects" },
    { GET "|expect: 100-continue", true, "GET 0 https||/ host=a.test body=0,0" },
    { CONNECT "|:authority: a.test:443", false,
      "CONNECT 2 |a.test:443| host=a.test:443 body=0,0" },
    { CONNECT "|:protocol: websocket|:scheme: https|:authority: a.test|:path: "
              "/chat|sec-websocket-version: 13",
      false, "GET 0 https||/chat host=a.test body=3,0 websocket" },
    { CONNECT "|:protocol: websocket|:scheme: https|:authority: a.test|:path: /"
              "|sec-websocket-version: 13|sec-websocket-key: x|sec-websocket-accept: y"
              "|sec-websocket-protocol: chat",
      false,
      "GET 0 https||/ host=a.test body=3,0 websocket sec-websocket-protocol=chat;" },
    { CONNECT "|:protocol: connect-udp|:scheme: https|:authority: a.test|:path: /",
      false, "CONNECT 0 https||/ host=a.test body=2,0 other" },
};

static void
innocent_heads_are_heard_as_they_are_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct buf heard = { 0 };
        struct asking a;

        ask(&a, taken[i].lines, taken[i].is_all);
        assert_int_equal(a.flow, FLOW_OK);
        hear(&heard, &a.peer.request);
        if (!text_equals(buf_text(&heard), text_z(taken[i].heard)))
            fail_msg("row %zu: %.*s instead of %s", i, TEXT_ARG(buf_text(&heard)),
                     taken[i].heard);
        buf_free(&heard);
        asking_end(&a);
    }
}

static bool
is_never_indexed(const struct request *r, const char *name)
{
    return headers_get(&r->headers, text_z(name))->never_index;
}

static void
a_field_that_must_not_be_indexed_stays_so(void **state)
{
    struct peer client, server;
    struct buf block = { 0 };
    struct asking a;
    struct pair p;

    (void)state;
    add_lines(&block, GET);
    buf_add_byte(&block, 0x10); /* never indexed (RFC 7541 section 6.2.3) */
    add_string(&block, TEXT("x-secret"));
    add_string(&block, TEXT("canary"));
    add_literal(&block, TEXT("x-plain"), TEXT("y"));
    asking_begin(&a);
    add_frame(&a.server.in, F_HEADERS, F_END_HEADERS | F_END_STREAM, 1,
              buf_text(&block));
    buf_free(&block);
    asking_take(&a);
    assert_true(is_never_indexed(&a.peer.request, "x-secret"));
    assert_false(is_never_indexed(&a.peer.request, "x-plain"));

    pair_init(&p);
    peer_init(&client, wire_open(p.client.wire));
    stream_write_request(client.stream, &a.peer.request, TEXT("/"), text_of(NULL, 0),
                         TEXT("a.test"));
    stream_write_end(client.stream, NULL);
    carry(&p.client, &p.server);
    peer_accept(&server, &p);
    assert_true(is_never_indexed(&server.request, "x-secret"));
    assert_false(is_never_indexed(&server.request, "x-plain"));
    peer_free(&server);
    peer_free(&client);
    pair_free(&p);
    asking_end(&a);
}

/* ---- limits */

static void
a_head_of_too_many_fields_is_refused(void **state)
{
    struct buf block = { 0 };
    struct asking a;

    (void)state;
    add_lines(&block, GET);
    for (size_t i = 0; i <= usual_limits.fields; i++)
        add_literal(&block, TEXT("x"), TEXT("y"));
    asking_begin(&a);
    add_frame(&a.server.in, F_HEADERS, F_END_HEADERS | F_END_STREAM, 1,
              buf_text(&block));
    asking_take(&a);
    assert_int_equal(a.peer.why, REASON_TOO_MANY_FIELDS);
    buf_free(&block);
    asking_end(&a);
}

/* Also in its compression state, which the fields that were dropped belong to. */
static void
a_head_that_is_too_large_is_refused_and_the_wire_goes_on(void **state)
{
    enum { PART = 16000 };
    struct buf block = { 0 };
    struct stream *s;
    char value[11000];
    struct asking a;

    (void)state;
    memset(value, 'a', sizeof value);
    add_lines(&block, GET);
    for (int i = 0; i < 3; i++)
        add_literal(&block, TEXT("x"), text_of(value, sizeof value));
    asking_begin(&a);
    add_frame(&a.server.in, F_HEADERS, F_END_STREAM, 1,
              text_of(buf_text(&block).at, PART));
    buf_drop(&block, PART);
    add_frame(&a.server.in, F_CONTINUATION, 0, 1, text_of(buf_text(&block).at, PART));
    asking_receive(&a);
    assert_int_equal(wire_next(a.server.wire, &s), FLOW_WAIT);
    assert_true(wire_is_busy(a.server.wire));
    buf_drop(&block, PART);
    add_frame(&a.server.in, F_CONTINUATION, F_END_HEADERS, 1, buf_text(&block));
    asking_take(&a);
    assert_false(wire_is_busy(a.server.wire));
    assert_int_equal(a.peer.why, REASON_HEAD_TOO_LARGE);
    peer_answer(&a.peer, 431, nothing);

    add_head(&a.server.in, 3, GET, F_END_STREAM);
    asking_receive(&a);
    assert_int_equal(wire_next(a.server.wire, &s), FLOW_OK);
    stream_close(s);
    buf_free(&block);
    asking_end(&a);
}

static void
a_path_past_its_limit_is_refused(void **state)
{
    struct buf lines = { 0 };
    struct asking a;

    (void)state;
    buf_add_z(&lines, ":method: GET|:scheme: https|:authority: a.test|:path: /");
    for (size_t i = 0; i < usual_limits.target_bytes; i++)
        buf_add_byte(&lines, 'a');
    buf_add_byte(&lines, '\0');
    ask(&a, buf_text(&lines).at, true);
    assert_int_equal(a.peer.why, REASON_TARGET_TOO_LONG);
    buf_free(&lines);
    asking_end(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_heads_are_refused_each_with_its_reason),
        cmocka_unit_test(a_websocket_of_another_version_is_refused),
        cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(a_refused_head_is_answered_and_its_neighbour_lives_on),
        cmocka_unit_test(innocent_heads_are_heard_as_they_are_meant),
        cmocka_unit_test(a_field_that_must_not_be_indexed_stays_so),
        cmocka_unit_test(a_head_of_too_many_fields_is_refused),
        cmocka_unit_test(a_head_that_is_too_large_is_refused_and_the_wire_goes_on),
        cmocka_unit_test(a_path_past_its_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

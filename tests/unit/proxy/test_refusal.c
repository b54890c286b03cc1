/* proxy/refusal.c: what a refused client is told, and what it is not. */
#include "tests/unit/certs/scratch.h"

#include "proxy/exchange.h"
#include "tests/unit/http/pair.h"

static const struct wire_limits limits = { 16384, 100, 8192, 65536, 1 };

/* One exchange on a wire of its own, as far as a refusal looks into it. */
struct scene {
    struct buf in, out;
    struct wire *wire;
    struct conn conn;
    struct conf conf;
    struct exchange x;
};

static void
scene_set(struct scene *s, const char *request, int detail)
{
    enum reason why;

    memset(s, 0, sizeof *s);
    s->conn.id = 0x7f3a;
    s->conf.deny_detail = detail;
    s->x = (struct exchange){ .conn = &s->conn, .number = 12, .arena = arena_new() };
    s->x.view.conf = &s->conf;
    buf_add_z(&s->in, request);
    s->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &limits, &s->in, &s->out);
    s->conn.wire = s->wire;
    assert_int_equal(wire_next(s->wire, &s->x.down), FLOW_OK);
    assert_int_equal(stream_read_request(s->x.down, s->x.arena, &s->x.request, &why),
                     FLOW_OK);
    assert_int_equal(authority_parse(TEXT("api.example:443"), 0, &s->x.view.target),
                     REASON_OK);
}

static void
scene_clear(struct scene *s)
{
    stream_close(s->x.down);
    wire_free(s->wire);
    arena_free(s->x.arena);
    buf_free(&s->in);
    buf_free(&s->out);
}

static const char *
refused(struct scene *s, enum reason why)
{
    s->x.why = why;
    refusal_write(&s->x);
    buf_add_byte(&s->out, '\0');
    return buf_text(&s->out).at;
}

static void
assert_says(const char *text, const char *words, bool says)
{
    if ((strstr(text, words) != NULL) != says)
        fail_msg("%s \"%s\": %s", says ? "lacks" : "has", words, text);
}

static const char get[] = "GET /v1 HTTP/1.1\r\nHost: api.example\r\n\r\n";

/* Every reason that reaches a client. */
static void
each_reason_is_told_with_its_status_and_token(void **state)
{
    (void)state;
    for (enum reason why = 1; why < REASON_COUNT; why++) {
        struct scene s;
        char expected[128];
        const char *said;

        if (reason_status(why) == 0)
            continue;
        scene_set(&s, get, DETAIL_REASON);
        said = refused(&s, why);
        snprintf(expected, sizeof expected, "HTTP/1.1 %d ", reason_status(why));
        assert_int_equal(strncmp(said, expected, strlen(expected)), 0);
        assert_says(said, "HTTP/1.1 403 Refused", false);
        snprintf(expected, sizeof expected,
                 "Proxy-Status: holdfast; error=%s; details=\"%s\"\r\n",
                 reason_proxy_error(why), reason_token(why));
        assert_says(said, expected, true);
        snprintf(expected, sizeof expected, "\"reason\":\"%s\"", reason_token(why));
        assert_says(said, expected, true);
        assert_says(said, "Content-Type: application/problem+json\r\n", true);
        assert_says(said, "\"request_id\":\"7f3a.12\"", true);
        assert_true(wire_may_reuse(s.wire));
        scene_clear(&s);
    }
}

static void
what_is_told_is_as_much_as_the_operator_wants(void **state)
{
    static const struct {
        int detail;
        bool has_rule;
        const char *says, *not ;
    } rows[] = {
        { DETAIL_NONE, true, "/p/refused\"", "host_not_allowed" },
        { DETAIL_NONE, true, "error=http_request_denied\r\n", "t.conf" },
        { DETAIL_REASON, true, "host_not_allowed", "t.conf" },
        { DETAIL_REASON, true, "/p/host_not_allowed\"", "hint" },
        { DETAIL_HINT, true, "\"hint\":\"nearest rule: t.conf:7\"", "no rule names" },
        { DETAIL_HINT, false, "\"hint\":\"no rule names api.example port 443\"",
          "nearest" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        const char *said;

        scene_set(&s, get, rows[i].detail);
        if (rows[i].has_rule)
            s.x.view.rule_place = (struct place){ "t.conf", 7 };
        said = refused(&s, REASON_HOST_NOT_ALLOWED);
        assert_says(said, rows[i].says, true);
        assert_says(said, rows[i].not, false);
        scene_clear(&s);
    }
}

static void
the_rule_that_is_missing_is_told_as_it_would_be_written(void **state)
{
    static const struct {
        const char *target, *scheme, *path, *says, *not ;
    } rows[] = {
        { "api.example:443", "https", "/v1",
          "port 443: add { host = \\\"api.example\\\"; methods = [\\\"GET\\\"]; "
          "paths = [\\\"/v1\\\"]; }\"",
          "scheme" },
        { "api.example:80", "http", "/v1",
          "{ host = \\\"api.example\\\"; scheme = \\\"http\\\"; methods", "port =" },
        { "api.example:8443", "https", "/v1",
          "{ host = \\\"api.example\\\"; port = 8443; methods", "scheme" },
        { "[2001:db8::1]:443", "https", "/v1", "{ host = \\\"[2001:db8::1]\\\"; ",
          "port =" },
        { "api.example:443", "https", "/\"", "port 443\"", "add {" },
        { "api.example:443", "https", "/**", "port 443\"", "add {" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        const char *said;

        scene_set(&s, get, DETAIL_HINT);
        assert_int_equal(authority_parse(text_z(rows[i].target), 0, &s.x.view.target),
                         REASON_OK);
        s.x.view.request = &s.x.request;
        s.x.view.scheme = text_z(rows[i].scheme);
        s.x.view.path = text_z(rows[i].path);
        said = refused(&s, REASON_HOST_NOT_ALLOWED);
        assert_says(said, rows[i].says, true);
        assert_says(said, rows[i].not, false);
        scene_clear(&s);
    }
}

static void
the_answer_to_head_has_a_length_and_no_body(void **state)
{
    struct scene s;
    const char *said;

    (void)state;
    scene_set(&s, "HEAD /v1 HTTP/1.1\r\nHost: api.example\r\n\r\n", DETAIL_REASON);
    said = refused(&s, REASON_PATH_NOT_ALLOWED);
    assert_says(said, "Content-Length: ", true);
    assert_says(said, "path_not_allowed\"\r\n", true);
    assert_string_equal(strstr(said, "\r\n\r\n"), "\r\n\r\n");
    assert_true(wire_may_reuse(s.wire));
    scene_clear(&s);
}

/* Else the body that is still to come would be read as the next request. */
static void
a_request_whose_body_is_not_read_is_the_last(void **state)
{
    struct scene s;
    const char *said;

    (void)state;
    scene_set(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET",
              DETAIL_REASON);
    said = refused(&s, REASON_METHOD_NOT_ALLOWED);
    assert_says(said, "Connection: close\r\n", true);
    assert_false(wire_may_reuse(s.wire));
    scene_clear(&s);
}

/* ---- over HTTP/2 */

/* What a client of HTTP/2 is told when its request is refused. */
static void
refuse_over_http2(struct pair *p, struct peer *client, const char *method,
                  const char *type, enum reason why, int detail, int *grpc_status)
{
    struct request r = { .method = text_z(method), .body = { .kind = BODY_STREAM } };
    struct conf conf = { .deny_detail = detail };
    struct conn conn = { .id = 0x7f3a, .wire = p->server.wire };
    struct exchange x = { .conn = &conn,
                          .number = 12,
                          .view = { .conf = &conf, .rule_place = { "t.conf", 7 } },
                          .why = why };
    struct peer server;

    peer_init(client, wire_open(p->client.wire));
    headers_init(&r.headers, client->arena);
    headers_add(&r.headers, TEXT("content-type"), text_z(type));
    stream_write_request(client->stream, &r, TEXT("/a.B/C"), text_of(NULL, 0),
                         TEXT("api.example"));
    pair_settle(p);
    peer_accept(&server, p);
    x.arena = server.arena;
    x.down = server.stream;
    x.request = server.request;
    refusal_write(&x);
    assert_int_equal(x.status, x.grpc_status != 0 ? 200 : reason_status(why));
    *grpc_status = x.grpc_status;
    peer_close(&server);
    pair_settle(p);
    peer_free(&server);
    assert_int_equal(peer_read_response(client), FLOW_OK);
    assert_int_equal(client->response.status, x.status);
    peer_read_body(client);
}

static void
assert_told(const struct peer *client, const char *name, const char *value)
{
    const struct field *f = headers_get(&client->response.headers, text_z(name));

    if (f == NULL || !text_equals(f->value, text_z(value)))
        fail_msg("%s: %.*s", name, f == NULL ? 0 : (int)f->value.n,
                 f == NULL ? "" : f->value.at);
}

static void
a_call_of_grpc_is_told_in_trailers_alone(void **state)
{
    static const struct {
        enum reason why;
        int detail, status;
        const char *message, *proxy_status;
    } rows[] = {
        { REASON_HOST_NOT_ALLOWED, DETAIL_REASON, 7,
          "Refused by Holdfast: host_not_allowed: No live grant of this caller names "
          "this host and port. [7f3a.12]",
          "holdfast; error=http_request_denied; details=\"host_not_allowed\"" },
        { REASON_HOST_NOT_ALLOWED, DETAIL_NONE, 7, "Refused by Holdfast [7f3a.12]",
          "holdfast; error=http_request_denied" },
        { REASON_GRPC_NEEDS_HTTP2, DETAIL_HINT, 12,
          "Refused by Holdfast: grpc_needs_http2: The service speaks HTTP/1.1, which "
          "cannot carry gRPC. (nearest rule: t.conf:7) [7f3a.12]",
          "holdfast; error=http_protocol_error; details=\"grpc_needs_http2\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer client;
        struct pair p;
        int status;

        pair_init(&p);
        refuse_over_http2(&p, &client, "POST", "application/grpc+proto", rows[i].why,
                          rows[i].detail, &status);
        assert_int_equal(status, rows[i].status);
        assert_told(&client, "content-type", "application/grpc");
        assert_told(&client, "grpc-status", rows[i].status == 7 ? "7" : "12");
        assert_told(&client, "grpc-message", rows[i].message);
        assert_told(&client, "proxy-status", rows[i].proxy_status);
        /* The head was all: no DATA, and no trailers behind it. */
        assert_int_equal(client.response.body.kind, BODY_NONE);
        assert_false(client.response.has_length);
        assert_true(client.is_whole);
        assert_null(stream_trailers(client.stream));
        peer_free(&client);
        pair_free(&p);
    }
}

static void
what_is_no_call_is_told_by_status_and_body_over_http2_too(void **state)
{
    static const struct {
        const char *method, *type;
    } rows[] = {
        { "POST", "application/json" },
        { "POST", "application/grpc-web" },
        { "PUT", "application/grpc" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer client;
        struct pair p;
        int status;

        pair_init(&p);
        refuse_over_http2(&p, &client, rows[i].method, rows[i].type,
                          REASON_HOST_NOT_ALLOWED, DETAIL_REASON, &status);
        assert_int_equal(status, 0);
        assert_int_equal(client.response.status, 403);
        assert_told(&client, "content-type", "application/problem+json");
        assert_true(client.is_whole);
        assert_true(memmem(buf_text(&client.body).at, buf_length(&client.body),
                           "host_not_allowed", strlen("host_not_allowed")) != NULL);
        peer_free(&client);
        pair_free(&p);
    }
}

static void
a_bare_refusal_closes(void **state)
{
    struct buf out = { 0 };

    (void)state;
    refusal_bare(REASON_TOO_MANY_CONNECTIONS, &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(
        buf_text(&out).at,
        "HTTP/1.1 503 Refused\r\nProxy-Status: holdfast; "
        "error=connection_limit_reached; details=\"too_many_connections\"\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n");
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(each_reason_is_told_with_its_status_and_token),
        SCRATCH_TEST(what_is_told_is_as_much_as_the_operator_wants),
        SCRATCH_TEST(the_rule_that_is_missing_is_told_as_it_would_be_written),
        SCRATCH_TEST(the_answer_to_head_has_a_length_and_no_body),
        SCRATCH_TEST(a_request_whose_body_is_not_read_is_the_last),
        SCRATCH_TEST(a_call_of_grpc_is_told_in_trailers_alone),
        SCRATCH_TEST(what_is_no_call_is_told_by_status_and_body_over_http2_too),
        SCRATCH_TEST(a_bare_refusal_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The server side of a wire: what a client may send beyond the framing rows, and what
 * it is answered. */
#include "driver.h"

#define HEAD "GET / HTTP/1.1\r\nHost: a.test\r\n"

/* ---- which bytes are refused as what */

static const struct {
    const char *bytes;
    enum reason why;
} refused[] = {
    /* the request line */
    { " GET / HTTP/1.1\r\n", REASON_REQUEST_LINE },
    { "GET\r\n", REASON_REQUEST_LINE },
    { "GET /\r\n", REASON_REQUEST_LINE },
    { "GET  HTTP/1.1\r\n", REASON_REQUEST_LINE },
    { "GET / HTTQ/1.1\r\n", REASON_REQUEST_LINE },
    { "GET / HTTP/1.1 \r\n", REASON_REQUEST_LINE },
    { "\r\n\r\n" HEAD "\r\n", REASON_REQUEST_LINE },
    { "\n" HEAD "\r\n", REASON_REQUEST_LINE },
    { "\x16\x03\x01\x02", REASON_REQUEST_LINE },
    { "SSH-2.0-x\r\n", REASON_REQUEST_LINE },
    { "GET / HTTP/1.", REASON_CLIENT_GONE },
    { "GET / HTTP/11\r\n", REASON_REQUEST_LINE },
    { "GET / HTTP/x.1\r\n", REASON_VERSION },
    { "GET / HTTP/2.0\r\n", REASON_VERSION },
    { "GET / HTTP/0.9\r\n", REASON_VERSION },
    { "GET / HTTP/1.12\r\n", REASON_VERSION },
    { "GET / HTTP/1.1\n", REASON_LINE_END },
    { "GET / HTTP/1.1\rX", REASON_LINE_END },
    /* methods */
    { "TRACE / HTTP/1.1\r\n", REASON_METHOD },
    { "TRACK / HTTP/1.1\r\n", REASON_METHOD },
    { "PRI * HTTP/2.0\r\n", REASON_METHOD },
    { "Get / HTTP/1.1\r\n", REASON_METHOD },
    { "GETX / HTTP/1.1\r\n", REASON_METHOD },
    { "GE / HTTP/1.1\r\n", REASON_METHOD },
    { "AAAAAAAAAAAAAAAA", REASON_METHOD },
    /* targets */
    { "GET x HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "GET * HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "OPTIONS ** HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "GET //a\xc3\xa4 HTTP/1.1\r\n", REASON_TARGET },
    { "GET /\t HTTP/1.1\r\n", REASON_TARGET },
    { "GET http:/a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "GET http:///x HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "GET ws://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "GET a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "CONNECT http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "CONNECT u@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "CONNECT a.test:443?x HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_TARGET },
    { "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_PORT_MALFORMED },
    { "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n",
      REASON_NAMES_DISAGREE },
    { "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
      "chunked\r\n\r\n",
      REASON_TRANSFER_ENCODING },
    { "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-EncodingA: chunked\r\n\r\n",
      REASON_TRANSFER_ENCODING },
    { "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding-: x\r\nConnection: "
      "Upgrade\r\nUpgrade: x\r\n\r\n",
      REASON_TRANSFER_ENCODING },
    { "CONNECT a.\"est:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_PARSERS_DISAGREE },
    { "GET https://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_NAMES_DISAGREE },
    { "GET http://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", REASON_HOST_MALFORMED },
    /* Host */
    { "GET / HTTP/1.1\r\nX: y\r\n\r\n", REASON_HOST_MISSING },
    { "GET http://a.test/ HTTP/1.1\r\n\r\n", REASON_HOST_MISSING },
    { "GET / HTTP/1.1\r\nHost: \t \r\n\r\n", REASON_HOST_MISSING },
    { "GET / HTTP/1.0\r\nHost:\r\n\r\n", REASON_HOST_MISSING },
    { "GET / HTTP/1.0\r\n\r\n", REASON_HOST_MISSING }, /* by the layer above */
    { "GET / HTTP/1.0\r\nHost: a.test\r\nhost: a.test\r\n\r\n", REASON_HOST_REPEATED },
    { "GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n", REASON_HOST_MALFORMED },
    { "GET / HTTP/1.1\r\nHost: a.test\tb\r\n\r\n", REASON_HOST_MALFORMED },
    /* fields */
    { HEAD "X : y\r\n", REASON_FIELD_NAME },
    { HEAD "X\r\n", REASON_FIELD_NAME },
    { HEAD ":y\r\n", REASON_FIELD_NAME },
    { HEAD "X\xe4: y\r\n", REASON_FIELD_NAME },
    { HEAD "X(: y\r\n", REASON_FIELD_NAME },
    { HEAD "X: \x1b[0m\r\n", REASON_FIELD_VALUE },
    { HEAD "X: aaaaaaaaaaaaaaaaaaaaaaaaaaa\x7f"
           "aaaaaaaaaaaaaaa\r\n",
      REASON_FIELD_VALUE },
    { HEAD "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x01"
           "aaaaaaaaaaaaa\r\n",
      REASON_FIELD_VALUE },
    { HEAD "X: y\n", REASON_LINE_END },
    { HEAD "X: y\rZ", REASON_LINE_END },
    { HEAD "\n", REASON_LINE_END },
    { HEAD "\rX", REASON_LINE_END },
    { HEAD "X: y\r\n\tz\r\n", REASON_FIELD_FOLDED },
    { HEAD "Content_Length: 5\r\n\r\n", REASON_FIELD_UNDERSCORE },
    { HEAD "transfer_encoding: chunked\r\n\r\n", REASON_FIELD_UNDERSCORE },
    { HEAD "X_Forwarded_For: 1\r\n\r\n", REASON_FIELD_UNDERSCORE },
    { HEAD "Workload-Identity_Token: 1\r\n\r\n", REASON_FIELD_UNDERSCORE },
    { HEAD "X_Holdfast_Caller: 1\r\n\r\n", REASON_FIELD_UNDERSCORE },
    { HEAD "Proxy_Authorization: 1\r\n\r\n", REASON_FIELD_UNDERSCORE },
    /* framing */
    { HEAD "Content-Length: 9223372036854775808\r\n\r\n", REASON_CONTENT_LENGTH },
    { HEAD "Content-Length: 99999999999999999999999\r\n\r\n", REASON_CONTENT_LENGTH },
    { HEAD "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
      REASON_LENGTH_AND_CODING },
    { HEAD "Content-Length: x\r\nTransfer-Encoding: y\r\n\r\n",
      REASON_LENGTH_AND_CODING },
    /* Connection and Expect */
    { HEAD "Connection: content-length\r\nContent-Length: 0\r\n\r\n",
      REASON_CONNECTION_FIELD },
    { HEAD "Connection: x, Transfer-Encoding\r\n\r\n", REASON_CONNECTION_FIELD },
    { HEAD "Connection: a\r\nConnection: a\r\nConnection: a\r\nConnection: "
           "a\r\nConnection: a\r\n\r\n",
      REASON_CONNECTION_FIELD },
    { HEAD "Connection: "
           "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
           "29,30,31,32,33\r\n\r\n",
      REASON_CONNECTION_FIELD },
    { HEAD "Expect: 200-ok\r\n\r\n", REASON_EXPECT },
    { HEAD "Expect: 100-continue, x\r\n\r\n", REASON_EXPECT },
    { HEAD "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", REASON_EXPECT },
};

static void
hostile_heads_are_refused_each_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct driver d;

        driver_give_all(&d, refused[i].bytes, strlen(refused[i].bytes));
        if (d.why != refused[i].why || d.n_whole > 0)
            fail_msg("row %zu: %s instead of %s", i, reason_token(d.why),
                     reason_token(refused[i].why));
        driver_free(&d);
    }
}

/* The rows above end where the bad byte stands: it is refused there, not at the end of
 * a head that never comes. */
static void
a_bad_byte_is_refused_before_the_head_is_whole(void **state)
{
    size_t early = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        size_t n = strlen(refused[i].bytes);
        struct driver d;

        if (n >= 4 && strcmp(refused[i].bytes + n - 4, "\r\n\r\n") == 0)
            continue;
        driver_init(&d);
        driver_give(&d, refused[i].bytes, n);
        assert_int_equal(d.is_over, refused[i].why != REASON_CLIENT_GONE);
        early += d.is_over;
        driver_free(&d);
    }
    assert_true(early > 30);
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *bytes;
    enum reason why;
} bad_bodies[] = {
    { CHUNKED "\r\n", REASON_CHUNK },
    { CHUNKED "g\r\n", REASON_CHUNK },
    { CHUNKED "00000000000000005\r\n", REASON_CHUNK },
    { CHUNKED "4000000000000001\r\n", REASON_CHUNK },
    { CHUNKED "ffffffffffffffff\r\n", REASON_CHUNK },
    { CHUNKED "5 \r\n", REASON_CHUNK },
    { CHUNKED "5;\r\n", REASON_CHUNK },
    { CHUNKED "5;;a\r\n", REASON_CHUNK },
    { CHUNKED "5;a=\r\n", REASON_CHUNK },
    { CHUNKED "5;=b\r\n", REASON_CHUNK },
    { CHUNKED "5;a=b=c\r\n", REASON_CHUNK },
    { CHUNKED "5;a=\"b\r\n", REASON_CHUNK },
    { CHUNKED "5;a=\"b\"c\r\n", REASON_CHUNK },
    { CHUNKED "5;a=\"\\\x01\"\r\n", REASON_CHUNK },
    { CHUNKED "5;a b\r\n", REASON_CHUNK },
    { CHUNKED "5;a\n", REASON_CHUNK },
    { CHUNKED "1\r\naX", REASON_CHUNK },
    { CHUNKED "1\r\na\rX", REASON_CHUNK },
    { CHUNKED "1\r\na\r\n\r\n", REASON_CHUNK },
    { CHUNKED "7fffffff\r\nabc", REASON_CLIENT_GONE },
    { CHUNKED "80000000\r\nabc", REASON_CHUNK },
    { CHUNKED "0\r\n", REASON_CLIENT_GONE },
    { CHUNKED "0\r\n\rX", REASON_TRAILER },
    { CHUNKED "0\r\n\n", REASON_TRAILER },
    { CHUNKED "0\r\n X: y\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX y\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX: \x01\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX: y\n", REASON_TRAILER },
    { CHUNKED "0\r\nCookie: y\r\n\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX: y\r\nconnection: close\r\n\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nWorkload-Proof-Token: y\r\n\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX_Forwarded_For: y\r\n\r\n", REASON_TRAILER },
    { CHUNKED "0\r\nX-Holdfast-Caller: y\r\n\r\n", REASON_TRAILER },
};

static void
hostile_bodies_are_refused_each_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_bodies); i++) {
        struct driver d;

        driver_give_all(&d, bad_bodies[i].bytes, strlen(bad_bodies[i].bytes));
        if (d.why != bad_bodies[i].why || d.n_whole > 0 || d.n_heads != 1)
            fail_msg("row %zu: %s instead of %s", i, reason_token(d.why),
                     reason_token(bad_bodies[i].why));
        driver_free(&d);
    }
}

/* ---- which are accepted, and what comes out */

static const struct {
    const char *bytes, *told;
} accepted[] = {
    { HEAD "\r\n", "GET /\n\n\n" },
    { "\r\n" HEAD "\r\n", "GET /\n\n\n" },
    { HEAD "A:b\r\nC: \t d e \t\r\nF:\r\n\r\n", "GET /\nA:b\nC:d e\nF:\n\n\n" },
    { HEAD "X_Custom: 1\r\nX: a\tb\xff\r\n\r\n",
      "GET /\nX_Custom:1\nX:a\tb\xff\n\n\n" },
    { HEAD "Connection: x-a, ,host , Authorization\r\nX-A: 1\r\nAuthorization: "
           "z\r\nx-a: 2\r\n\r\n",
      "GET /\nAuthorization:z\n\n\n" },
    { HEAD "Connection: Workload-Proof-Token\r\nWorkload-Proof-Token: z\r\n\r\n",
      "GET /\nWorkload-Proof-Token:z\n\n\n" },
    { HEAD "Keep-Alive: 1\r\nProxy-Connection: x\r\nTE: y\r\nTrailer: z\r\nUpgrade: "
           "u\r\nHTTP2-Settings: v\r\n\r\n",
      "GET /\n\n\n" },
    { HEAD "Proxy-Authorization: kept for those who judge it\r\n\r\n",
      "GET /\nProxy-Authorization:kept for those who judge it\n\n\n" },
    { "GET http://A.test/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET http://A.test/x?y\n\n\n" },
    { "GET HTTPS://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET HTTPS://a.test/\n\n\n" },
    { "GET http://a.test?y HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET http://a.test/?y\n\n\n" },
    { "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "OPTIONS http://a.test*\n\n\n" },
    { "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", "OPTIONS *\n\n\n" },
    { "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
      "CONNECT a.test:443\n\n\n" },
    { "CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n", "CONNECT [2001:db8::1]:443\n\n\n" },
    { "GET http://a.test/ HTTP/1.0\r\n\r\n", "GET http://a.test/\n\n\n" },
    { "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", "POST /\n\n\n" },
    { "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 003 \r\n\r\nabc",
      "POST /\n\nabc\n" },
    { CHUNKED "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n",
      "POST /\n\nabc0123456789\n" },
    { CHUNKED "1;a\r\nx\r\n1;a=b;c=\"d\\\"\t;\"\r\ny\r\n0;e\r\n\r\n",
      "POST /\n\nxy\n" },
    { CHUNKED "1\r\na\r\n0\r\nX-Sum: 1\r\nx-amz-checksum-crc32: AAAA==\r\nX_Y:\r\n\r\n",
      "POST /\n\na\nX-Sum:1\nx-amz-checksum-crc32:AAAA==\nX_Y:\n" },
};

static void
innocent_requests_come_out_as_they_were_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct driver d;

        driver_give_all(&d, accepted[i].bytes, strlen(accepted[i].bytes));
        if (d.why != REASON_OK ||
            !text_equals(buf_text(&d.told), text_z(accepted[i].told)))
            fail_msg("row %zu: %s:\n%.*s", i, reason_token(d.why),
                     TEXT_ARG(buf_text(&d.told)));
        assert_int_equal(d.n_whole, 1);
        driver_free(&d);
    }
}

static void
every_method_we_forward_is_known_to_both_readers(void **state)
{
    static const char *const methods[] = {
        "GET",        "POST",      "PUT",         "DELETE",     "HEAD",     "PATCH",
        "OPTIONS",    "PROPFIND",  "PROPPATCH",   "MKCOL",      "COPY",     "MOVE",
        "LOCK",       "UNLOCK",    "SEARCH",      "BIND",       "REBIND",   "UNBIND",
        "ACL",        "REPORT",    "MERGE",       "MKACTIVITY", "CHECKOUT", "M-SEARCH",
        "NOTIFY",     "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",      "LINK",     "UNLINK",
        "MKCALENDAR", "SOURCE",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        char bytes[128];
        struct driver d;
        int n = snprintf(bytes, sizeof bytes, "%s / HTTP/1.1\r\nHost: a.test\r\n\r\n",
                         methods[i]);

        driver_give_all(&d, bytes, (size_t)n);
        if (d.why != REASON_OK || d.n_whole != 1)
            fail_msg("%s: %s", methods[i], reason_token(d.why));
        driver_free(&d);
    }
}

static void
a_request_says_what_its_connection_fields_meant(void **state)
{
    static const struct {
        const char *bytes;
        bool expects, upgrades;
        enum body_kind kind;
        uint64_t length;
    } rows[] = {
        { HEAD "\r\n", false, false, BODY_NONE, 0 },
        { HEAD "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", false, true, BODY_NONE,
          0 },
        { HEAD "Upgrade: websocket, h2c\r\n\r\n", false, true, BODY_NONE, 0 },
        { HEAD "Upgrade: websocket\r\nUpgrade: h2c\r\n\r\n", false, true, BODY_NONE,
          0 },
        { HEAD "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab", true, false,
          BODY_LENGTH, 2 },
        { HEAD "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", false, false,
          BODY_LENGTH, 0 },
        { HEAD "Expect: 100-continue\r\n\r\n", false, false, BODY_NONE, 0 },
        { HEAD "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          true, false, BODY_STREAM, 0 },
        { "POST / HTTP/1.0\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: "
          "1\r\n\r\na",
          false, false, BODY_LENGTH, 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct driver d;

        driver_give_all(&d, rows[i].bytes, strlen(rows[i].bytes));
        assert_int_equal(d.why, REASON_OK);
        assert_int_equal(d.n_whole, 1);
        assert_int_equal(d.request.expect_continue, rows[i].expects);
        assert_int_equal(d.request.upgrade != UPGRADE_NONE, rows[i].upgrades);
        assert_int_equal(d.request.body.kind, rows[i].kind);
        assert_int_equal(d.request.body.length, rows[i].length);
        driver_free(&d);
    }
}

/* ---- limits */

static void
assert_limited(const char *prefix, char filler, size_t n, const char *suffix,
               enum reason why)
{
    char *bytes = malloc(strlen(prefix) + n + strlen(suffix) + 1);
    struct driver d;

    assert_non_null(bytes);
    strcpy(bytes, prefix);
    memset(bytes + strlen(prefix), filler, n);
    strcpy(bytes + strlen(prefix) + n, suffix);
    driver_give_all(&d, bytes, strlen(bytes));
    if (d.why != why)
        fail_msg("%zu bytes: %s instead of %s", n, reason_token(d.why),
                 reason_token(why));
    driver_free(&d);
    free(bytes);
}

static void
a_limit_holds_to_the_byte(void **state)
{
    size_t head = usual_limits.head_bytes, target = usual_limits.target_bytes;
    size_t around = strlen(HEAD "X: \r\n\r\n");

    (void)state;
    assert_limited("GET /", 'a', target - 1, " HTTP/1.1\r\nHost: a.test\r\n\r\n",
                   REASON_OK);
    assert_limited("GET /", 'a', target, " HTTP/1.1\r\nHost: a.test\r\n\r\n",
                   REASON_TARGET_TOO_LONG);
    assert_limited(HEAD "X: ", 'a', head - around, "\r\n\r\n", REASON_OK);
    assert_limited(HEAD "X: ", 'a', head - around + 1, "\r\n\r\n",
                   REASON_HEAD_TOO_LARGE);
    assert_limited(HEAD, 'a', head, "", REASON_HEAD_TOO_LARGE);
    assert_limited(CHUNKED "0\r\nX: ", 'a', head - strlen("X: \r\n\r\n"), "\r\n\r\n",
                   REASON_OK);
    assert_limited(CHUNKED "0\r\nX: ", 'a', head - strlen("X: \r\n\r\n") + 1,
                   "\r\n\r\n", REASON_HEAD_TOO_LARGE);
    assert_limited(CHUNKED "1;", 'a', 256, "\r\nx\r\n0\r\n\r\n", REASON_OK);
    assert_limited(CHUNKED "1;", 'a', 257, "\r\nx\r\n0\r\n\r\n", REASON_CHUNK);
}

static void
assert_fields(const char *prefix, size_t n, const char *suffix, enum reason why)
{
    struct buf bytes = { 0 };
    struct driver d;

    buf_add_z(&bytes, prefix);
    for (size_t i = 0; i < n; i++)
        buf_add_z(&bytes, "X: y\r\n");
    buf_add_z(&bytes, suffix);
    driver_give_all(&d, buf_text(&bytes).at, buf_length(&bytes));
    assert_int_equal(d.why, why);
    driver_free(&d);
    buf_free(&bytes);
}

static void
a_head_and_a_trailer_have_so_many_fields_and_no_more(void **state)
{
    (void)state;
    assert_fields(HEAD, usual_limits.fields - 1, "\r\n", REASON_OK);
    assert_fields(HEAD, usual_limits.fields, "\r\n", REASON_TOO_MANY_FIELDS);
    assert_fields(CHUNKED "0\r\n", usual_limits.fields, "\r\n", REASON_OK);
    assert_fields(CHUNKED "0\r\n", usual_limits.fields + 1, "\r\n",
                  REASON_TOO_MANY_FIELDS);
}

static void
chunk_extensions_have_a_budget_for_the_whole_message(void **state)
{
    struct buf bytes = { 0 };

    (void)state;
    for (unsigned times = 32; times <= 33; times++) {
        struct driver d;

        buf_add_z(&bytes, CHUNKED);
        for (unsigned i = 0; i < times; i++) {
            buf_add_z(&bytes, "1;");
            memset(buf_reserve(&bytes, 256), 'a', 256);
            buf_commit(&bytes, 256);
            buf_add_z(&bytes, "\r\nx\r\n");
        }
        buf_add_z(&bytes, "0\r\n\r\n");
        driver_give_all(&d, buf_text(&bytes).at, buf_length(&bytes));
        assert_int_equal(d.why, times == 32 ? REASON_OK : REASON_CHUNK);
        driver_free(&d);
        buf_free(&bytes);
    }
}

/* ---- the wire's life */

struct server {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    struct request request;
    enum reason why;
};

static void
server_init(struct server *s)
{
    *s = (struct server){ .arena = arena_new() };
    s->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &usual_limits, &s->in, &s->out);
}

static void
server_free(struct server *s)
{
    wire_free(s->wire);
    arena_free(s->arena);
    buf_free(&s->in);
    buf_free(&s->out);
}

static enum flow
server_read(struct server *s, const char *bytes)
{
    buf_add_z(&s->in, bytes);
    assert_int_equal(wire_next(s->wire, &s->stream), FLOW_OK);
    return stream_read_request(s->stream, s->arena, &s->request, &s->why);
}

static void
server_answer(struct server *s, int status, enum body_kind kind, const char *body)
{
    struct response r = { .status = status,
                          .body = { kind, kind == BODY_LENGTH ? strlen(body) : 0 } };

    headers_init(&r.headers, s->arena);
    stream_write_response(s->stream, &r);
    if (status < 200)
        return;
    stream_write_body(s->stream, text_z(body));
    stream_write_end(s->stream, NULL);
}

static void
assert_wrote(struct server *s, const char *expected)
{
    if (!text_equals(buf_text(&s->out), text_z(expected)))
        fail_msg("wrote %.*s", TEXT_ARG(buf_text(&s->out)));
    buf_drop(&s->out, buf_length(&s->out));
}

/* A chunk has a frame, and of an answer to HEAD no byte may be sent. */
static void
only_a_body_without_frames_may_be_passed_by(void **state)
{
    struct response r = { .status = 200, .body = { BODY_LENGTH, 5 } };
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, HEAD "\r\n"), FLOW_OK);
    headers_init(&r.headers, s.arena);
    stream_write_response(s.stream, &r);
    assert_true(stream_writes_plain(s.stream));
    buf_drop(&s.out, buf_length(&s.out));
    stream_pass_body(s.stream, 3);
    stream_write_body(s.stream, TEXT("lo"));
    assert_wrote(&s, "lo");
    stream_write_end(s.stream, NULL); /* asserts that nothing is left of the length */
    stream_close(s.stream);

    assert_int_equal(server_read(&s, HEAD "\r\n"), FLOW_OK);
    r.body = (struct body_frame){ BODY_STREAM, 0 };
    stream_write_response(s.stream, &r);
    assert_false(stream_writes_plain(s.stream));
    stream_write_end(s.stream, NULL);
    stream_close(s.stream);

    assert_int_equal(server_read(&s, "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
                     FLOW_OK);
    r.body = (struct body_frame){ BODY_LENGTH, 5 };
    stream_write_response(s.stream, &r);
    assert_false(stream_writes_plain(s.stream));
    stream_close(s.stream);
    server_free(&s);
}

static void
the_next_request_waits_until_the_one_before_is_closed(void **state)
{
    struct server s;
    struct stream *other;

    (void)state;
    server_init(&s);
    assert_false(wire_is_busy(s.wire));
    assert_int_equal(server_read(&s, HEAD "\r\n" HEAD "X: 2\r\n\r\n"), FLOW_OK);
    assert_int_equal(buf_length(&s.in), strlen(HEAD "X: 2\r\n\r\n"));
    assert_int_equal(wire_next(s.wire, &other), FLOW_WAIT);
    assert_false(wire_is_busy(s.wire));
    assert_true(stream_has_read_all(s.stream));
    assert_false(wire_may_reuse(s.wire));
    server_answer(&s, 200, BODY_LENGTH, "ok");
    assert_wrote(&s, "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok");
    assert_true(wire_may_reuse(s.wire));
    stream_close(s.stream);
    assert_true(wire_may_reuse(s.wire));
    assert_true(wire_is_busy(s.wire));
    assert_int_equal(server_read(&s, ""), FLOW_OK);
    assert_true(headers_has(&s.request.headers, TEXT("X")));
    stream_close(s.stream);
    server_free(&s);
}

static void
a_client_that_sends_half_of_a_head_is_busy(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, "GET"), FLOW_WAIT);
    assert_true(wire_is_busy(s.wire));
    wire_read_closed(s.wire);
    assert_int_equal(stream_read_request(s.stream, s.arena, &s.request, &s.why),
                     FLOW_BROKEN);
    assert_int_equal(s.why, REASON_CLIENT_GONE);
    assert_false(wire_may_reuse(s.wire));
    stream_close(s.stream);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_BROKEN);
    server_free(&s);
}

/* Its owner frees such a wire and makes another when bytes come: nothing may be
 * forgotten by that. */
static void
a_wire_is_like_a_new_one_only_when_nothing_is_to_be_remembered(void **state)
{
    struct server s;
    struct stream *none;

    (void)state;
    server_init(&s);
    assert_true(wire_is_fresh(s.wire));
    assert_int_equal(server_read(&s, HEAD "\r\n"), FLOW_OK);
    assert_false(wire_is_fresh(s.wire)); /* an exchange is open */
    server_answer(&s, 200, BODY_LENGTH, "ok");
    assert_false(wire_is_fresh(s.wire));
    stream_close(s.stream);
    assert_true(wire_is_fresh(s.wire));
    buf_add_z(&s.in, "\r"); /* may be half of the empty line, or a bad byte */
    assert_int_equal(wire_next(s.wire, &none), FLOW_WAIT);
    assert_false(wire_is_fresh(s.wire));
    buf_add_z(&s.in, "\n"); /* the one empty line has been skipped */
    assert_int_equal(wire_next(s.wire, &none), FLOW_WAIT);
    assert_int_equal(buf_length(&s.in), 0);
    assert_false(wire_is_fresh(s.wire));
    assert_int_equal(server_read(&s, HEAD "\r\n"), FLOW_OK);
    stream_close_after(s.stream);
    server_answer(&s, 200, BODY_LENGTH, "ok");
    stream_close(s.stream);
    assert_false(wire_is_fresh(s.wire)); /* it carries no other */
    server_free(&s);

    server_init(&s);
    wire_read_closed(s.wire);
    assert_false(wire_is_fresh(s.wire));
    server_free(&s);
}

static void
a_client_that_closes_between_requests_has_ended(void **state)
{
    static const char *const left[] = { "", "\r\n", "\r" };

    (void)state;
    for (size_t i = 0; i < COUNT(left); i++) {
        struct server s;

        server_init(&s);
        buf_add_z(&s.in, left[i]);
        assert_int_equal(wire_next(s.wire, &s.stream), FLOW_WAIT);
        wire_read_closed(s.wire);
        assert_int_equal(wire_next(s.wire, &s.stream), FLOW_END);
        server_free(&s);
    }
}

/* Half-close: what came before the end is answered. */
static void
requests_that_came_before_the_end_are_still_answered(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    buf_add_z(&s.in, HEAD "\r\n");
    wire_read_closed(s.wire);
    assert_int_equal(server_read(&s, ""), FLOW_OK);
    server_answer(&s, 200, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
    stream_close(s.stream);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_END);
    server_free(&s);
}

static const struct {
    const char *request;
    int status;
    enum body_kind kind;
    const char *body, *written;
    bool is_kept;
} answers[] = {
    { HEAD "\r\n", 200, BODY_LENGTH, "hi",
      "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", true },
    { HEAD "\r\n", 200, BODY_STREAM, "hi",
      "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true },
    { HEAD "\r\n", 204, BODY_NONE, "", "HTTP/1.1 204 \r\n\r\n", true },
    { HEAD "\r\n", 304, BODY_NONE, "", "HTTP/1.1 304 \r\n\r\n", true },
    { HEAD "Connection: CLOSE\r\n\r\n", 200, BODY_NONE, "",
      "HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false },
    { HEAD "Connection: keep-alive\r\n\r\n", 200, BODY_NONE, "",
      "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", true },
    { HEAD "Connection: keep-alive, close\r\n\r\n", 200, BODY_NONE, "",
      "HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false },
    { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, BODY_LENGTH, "hi",
      "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", true },
    { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, BODY_STREAM, "hi",
      "HTTP/1.1 200 \r\n\r\n", true },
    { "GET / HTTP/1.0\r\n\r\n", 200, BODY_LENGTH, "hi",
      "HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", false },
    { "GET / HTTP/1.0\r\n\r\n", 200, BODY_STREAM, "hi",
      "HTTP/1.1 200 \r\nConnection: close\r\n\r\nhi", false },
    { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, BODY_LENGTH, "hi",
      "HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", true },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, BODY_STREAM, "hi",
      "HTTP/1.1 200 \r\nConnection: close\r\n\r\nhi", false },
    { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 200, BODY_NONE, "",
      "HTTP/1.1 200 \r\n\r\n", false },
    { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 403, BODY_LENGTH, "no",
      "HTTP/1.1 403 \r\nContent-Length: 2\r\n\r\nno", true },
};

static void
answers_are_framed_for_the_request_they_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct server s;

        server_init(&s);
        assert_int_equal(server_read(&s, answers[i].request), FLOW_OK);
        server_answer(&s, answers[i].status, answers[i].kind, answers[i].body);
        if (!text_equals(buf_text(&s.out), text_z(answers[i].written)))
            fail_msg("row %zu: %.*s", i, TEXT_ARG(buf_text(&s.out)));
        assert_int_equal(wire_may_reuse(s.wire), answers[i].is_kept);
        stream_close(s.stream);
        assert_int_equal(wire_may_reuse(s.wire), answers[i].is_kept);
        assert_int_equal(wire_next(s.wire, &s.stream),
                         answers[i].is_kept ? FLOW_WAIT : FLOW_END);
        server_free(&s);
    }
}

static void
an_answer_to_head_tells_the_length_it_was_told(void **state)
{
    struct response r = { .status = 200, .has_length = true, .told_length = 77 };
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), FLOW_OK);
    headers_init(&r.headers, s.arena);
    stream_write_response(s.stream, &r);
    stream_write_end(s.stream, NULL);
    assert_wrote(&s, "HTTP/1.1 200 \r\nContent-Length: 77\r\n\r\n");
    stream_close(s.stream);
    server_free(&s);
}

static void
a_refused_head_is_answered_and_closed(void **state)
{
    static const struct {
        const char *request, *written;
    } rows[] = {
        { HEAD "X\r\n",
          "HTTP/1.1 400 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" },
        { "HEAD / HTTP/1.1\r\nX\r\n",
          "HTTP/1.1 400 \r\nContent-Length: 2\r\nConnection: close\r\n\r\n" },
        { "GET / HTTP/1.0\r\nX\r\n",
          "HTTP/1.1 400 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" },
        { "G(", "HTTP/1.1 400 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server s;

        server_init(&s);
        assert_int_equal(server_read(&s, rows[i].request), FLOW_BROKEN);
        assert_int_equal(stream_read_request(s.stream, s.arena, &s.request, &s.why),
                         FLOW_BROKEN);
        server_answer(&s, 400, BODY_LENGTH, "no");
        assert_wrote(&s, rows[i].written);
        assert_false(wire_may_reuse(s.wire));
        stream_close(s.stream);
        server_free(&s);
    }
}

static void
a_body_not_read_to_its_end_is_the_last_on_its_wire(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, HEAD "Content-Length: 5\r\n\r\nhel"), FLOW_OK);
    server_answer(&s, 403, BODY_LENGTH, "no");
    assert_false(stream_has_read_all(s.stream));
    assert_true(stream_has_written_all(s.stream));
    assert_false(wire_may_reuse(s.wire));
    stream_close(s.stream);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_END);
    server_free(&s);
}

static void
a_close_that_the_owner_wants_is_told_and_done(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, HEAD "\r\n"), FLOW_OK);
    stream_close_after(s.stream);
    server_answer(&s, 200, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_false(wire_may_reuse(s.wire));
    stream_close(s.stream);
    server_free(&s);
}

static void
interim_answers_go_to_those_who_know_them(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(
        server_read(&s, HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
        FLOW_OK);
    server_answer(&s, 100, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 100 \r\n\r\n");
    server_answer(&s, 103, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 103 \r\n\r\n");
    server_answer(&s, 200, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
    stream_close(s.stream);
    server_free(&s);

    server_init(&s);
    assert_int_equal(server_read(&s, "GET / HTTP/1.0\r\n\r\n"), FLOW_OK);
    server_answer(&s, 100, BODY_NONE, "");
    assert_wrote(&s, "");
    stream_close(s.stream);
    server_free(&s);
}

/* 0.CL: after another answer than 100 nobody knows whether the body still comes. */
static void
a_client_refused_instead_of_continued_is_told_to_close(void **state)
{
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(
        server_read(&s, HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
        FLOW_OK);
    server_answer(&s, 403, BODY_NONE, "");
    assert_wrote(&s, "HTTP/1.1 403 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream_close(s.stream);
    assert_int_equal(wire_next(s.wire, &s.stream), FLOW_END);
    server_free(&s);
}

static void
what_follows_a_connect_is_left_for_the_tunnel(void **state)
{
    struct text piece;
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(
        server_read(&s, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n\x16\x03\x01"),
        FLOW_OK);
    assert_true(text_equals(s.request.authority, TEXT("a:1")));
    assert_int_equal(s.request.target.n, 0);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_END);
    server_answer(&s, 200, BODY_NONE, "");
    stream_close(s.stream);
    assert_true(text_equals(buf_text(&s.in), TEXT("\x16\x03\x01")));
    server_free(&s);
}

static void
a_body_comes_in_the_pieces_it_arrived_in(void **state)
{
    struct text piece;
    struct server s;

    (void)state;
    server_init(&s);
    assert_int_equal(server_read(&s, HEAD "Content-Length: 5\r\n\r\nhe"), FLOW_OK);
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_OK);
    assert_true(text_equals(piece, TEXT("he")));
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_WAIT);
    buf_add_z(&s.in, "lloGET");
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_OK);
    assert_true(text_equals(piece, TEXT("llo")));
    assert_true(stream_has_read_all(s.stream));
    assert_int_equal(stream_read_body(s.stream, s.arena, &piece, &s.why), FLOW_END);
    assert_true(text_equals(buf_text(&s.in), TEXT("GET")));
    stream_close(s.stream);
    server_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_heads_are_refused_each_with_its_reason),
        cmocka_unit_test(a_bad_byte_is_refused_before_the_head_is_whole),
        cmocka_unit_test(hostile_bodies_are_refused_each_with_its_reason),
        cmocka_unit_test(innocent_requests_come_out_as_they_were_meant),
        cmocka_unit_test(every_method_we_forward_is_known_to_both_readers),
        cmocka_unit_test(a_request_says_what_its_connection_fields_meant),
        cmocka_unit_test(a_limit_holds_to_the_byte),
        cmocka_unit_test(a_head_and_a_trailer_have_so_many_fields_and_no_more),
        cmocka_unit_test(chunk_extensions_have_a_budget_for_the_whole_message),
        cmocka_unit_test(only_a_body_without_frames_may_be_passed_by),
        cmocka_unit_test(the_next_request_waits_until_the_one_before_is_closed),
        cmocka_unit_test(a_client_that_sends_half_of_a_head_is_busy),
        cmocka_unit_test(
            a_wire_is_like_a_new_one_only_when_nothing_is_to_be_remembered),
        cmocka_unit_test(a_client_that_closes_between_requests_has_ended),
        cmocka_unit_test(requests_that_came_before_the_end_are_still_answered),
        cmocka_unit_test(answers_are_framed_for_the_request_they_answer),
        cmocka_unit_test(an_answer_to_head_tells_the_length_it_was_told),
        cmocka_unit_test(a_refused_head_is_answered_and_closed),
        cmocka_unit_test(a_body_not_read_to_its_end_is_the_last_on_its_wire),
        cmocka_unit_test(a_close_that_the_owner_wants_is_told_and_done),
        cmocka_unit_test(interim_answers_go_to_those_who_know_them),
        cmocka_unit_test(a_client_refused_instead_of_continued_is_told_to_close),
        cmocka_unit_test(what_follows_a_connect_is_left_for_the_tunnel),
        cmocka_unit_test(a_body_comes_in_the_pieces_it_arrived_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

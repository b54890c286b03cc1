/* llhttp, another reader by other people, over the same bytes. Whatever our wire calls
 * a whole message llhttp must call one too, with the same method, target, fields, body
 * and trailers; and it must read what we write as we meant it. */
#include "base/log.h"
#include "driver.h"

#include <time.h>

#ifndef HAVE_LLHTTP

int
main(void)
{
    puts("SKIPPED: test_llhttp: node-llhttp's C sources are not in /usr/share/llhttp");
    return 77;
}

#else

#include "partner.h"

enum { MUTATIONS = 12000 };

/* ---- rows and mutations */

static uint64_t random_state;

static size_t
random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state >> 11) % n;
}

static void
random_begin(void)
{
    const char *given = getenv("HOLDFAST_SEED");

    random_state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    random_state += random_state == 0;
    printf("HOLDFAST_SEED=%llu\n", (unsigned long long)random_state);
}

static struct framing_rows rows;

static int
load(void **state)
{
    (void)state;
    rows = rows_load();
    random_begin();
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    rows_free(&rows);
    return 0;
}

static void
what_we_hear_in_each_row_llhttp_hears_too(void **state)
{
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++)
        whole += partner_compares(rows.at[i].id, rows.at[i].raw, rows.at[i].n);
    assert_true(whole >= 20);
}

/* One that llhttp learns to read fails here, and its exemption goes. */
static void
the_known_refusals_are_still_llhttps(void **state)
{
#define CHUNKED      "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OLD(options) "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: " options "\r\n\r\n"
    static const struct {
        const char *bytes;
        unsigned n_ours, n_theirs;
        bool is_known;
    } known_rows[] = {
        { CHUNKED "1;a=b;c\r\nx\r\n0\r\n\r\n", 1, 0, true },
        { CHUNKED "1;a=\"\\\"\"\r\nx\r\n0\r\n\r\n", 1, 0, true },
        { OLD("keep-alive\t") OLD("close"), 2, 1, true },
        /* The same things one step away are read, or are refused by both. */
        { CHUNKED "1;a;c=b\r\nx\r\n0\r\n\r\n", 1, 1, false },
        { CHUNKED "1;a=\"b\";c\r\nx\r\n0\r\n\r\n", 1, 1, false },
        { OLD("keep-alive ") OLD("close"), 2, 2, false },
        { CHUNKED "1;a=b;;\r\nx\r\n0\r\n\r\n", 0, 0, false },
        { CHUNKED "g\r\nx\r\n0\r\n\r\n", 0, 0, false },
    };
#undef CHUNKED
#undef OLD
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(known_rows); i++) {
        const char *bytes = known_rows[i].bytes;
        struct driver ours;

        driver_give_all(&ours, bytes, strlen(bytes));
        partner_read(&theirs, HTTP_REQUEST, text_z(bytes));
        if (ours.n_whole != known_rows[i].n_ours ||
            theirs.n_whole != known_rows[i].n_theirs)
            fail_msg("row %zu: %u of ours, %u of theirs", i, ours.n_whole,
                     theirs.n_whole);
        if (is_known_refusal(&theirs, bytes, buf_text(&ours.told),
                             buf_text(&theirs.told)) != known_rows[i].is_known)
            fail_msg("row %zu: llhttp says %s: %s", i, llhttp_errno_name(theirs.error),
                     llhttp_get_error_reason(&theirs.parser));
        partner_free(&theirs);
        driver_free(&ours);
    }
}

/* More to start from than the innocent rows. */
static const char *const seeds[] = {
    "POST /a?b=c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
    "3\r\nabc\r\nA;n=v\r\n0123456789\r\n0\r\nX-T: 1\r\nY-T:\r\n\r\n"
    "GET /next HTTP/1.1\r\nHost: b.test\r\n\r\n",
    "PUT /x HTTP/1.1\r\nhost:a.test\r\ncontent-length:3\r\nconnection: x-a, "
    "close\r\nx-a: 1\r\n\r\nabc",
    "GET http://a.test:80/p?q HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nCookie: "
    "a=b\r\n\r\n"
    "DELETE /x HTTP/1.1\r\nHost: a.test\r\nX-Empty:\r\nX-Tab:\ta\tb\t \r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nContent-Length: "
    "2\r\n\r\nab"
    "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\nConnection: "
    "Upgrade\r\n\r\n"
    "HEAD /y HTTP/1.1\r\nHost: a.test\r\n\r\n",
};

/* Bytes and words on which readers have differed. */
static const char *const spice[] = {
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "\v",
    "\f",
    "\x7f",
    "\x80",
    "\xff",
    "0",
    "1",
    "5",
    "F",
    "_",
    "-",
    "\"",
    "#",
    "?",
    "/",
    "@",
    "chunked",
    "Chunked",
    "identity",
    "close",
    "keep-alive",
    "\r\n ",
    "\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: a.test\r\n",
    "Connection: close\r\n",
    "Connection: Host\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
    "Trailer: x\r\n",
    "HTTP/1.0",
    "HTTP/1.1",
    "GET / HTTP/1.1\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "00",
    "+",
    "0x",
    "http://",
};

static size_t
splice(char *at, size_t n, size_t from, size_t cut, const char *put, size_t put_n)
{
    memmove(at + from + put_n, at + from + cut, n - from - cut);
    memcpy(at + from, put, put_n);
    return n - cut + put_n;
}

/* at has room for four kilobytes more than a seed. */
static size_t
mutate(char *at, size_t n)
{
    for (size_t times = 1 + random_below(3); times > 0 && n > 0; times--) {
        size_t from = random_below(n), some = 1 + random_below(8);
        const char *word = spice[random_below(COUNT(spice))];
        char copy[8];

        some = some > n - from ? n - from : some;
        switch (random_below(5)) {
        case 0:
            at[from] = (char)random_below(256);
            break;
        case 1:
            n = splice(at, n, from, some, "", 0);
            break;
        case 2:
            n = splice(at, n, from, 0, word, strlen(word));
            break;
        case 3:
            n = splice(at, n, from, 1, word, strlen(word));
            break;
        default:
            memcpy(copy, at + from, some);
            n = splice(at, n, random_below(n), 0, copy, some);
            break;
        }
    }
    return n;
}

static size_t
pick_seed(char *out, size_t room)
{
    for (;;) {
        size_t i = random_below(rows.n + COUNT(seeds) * 8);
        const char *at = i < rows.n ? rows.at[i].raw : seeds[i % COUNT(seeds)];
        size_t n = i < rows.n ? rows.at[i].n : strlen(at);

        if ((i < rows.n && strcmp(rows.at[i].expect, "reject") == 0) || n > room)
            continue;
        memcpy(out, at, n);
        return n;
    }
}

static void
what_we_hear_in_mutated_requests_llhttp_hears_too(void **state)
{
    static char bytes[8192];
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        size_t n = pick_seed(bytes, sizeof bytes - 4096);

        n = mutate(bytes, n);
        whole += partner_compares("a mutation", bytes, n);
    }
    printf("%zu of %d still held a whole message\n", whole, MUTATIONS);
    assert_true(whole > MUTATIONS / 20);
}

/* ---- what we write */

/* "hello" as 2 and 3 bytes where there is a body. */
static void
write_hello(struct stream *s, bool has_body, const struct headers *trailers)
{
    if (has_body) {
        stream_write_body(s, TEXT("he"));
        stream_write_body(s, TEXT(""));
        stream_write_body(s, TEXT("llo"));
    }
    stream_write_end(s, trailers);
    assert_true(stream_has_written_all(s));
}

static const struct written_request {
    const char *method, *path, *query;
    struct body_frame body;
    bool has_trailer, expects;
    const char *framing; /* the field that must stand there; NULL: none may */
} written_requests[] = {
    { "GET", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/", "", { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/a/b", "c=d&e", { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/", NULL, { BODY_LENGTH, 5 }, false, false, "Content-Length" },
    { "HEAD", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "POST", "/", NULL, { BODY_NONE, 0 }, false, false, "Content-Length" },
    { "POST", "/", NULL, { BODY_LENGTH, 0 }, false, false, "Content-Length" },
    { "POST", "/x", "y", { BODY_LENGTH, 5 }, false, true, "Content-Length" },
    { "PUT", "/", NULL, { BODY_STREAM, 0 }, false, true, "Transfer-Encoding" },
    { "PATCH", "/", NULL, { BODY_STREAM, 0 }, true, false, "Transfer-Encoding" },
    { "DELETE", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "OPTIONS", "*", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "M-SEARCH", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
};

static void
write_request(struct writer *w, const struct written_request *row, struct buf *expected)
{
    struct request r = { .method = text_z(row->method),
                         .body = row->body,
                         .expect_continue = row->expects };
    struct text query = row->query == NULL ? text_of(NULL, 0) : text_z(row->query);
    struct headers trailers;
    bool has_body = row->body.kind == BODY_STREAM || row->body.length > 0;

    headers_init(&r.headers, w->arena);
    headers_init(&trailers, w->arena);
    headers_add(&r.headers, TEXT("X-One"), TEXT("1"));
    headers_add(&r.headers, TEXT("x-two"), TEXT("a, \t\xff b"));
    headers_add(&r.headers, TEXT("X-Empty"), TEXT(""));
    if (row->has_trailer)
        headers_add(&trailers, TEXT("X-Sum"), TEXT("7"));
    stream_write_request(w->stream, &r, text_z(row->path), query, TEXT("a.test:8080"));
    write_hello(w->stream, has_body, &trailers);
    buf_printf(expected, "%s %s%s%s\n", row->method, row->path,
               row->query == NULL ? "" : "?", row->query == NULL ? "" : row->query);
    tell_fields(expected, &r.headers);
    buf_printf(expected, "\n%s\n", has_body ? "hello" : "");
    tell_fields(expected, &trailers);
}

static size_t
partner_count(const struct partner *p, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_fields; i++)
        n += text_equals_nocase(buf_text(&p->names[i]), text_z(name));
    return n;
}

static void
llhttp_reads_the_requests_we_write(void **state)
{
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(written_requests); i++) {
        const struct written_request *row = &written_requests[i];
        struct buf expected = { 0 };
        struct writer w;

        writer_init(&w, WIRE_CLIENT);
        write_request(&w, row, &expected);
        partner_read(&theirs, HTTP_REQUEST, buf_text(&w.out));
        assert_int_equal(theirs.error, HPE_OK);
        assert_int_equal(theirs.n_whole, 1);
        if (!text_equals(buf_text(&theirs.told), buf_text(&expected)))
            fail_msg("row %zu: %.*s", i, TEXT_ARG(buf_text(&w.out)));
        assert_true(text_equals(buf_text(&theirs.names[0]), TEXT("Host")));
        assert_true(text_equals(buf_text(&theirs.values[0]), TEXT("a.test:8080")));
        assert_int_equal(partner_count(&theirs, "Host"), 1);
        assert_int_equal(partner_count(&theirs, "Expect"), row->expects);
        assert_int_equal(partner_count(&theirs, "Content-Length") +
                             partner_count(&theirs, "Transfer-Encoding"),
                         row->framing != NULL);
        if (row->framing != NULL)
            assert_int_equal(partner_count(&theirs, row->framing), 1);
        partner_free(&theirs);
        buf_free(&expected);
        writer_free(&w);
    }
}

static const struct written_response {
    const char *request;
    int status;
    struct body_frame body;
    bool has_trailer;
    const char *connection; /* NULL: none */
    bool is_kept;
    const char *body_read;
} written_responses[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      204,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      304,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      true,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      404,
      { BODY_LENGTH, 5 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      true,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      "keep-alive",
      true,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      "close",
      false,
      "hello" },
};

static void
begin_answer(struct writer *w, const char *request)
{
    struct request r;
    struct text piece;
    enum reason why;

    writer_init(w, WIRE_SERVER);
    buf_add_z(&w->in, request);
    assert_int_equal(wire_next(w->wire, &w->stream), FLOW_OK);
    assert_int_equal(stream_read_request(w->stream, w->arena, &r, &why), FLOW_OK);
    assert_int_equal(stream_read_body(w->stream, w->arena, &piece, &why), FLOW_END);
}

static void
write_response(struct writer *w, const struct written_response *row,
               struct buf *expected)
{
    struct response r = { .status = row->status,
                          .reason_phrase = TEXT("Fine so far"),
                          .body = row->body };
    struct headers trailers;

    headers_init(&r.headers, w->arena);
    headers_init(&trailers, w->arena);
    headers_add(&r.headers, TEXT("Server"), TEXT("x y"));
    if (row->has_trailer)
        headers_add(&trailers, TEXT("X-Sum"), TEXT("7"));
    stream_write_response(w->stream, &r);
    write_hello(w->stream, row->body.kind != BODY_NONE, &trailers);
    buf_printf(expected, "%d\nServer:x y\n\n%s\n", row->status, row->body_read);
    if (row->has_trailer && row->is_kept)
        buf_add_z(expected, "X-Sum:7\n");
}

static void
llhttp_reads_the_answers_we_write(void **state)
{
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(written_responses); i++) {
        const struct written_response *row = &written_responses[i];
        struct buf expected = { 0 };
        struct writer w;

        begin_answer(&w, row->request);
        write_response(&w, row, &expected);
        assert_int_equal(wire_may_reuse(w.wire), row->is_kept);
        partner_read(&theirs, HTTP_RESPONSE, buf_text(&w.out));
        assert_int_equal(theirs.error, HPE_OK);
        assert_int_equal(theirs.n_whole, 1);
        if (!text_equals(buf_text(&theirs.told), buf_text(&expected)))
            fail_msg("row %zu: %.*s\n%.*s", i, TEXT_ARG(buf_text(&w.out)),
                     TEXT_ARG(buf_text(&theirs.told)));
        assert_int_equal(partner_count(&theirs, "Connection"), row->connection != NULL);
        for (size_t f = 0; f < theirs.n_fields && row->connection != NULL; f++)
            if (text_equals(buf_text(&theirs.names[f]), TEXT("Connection")))
                assert_true(
                    text_equals(buf_text(&theirs.values[f]), text_z(row->connection)));
        partner_free(&theirs);
        buf_free(&expected);
        writer_free(&w);
    }
}

/* ---- answers, as they are and mutated */

static const char *const answer_seeds[] = {
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nDate: today\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nVary: *\r\n\r\n"
    "3\r\nabc\r\nA;n=v\r\n0123456789\r\n0\r\nX-T: 1\r\nSet-Cookie: a\r\nY-T:\r\n\r\n",
    "HTTP/1.1 200 \r\nX: y\r\n\r\nuntil the connection closes",
    "HTTP/1.0 200 OK\r\nX-Empty:\r\nX-Tab:\ta\tb\t \r\n\r\nold",
    "HTTP/1.1 204 No Content\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"x\"\r\n\r\n",
    "HTTP/1.1 500\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
};

static void
what_we_hear_in_answers_llhttp_hears_too(void **state)
{
    static char bytes[8192];
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(answer_seeds); i++)
        assert_true(partner_compares_answer(answer_seeds[i], strlen(answer_seeds[i])));
    /* Thousands of refusals would be thousands of log lines. */
    assert_int_equal(log_open("/dev/null", LOG_JSON, LOG_ERROR), REASON_OK);
    for (size_t i = 0; i < MUTATIONS; i++) {
        const char *seed = answer_seeds[random_below(COUNT(answer_seeds))];
        size_t n = strlen(seed);

        memcpy(bytes, seed, n);
        n = mutate(bytes, n);
        whole += partner_compares_answer(bytes, n);
    }
    log_close();
    printf("%zu of %d were still whole\n", whole, MUTATIONS);
    assert_true(whole > MUTATIONS / 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_hear_in_each_row_llhttp_hears_too),
        cmocka_unit_test(the_known_refusals_are_still_llhttps),
        cmocka_unit_test(what_we_hear_in_mutated_requests_llhttp_hears_too),
        cmocka_unit_test(llhttp_reads_the_requests_we_write),
        cmocka_unit_test(llhttp_reads_the_answers_we_write),
        cmocka_unit_test(what_we_hear_in_answers_llhttp_hears_too),
    };

    return cmocka_run_group_tests(tests, load, unload);
}

#endif

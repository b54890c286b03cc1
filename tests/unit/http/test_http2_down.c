/* From HTTP/2 to HTTP/1: what an upstream that speaks HTTP/1 reads is what was judged.
 * With the rows of the authority vectors that are about one head. */
#include "asking.h"
#include "down.h"

/* What is taken goes on; whether it may is for who judges it. */
static void
pass_on(const struct asking *a)
{
    struct passage p;

    passage_write(&p, &a->peer.request);
    if (a->peer.request.body.kind == BODY_LENGTH)
        for (uint64_t i = 0; i < a->peer.request.body.length; i++)
            stream_write_body(p.asked, TEXT("x"));
    stream_write_end(p.asked, NULL);
    passage_read(&p);
    assert_int_equal(p.flow, FLOW_OK);
    assert_true(is_same_request(&a->peer.request, &p.request));
    passage_free(&p);
}

static const struct {
    const char *lines;
    bool is_all;
} taken[] = {
    { HEAD_OF_GET, true },
    { HEAD_OF_GET, false },
    { HEAD_OF_POST, true },
    { HEAD_OF_POST "|content-length: 0", true },
    { HEAD_OF_POST "|content-length: 7", false },
    { HEAD_OF_GET "|x: a\tb|y|z: \xff", true },
    { HEAD_OF_GET "|cookie: a=b|cookie: c=d|accept: */*", true },
    { ":method: OPTIONS|:scheme: https|:authority: a.test|:path: *", true },
    { ":method: GET|:scheme: https|:authority: a.test:8443|:path: //x?y?z=%0d%0a",
      true },
    { ":method: GET|:scheme: https|:authority: a.test|:path: /?", true },
};

static void
what_an_http1_upstream_reads_is_what_was_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct asking a;

        ask(&a, taken[i].lines, taken[i].is_all);
        assert_int_equal(a.flow, FLOW_OK);
        pass_on(&a);
        asking_end(&a);
    }
}

/* A body of unknown length is chunked there, with its trailers. */
static void
a_body_and_its_trailers_go_on_as_chunks(void **state)
{
    struct text piece;
    struct passage p;
    struct asking a;
    enum reason why;

    (void)state;
    ask(&a, HEAD_OF_POST "|te: trailers", false);
    add_frame(&a.server.in, F_DATA, 0, 1, TEXT("5\r\nhello\r\n0\r\n\r\n"));
    add_head(&a.server.in, 1, "x-sum: 1", F_END_STREAM);
    asking_receive(&a);
    passage_write(&p, &a.peer.request);
    assert_int_equal(peer_read_body(&a.peer), FLOW_END);
    stream_write_body(p.asked, buf_text(&a.peer.body));
    stream_write_end(p.asked, stream_trailers(a.peer.stream));
    passage_read(&p);
    assert_int_equal(p.flow, FLOW_OK);
    assert_int_equal(p.request.body.kind, BODY_STREAM);
    assert_int_equal(stream_read_body(p.read, p.arena, &piece, &why), FLOW_OK);
    assert_true(text_equals(piece, TEXT("5\r\nhello\r\n0\r\n\r\n")));
    assert_int_equal(stream_read_body(p.read, p.arena, &piece, &why), FLOW_END);
    assert_true(text_equals(stream_trailers(p.read)->at[0].value, TEXT("1")));
    passage_free(&p);
    asking_end(&a);
}

/* ---- the rows of authority/cases.json that are about HTTP/2 */

#define ALLOWED ":method: GET|:scheme: https|:authority: allowed.test|:path: "

static const struct {
    const char *id, *lines;
    enum reason why; /* of the head, or of its body */
    const char *data;
} rows[] = {
    { "h2-authority-host", ALLOWED "/|host: denied.test", REASON_NAMES_DISAGREE, NULL },
    { "h2-no-authority", ":method: GET|:scheme: https|:path: /|host: allowed.test",
      REASON_OK, NULL },
    { "h2-path-abs", ALLOWED "http://denied.test/", REASON_TARGET, NULL },
    { "h2-path-sp", ALLOWED "/ HTTP/1.1\r\nHost: denied.test\r\n\r\n",
      REASON_FIELD_VALUE, NULL },
    { "h2-path-star", ALLOWED "*", REASON_TARGET, NULL },
    { "h2-method-crlf",
      ":method: GET / HTTP/1.1\r\nX: y|:scheme: https|:authority: allowed.test|:path: "
      "/",
      REASON_FIELD_VALUE, NULL },
    { "h2-header-crlf", ALLOWED "/|x: a\r\nAuthorization: b", REASON_FIELD_VALUE,
      NULL },
    { "h2-header-colon", ALLOWED "/|authorization:x", REASON_FIELD_NAME, NULL },
    { "h2-te", ALLOWED "/|transfer-encoding: chunked", REASON_TRANSFER_ENCODING, NULL },
    { "h2-cl-short",
      ":method: POST|:scheme: https|:authority: allowed.test|:path: /|content-length: "
      "1",
      REASON_CONTENT_LENGTH, "forty bytes that could be a next message" },
    /* The next are for the judge: each is told to him in a form of its own. */
    { "h2-authority-user",
      ":method: GET|:scheme: https|:authority: x@allowed.test|:path: /", REASON_OK,
      NULL },
    { "h2-scheme", ":method: GET|:scheme: http|:authority: allowed.test|:path: /",
      REASON_OK, NULL },
    { "h2-coalesce",
      ":method: GET|:scheme: https|:authority: other-allowed.test|:path: /", REASON_OK,
      NULL },
    { "h2-connect", ":method: CONNECT|:authority: denied.test:443", REASON_OK, NULL },
    { "h2-extended-connect",
      ":method: CONNECT|:protocol: websocket|:scheme: https|:authority: "
      "allowed.test|:path: /|sec-websocket-version: 13",
      REASON_OK, NULL },
};

static void
the_rows_of_the_vectors_are_refused_as_they_should_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_all = rows[i].data == NULL &&
                      strstr(rows[i].lines, ":protocol") == NULL;
        enum flow expected = rows[i].why == REASON_OK ? FLOW_OK : FLOW_BROKEN;
        struct asking a;

        ask(&a, rows[i].lines, is_all);
        if (rows[i].data != NULL) {
            assert_int_equal(a.flow, FLOW_OK);
            add_frame(&a.server.in, F_DATA, F_END_STREAM, 1, text_z(rows[i].data));
            asking_receive(&a);
            a.flow = peer_read_body(&a.peer);
            assert_int_equal(buf_length(&a.peer.body), 0);
        }
        if (a.flow != expected || (a.flow == FLOW_BROKEN && a.peer.why != rows[i].why))
            fail_msg("%s: %s", rows[i].id, reason_token(a.peer.why));
        asking_end(&a);
    }
}

static bool
has_row(struct text id)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (text_equals(id, text_z(rows[i].id)))
            return true;
    return false;
}

static void
every_row_of_the_vectors_is_here(void **state)
{
    FILE *file = fopen(VECTORS "/authority/cases.json", "r");
    char *line = NULL;
    size_t size = 0, n = 0;

    (void)state;
    assert_non_null(file);
    while (getline(&line, &size, file) > 0) {
        const char *at = strstr(line, "\"h2-");

        if (at == NULL)
            continue;
        n++;
        if (!has_row(text_of(at + 1, strcspn(at + 1, "\""))))
            fail_msg("no row for %s", line);
    }
    assert_int_equal(n, COUNT(rows));
    free(line);
    fclose(file);
}

/* ---- and what the judge is told */

static void
the_judge_is_told_scheme_and_form(void **state)
{
    struct asking a;

    (void)state;
    ask(&a, ":method: GET|:scheme: http|:authority: a.test|:path: /", true);
    assert_true(text_equals(a.peer.request.scheme, TEXT("http")));
    asking_end(&a);
    ask(&a, ":method: CONNECT|:authority: a.test:443", false);
    assert_int_equal(a.peer.request.form, TARGET_AUTHORITY);
    assert_true(text_equals(a.peer.request.authority, TEXT("a.test:443")));
    asking_end(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_http1_upstream_reads_is_what_was_judged),
        cmocka_unit_test(a_body_and_its_trailers_go_on_as_chunks),
        cmocka_unit_test(the_rows_of_the_vectors_are_refused_as_they_should_be),
        cmocka_unit_test(every_row_of_the_vectors_is_here),
        cmocka_unit_test(the_judge_is_told_scheme_and_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

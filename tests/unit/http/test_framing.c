/* Every row of http1-framing, in one piece and in pieces. */
#include "driver.h"

static struct framing_rows rows;

static int
load(void **state)
{
    (void)state;
    rows = rows_load();
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
every_row_is_there(void **state)
{
    (void)state;
    assert_int_equal(rows.n, 155);
}

/* Rows whose message never ends: the client leaves before the bytes it promised. Nobody
 * is left to be told a status. */
static bool
is_cut_short(const struct framing_row *row)
{
    static const char *const ids[] = { "ck-2p32" };

    for (size_t i = 0; i < COUNT(ids); i++)
        if (strcmp(row->id, ids[i]) == 0)
            return true;
    return false;
}

static void
rejected_rows_are_refused_with_a_reason_a_client_can_be_told(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver d;

        if (strcmp(row->expect, "reject") != 0)
            continue;
        seen++;
        driver_give_all(&d, row->raw, row->n);
        if (d.why == REASON_OK || d.n_whole > 0)
            fail_msg("%s: not refused: %.*s", row->id, TEXT_ARG(buf_text(&d.heard)));
        if (d.why == REASON_PARSERS_DISAGREE)
            fail_msg("%s: our lexer let it through", row->id);
        if (reason_status(d.why) < 400 && !is_cut_short(row))
            fail_msg("%s: refused as %s, without a status", row->id,
                     reason_token(d.why));
        if (text_has_byte(buf_text(&d.heard), '\0'))
            fail_msg("%s: a NUL came through", row->id);
        driver_free(&d);
    }
    assert_int_equal(seen, 128);
}

/* Two requests where the row is a pipeline, one body of "hello" where there is one, a
 * request for each head. */
static void
accepted_rows_are_heard_whole(void **state)
{
    static const struct {
        const char *id;
        unsigned n;
        const char *body;
    } expected[] = {
        { "ok-get", 1, "" },          { "ok-cl", 1, "hello" },
        { "ok-chunked", 1, "hello" }, { "ok-chunked-case", 1, "hello" },
        { "ok-pipeline", 2, "" },     { "h-expect", 1, "hello" },
    };
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver d;
        size_t e = 0;

        if (strcmp(row->expect, "accept") != 0)
            continue;
        while (e < COUNT(expected) && strcmp(expected[e].id, row->id) != 0)
            e++;
        if (e == COUNT(expected))
            fail_msg("%s: what is expected of it?", row->id);
        driver_give_all(&d, row->raw, row->n);
        if (d.why != REASON_OK)
            fail_msg("%s: refused as %s", row->id, reason_token(d.why));
        assert_int_equal(d.n_whole, expected[e].n);
        assert_true(text_equals(buf_text(&d.bodies), text_z(expected[e].body)));
        driver_free(&d);
        seen++;
    }
    assert_int_equal(seen, COUNT(expected));
}

/* What we chose where both are safe. */
static void
rows_that_may_go_either_way_go_ours(void **state)
{
    static const struct {
        const char *id;
        enum reason why;
        const char *body;
    } chosen[] = {
        { "ok-ext", REASON_OK, "hello" },
        { "ok-trailer", REASON_OK, "" },
        { "ok-crlf-before", REASON_OK, "" },
        { "cl-oct", REASON_OK, "hello" },
        { "cl-2p32", REASON_CLIENT_GONE, "hello" },
        { "ck-ext-sp", REASON_CHUNK, "" },
        { "ck-many0", REASON_CHUNK, "" },
        { "ck-1byte-ext", REASON_CHUNK, NULL },
        { "h-abs-https", REASON_OK, "" },
        { "h-method-low", REASON_METHOD, "" },
        { "h-options-star", REASON_OK, "" },
        { "h-get-body", REASON_OK,
          "GET /smuggled HTTP/1.1\r\nHost: denied.test\r\n\r\n" },
        { "h-expect-get", REASON_OK, "" },
        { "h-maxfwd", REASON_OK, "" },
        { "s-uri-8k", REASON_TARGET_TOO_LONG, "" },
    };
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver d;
        size_t c = 0;

        if (strcmp(row->expect, "either") != 0)
            continue;
        while (c < COUNT(chosen) && strcmp(chosen[c].id, row->id) != 0)
            c++;
        if (c == COUNT(chosen))
            fail_msg("%s: what is expected of it?", row->id);
        driver_give_all(&d, row->raw, row->n);
        if (d.why != chosen[c].why)
            fail_msg("%s: %s", row->id, reason_token(d.why));
        if (chosen[c].body != NULL)
            assert_true(text_equals(buf_text(&d.bodies), text_z(chosen[c].body)));
        driver_free(&d);
        seen++;
    }
    assert_int_equal(seen, COUNT(chosen));
}

static void
rows_to_strip_come_out_without_the_field(void **state)
{
    static const struct {
        const char *id;
        size_t fields_left;
    } expected[] = {
        { "h-upgrade-h2c", 0 },
        { "h-upgrade-any", 0 },
        { "h-conn-named", 0 },
        { "h-te-header", 0 },
    };
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver d;
        size_t e = 0;

        if (strcmp(row->expect, "strip") != 0)
            continue;
        while (e < COUNT(expected) && strcmp(expected[e].id, row->id) != 0)
            e++;
        if (e == COUNT(expected))
            fail_msg("%s: what is expected of it?", row->id);
        driver_give_all(&d, row->raw, row->n);
        assert_int_equal(d.why, REASON_OK);
        assert_int_equal(d.n_whole, 1);
        assert_int_equal(d.n_fields, expected[e].fields_left);
        assert_string_equal(d.hosts[0], "allowed.test");
        driver_free(&d);
        seen++;
    }
    assert_int_equal(seen, COUNT(expected));
}

static void
what_follows_a_request_is_a_request_of_its_own(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        struct driver d;

        if (strcmp(rows.at[i].expect, "first-only") != 0)
            continue;
        driver_give_all(&d, rows.at[i].raw, rows.at[i].n);
        assert_int_equal(d.why, REASON_OK);
        assert_int_equal(d.n_whole, 2);
        assert_string_equal(d.hosts[0], "allowed.test");
        assert_string_equal(d.hosts[1], "denied.test");
        driver_free(&d);
        seen++;
    }
    assert_int_equal(seen, 2);
}

static void
assert_same(const struct framing_row *row, const struct driver *whole,
            const struct driver *pieces, size_t at)
{
    if (!driver_heard_same(whole, pieces))
        fail_msg("%s, split at %zu:\n%.*s\ninstead of\n%.*s", row->id, at,
                 TEXT_ARG(buf_text(&pieces->heard)), TEXT_ARG(buf_text(&whole->heard)));
}

static void
every_row_given_byte_by_byte_is_heard_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver whole, bytes;

        driver_give_all(&whole, row->raw, row->n);
        driver_init(&bytes);
        for (size_t b = 0; b < row->n && !bytes.is_over; b++)
            driver_give(&bytes, row->raw + b, 1);
        driver_end(&bytes);
        assert_same(row, &whole, &bytes, 1);
        driver_free(&bytes);
        driver_free(&whole);
    }
}

/* At every point of the short rows, at some of the long ones. */
static void
every_row_split_in_two_is_heard_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        size_t stride = row->n < 2048 ? 1 : row->n / 16;
        struct driver whole;

        driver_give_all(&whole, row->raw, row->n);
        for (size_t at = 1; at < row->n; at += stride) {
            struct driver two;

            driver_init(&two);
            driver_give(&two, row->raw, at);
            driver_give(&two, row->raw + at, row->n - at);
            driver_end(&two);
            assert_same(row, &whole, &two, at);
            driver_free(&two);
        }
        driver_free(&whole);
    }
}

/* The innocent rows, cut off anywhere: never more messages than began, and the last one
 * is never called whole. */
static void
a_row_cut_short_is_never_taken_for_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows.n; i++) {
        const struct framing_row *row = &rows.at[i];
        struct driver whole;

        if (strcmp(row->expect, "reject") == 0 || row->n > 2048)
            continue;
        driver_give_all(&whole, row->raw, row->n);
        for (size_t at = 1; at < row->n; at++) {
            struct driver cut;

            driver_give_all(&cut, row->raw, at);
            assert_true(cut.n_whole <= whole.n_whole);
            if (cut.n_whole == whole.n_whole && whole.why == REASON_OK)
                fail_msg("%s, cut at %zu: whole", row->id, at);
            if (cut.why != REASON_OK && cut.why != whole.why)
                assert_int_equal(cut.why, REASON_CLIENT_GONE);
            driver_free(&cut);
        }
        driver_free(&whole);
    }
}

/* Else what is refused would be up to whoever cuts a stream into packets. */
static void
a_chunk_extension_is_measured_alike_however_it_is_cut(void **state)
{
    static const struct {
        size_t n;
        enum reason why;
    } extensions[] = { { 250, REASON_OK }, { 260, REASON_CHUNK } };

    (void)state;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        char value[512], bytes[1024];
        struct driver whole, cut;
        int n;

        memset(value, 'x', extensions[i].n);
        value[extensions[i].n] = '\0';
        n = snprintf(bytes, sizeof bytes,
                     "POST / HTTP/1.1\r\nHost: a.test\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"
                     "5;a=\"%s\"\r\nhello\r\n0\r\n\r\n",
                     value);
        driver_give_all(&whole, bytes, (size_t)n);
        driver_init(&cut);
        for (int j = 0; j < n; j++)
            driver_give(&cut, bytes + j, 1);
        driver_end(&cut);
        assert_int_equal(whole.why, extensions[i].why);
        assert_true(driver_heard_same(&whole, &cut));
        driver_free(&whole);
        driver_free(&cut);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_there),
        cmocka_unit_test(rejected_rows_are_refused_with_a_reason_a_client_can_be_told),
        cmocka_unit_test(accepted_rows_are_heard_whole),
        cmocka_unit_test(rows_that_may_go_either_way_go_ours),
        cmocka_unit_test(rows_to_strip_come_out_without_the_field),
        cmocka_unit_test(what_follows_a_request_is_a_request_of_its_own),
        cmocka_unit_test(every_row_given_byte_by_byte_is_heard_the_same),
        cmocka_unit_test(every_row_split_in_two_is_heard_the_same),
        cmocka_unit_test(a_row_cut_short_is_never_taken_for_whole),
        cmocka_unit_test(a_chunk_extension_is_measured_alike_however_it_is_cut),
    };

    return cmocka_run_group_tests(tests, load, unload);
}

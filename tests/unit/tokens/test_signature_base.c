/* The signature base is the one that RFC 9421 prints, line for line, for every message
 * in it; and what can be read in two ways has none. */
#include "told.h"

static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static bool
has_base(const struct signature_scene *s, const struct sf_member *input,
         struct text expected)
{
    struct buf base = { 0 };
    bool same = signature_base_write(s, input, arena, &base) == REASON_OK &&
                text_equals(buf_text(&base), expected);

    if (!same)
        print_error("%.*s\n--- not\n%.*s\n", TEXT_ARG(buf_text(&base)),
                    TEXT_ARG(expected));
    buf_free(&base);
    return same;
}

/* ---- the examples of section 2 */

static struct text
block(const struct json *doc, const char *id)
{
    const struct json *blocks = json_get(doc, "blocks");

    for (size_t i = 0; i < json_count(blocks); i++)
        if (text_equals(member_text(json_at(blocks, i), "id"), text_z(id)))
            return member_text(json_at(blocks, i), "text");
    fail_msg("no block %s", id);
    return TEXT("");
}

/* The base of a signature over nothing but this component, without its last line. */
static void
line_is_right(const struct signature_scene *s, struct text line)
{
    const char *colon = memmem(line.at, line.n, "\": ", 3);
    struct sf_member input = { .is_inner = true, .n_inner = 1 };
    struct text identifier, whole;
    struct sf_field f;

    if (colon == NULL) { /* parameters end in something else than a quote */
        colon = memmem(line.at, line.n, ":", 1);
        while (colon[1] != ' ' && colon[1] != '(')
            colon = strchr(colon + 1, ':');
        identifier = text_of(line.at, (size_t)(colon - line.at));
    } else {
        identifier = text_of(line.at, (size_t)(colon + 1 - line.at));
    }
    if (text_ends(line, TEXT("(SP)")))
        line = arena_printf(arena, "%.*s ", (int)line.n - 4, line.at);
    assert_true(sf_parse(SF_ITEM, identifier, arena, &f));
    input.inner = &f.at[0].item;
    whole = arena_printf(arena, "%.*s\n\"@signature-params\": (%.*s)", TEXT_ARG(line),
                         TEXT_ARG(identifier));
    assert_true(has_base(s, &input, whole));
}

static void
lines_are_right(const struct signature_scene *s, struct text lines)
{
    struct text line;

    while (lines.n > 0 && text_split(&lines, '\n', &line))
        line_is_right(s, line);
}

static void
every_component_of_the_standard_has_the_value_it_prints(void **state)
{
    static const struct {
        const char *message, *lines;
    } rows[] = {
        { "section-2.1-10", "section-2.1-12" },
        { "section-2.1-14", "section-2.1-16" },
        { "section-2.1.1-5", "section-2.1.1-7" },
        { "section-2.1.2-7", "section-2.1.2-9" },
        { "section-2.1.3-5", "section-2.1.3-9" },
        { "section-2.1.3-5", "section-2.1.3-11" },
        { "section-2.1.3-7", "section-2.1.3-9" },
        { "section-2.1.3-7", "section-2.1.3-13" },
        { "section-2.2.1-3", "section-2.2.1-7" },
        { "section-2.2.2-3", "section-2.2.2-7" },
        { "section-2.2.3-3", "section-2.2.3-7" },
        { "section-2.2.5-5", "section-2.2.5-9" },
        { "section-2.2.5-11", "section-2.2.5-15" },
        { "section-2.2.5-17", "section-2.2.5-21" },
        { "section-2.2.5-23", "section-2.2.5-27" },
        { "section-2.2.6-3", "section-2.2.6-7" },
        { "section-2.2.7-3", "section-2.2.7-7" },
        { "section-2.2.7-9", "section-2.2.7-13" },
        { "section-2.2.1-3", "section-2.2.2-7" },
        { "section-2.2.8-7", "section-2.2.8-13" },
        { "section-2.2.8-16", "section-2.2.8-18" },
        { "section-2.2.9-3", "section-2.2.9-7" },
        { "section-7.5.6-3", "section-7.5.6-7" },
        { "section-7.5.6-5", "section-7.5.6-7" },
    };
    struct json *doc = published("rfc9421/all-blocks.json");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct told t;

        told_read(&t, block(doc, rows[i].message), arena);
        lines_are_right(&t.scene, block(doc, rows[i].lines));
    }
    json_free(doc);
}

/* ---- whole bases */

/* "…\n"@signature-params": (…);…": the base says itself what it was made of. */
static bool
base_is_right(const struct signature_scene *s, struct text base)
{
    const char *last = memmem(base.at, base.n, "\"@signature-params\": ", 21);
    struct sf_member input = told_input(
        arena_copy_z(arena, text_of(last + 21, base.n - 21 - (size_t)(last - base.at))),
        arena);

    return has_base(s, &input, base);
}

static void
every_base_of_the_standard_is_ours(void **state)
{
    static const struct {
        const char *request, *answer, *base;
    } rows[] = {
        { "section-2.4-7", "section-2.4-9", "section-2.4-12" },
        { "section-2.4-18", "section-2.4-22", "section-2.4-20" },
        { "section-2.5-11", NULL, "section-2.5-13.1" },
        { "section-4.3-11", NULL, "section-4.3-7" },
        { "section-appendix.b.3-5", NULL, "section-appendix.b.3-7" },
    };
    struct json *doc = published("rfc9421/all-blocks.json");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct told request, answer;

        told_read(&request, block(doc, rows[i].request), arena);
        if (rows[i].answer != NULL) {
            told_read(&answer, block(doc, rows[i].answer), arena);
            told_join(&answer, &request);
        }
        assert_true(
            base_is_right(rows[i].answer != NULL ? &answer.scene : &request.scene,
                          block(doc, rows[i].base)));
    }
    json_free(doc);
}

static void
what_intermediaries_may_change_changes_no_base_and_what_they_may_not_does(void **state)
{
    static const struct {
        const char *message;
        bool same;
    } rows[] = {
        { "section-appendix.b.4-3", true },   { "section-appendix.b.4-7", true },
        { "section-appendix.b.4-9", true },   { "section-appendix.b.4-11", true },
        { "section-appendix.b.4-13", false }, { "section-appendix.b.4-15", false },
    };
    struct json *doc = published("rfc9421/all-blocks.json");
    struct sf_member input = told_input(
        "(\"@method\" \"@path\" \"@authority\" \"accept\")"
        ";created=1618884473;keyid=\"test-key-ed25519\"",
        arena);
    struct buf first = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf base = { 0 };
        struct told t;

        told_read(&t, block(doc, rows[i].message), arena);
        assert_int_equal(signature_base_write(&t.scene, &input, arena, &base),
                         REASON_OK);
        if (i == 0)
            buf_add(&first, buf_text(&base));
        assert_int_equal(text_equals(buf_text(&first), buf_text(&base)), rows[i].same);
        buf_free(&base);
    }
    buf_free(&first);
    json_free(doc);
}

static void
every_base_of_appendix_b_is_ours(void **state)
{
    struct json *doc = published("rfc9421/appendix-b2.json");
    const struct json *cases = json_get(doc, "cases");

    (void)state;
    assert_int_equal(json_count(cases), 6);
    for (size_t i = 0; i < json_count(cases); i++) {
        const struct json *one = json_at(cases, i);
        const char *name = arena_copy_z(arena, member_text(one, "message"));
        struct told t;

        told_read(&t, told_text(json_get(json_get(doc, "messages"), name), arena),
                  arena);
        assert_true(base_is_right(&t.scene, member_text(one, "signature_base")));
    }
    json_free(doc);
}

/* ---- what has no base */

#define REQUEST                                                                        \
    "GET /p?a=1&b=2&b=3&c=%ff&d=%zz&e=+ HTTP/1.1\nHost: example.com\nContent-Length: " \
    "7\nDict: a=1, b=2, a=3\nPriority:  u=1,  i\nAccept-CH: a,   b\nOdd: \xc3\xa9\n"   \
    "@method: GET\nX-Empty: \n"
#define QUERY "GET /p?a=1&b=2&b=3&d=%zz&e=+&g HTTP/1.1\nHost: Example.COM:443\n"

static void
what_can_be_read_in_two_ways_or_not_at_all_has_no_base(void **state)
{
    static const struct {
        const char *message, *covered;
        const char *line; /* NULL: refused */
    } rows[] = {
        { REQUEST, "\"missing\"", NULL },
        { REQUEST, "\"x-empty\"", "" },
        { REQUEST, "\"host\"", "example.com" },
        { REQUEST, "\"content-length\"", "7" },
        { REQUEST, "\"content-length\";bs", NULL },
        { REQUEST, "\"Host\"", NULL }, /* names are in lower case */
        { REQUEST, "\"@METHOD\"", NULL },
        { REQUEST, "\"@unknown\"", NULL },
        { REQUEST, "\"@method\"", "GET" }, /* never the field of that name */
        { REQUEST, "\"@signature-params\"", NULL },
        { REQUEST, "\"@status\"", NULL },
        { REQUEST, "\"@method\";req", NULL },
        { REQUEST, "\"host\";req", NULL },
        { REQUEST, "\"host\";tr", NULL },
        { REQUEST, "\"@method\";sf", NULL },
        { REQUEST, "\"@method\";bs", NULL },
        { REQUEST, "\"@method\";name=\"x\"", NULL },
        { REQUEST, "\"host\";name=\"x\"", NULL },
        { REQUEST, "\"host\";unknown", NULL },
        { REQUEST, "\"host\";bs=?0", NULL },
        { REQUEST, "\"host\";bs=1", NULL },
        { REQUEST, "host", NULL }, /* a token is no name */
        { REQUEST, "\"\"", NULL },
        { REQUEST, "\"ho st\"", NULL },
        { REQUEST, "\"odd\"", NULL }, /* bytes beyond ASCII, … */
        { REQUEST, "\"odd\";bs", ":w6k=:" },
        { REQUEST, "\"odd\";bs;sf", NULL },
        { REQUEST, "\"dict\";bs;key=\"b\"", NULL },
        { REQUEST, "\"dict\";key=\"b\"", NULL }, /* another of its keys stands twice */
        { REQUEST, "\"dict\";key=b", NULL },
        { REQUEST, "\"dict\";sf", NULL }, /* nobody knows what it is */
        { REQUEST, "\"priority\";sf", "u=1, i" },
        { REQUEST, "\"priority\";key=\"i\"", "?1" },
        { REQUEST, "\"priority\";key=\"j\"", NULL },
        { REQUEST, "\"priority\";sf;key=\"u\"", "1" },
        { REQUEST, "\"accept-ch\";sf", "a, b" },
        { REQUEST, "\"x-empty\";key=\"a\"", NULL },
        { REQUEST, "\"@query-param\";name=\"a\"", "1" },
        { REQUEST, "\"@query-param\";name=\"c\"", NULL }, /* no UTF-8 */
        { QUERY, "\"@query-param\";name=\"a\"", "1" },
        { QUERY, "\"@query-param\";name=\"b\"", NULL }, /* twice: which one? */
        { QUERY, "\"@query-param\";name=\"d\"", "%25zz" },
        { QUERY, "\"@query-param\";name=\"e\"", "%20" },
        { QUERY, "\"@query-param\";name=\"g\"", "" },
        { QUERY, "\"@query-param\";name=\"z\"", NULL },
        { QUERY, "\"@query-param\";name=a", NULL },
        { QUERY, "\"@query-param\"", NULL },
        { QUERY, "\"@authority\"", "example.com" },
        { QUERY, "\"@target-uri\"", "https://example.com/p?a=1&b=2&b=3&d=%zz&e=+&g" },
        { "GET /p HTTP/1.1\nHost: [2001:DB8::1]:8443", "\"@authority\"",
          "[2001:db8::1]:8443" },
        { "GET / HTTP/1.1\nHost: a.example", "\"@query\"", "?" },
        { "GET /? HTTP/1.1\nHost: a.example", "\"@query\"", "?" },
        { "GET / HTTP/1.1\nHost: a.example", "\"@query-param\";name=\"a\"", NULL },
        { "HTTP/1.1 404 Not Found", "\"@status\"", "404" },
        { "HTTP/1.1 404 Not Found", "\"@status\";req", NULL },
        { "HTTP/1.1 404 Not Found", "\"@method\"", NULL },
        { "HTTP/1.1 404 Not Found", "\"@path\"", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text input = arena_printf(arena, "(%s)", rows[i].covered);
        struct sf_member covered = told_input(arena_copy_z(arena, input), arena);
        struct buf base = { 0 };
        struct told t;
        enum reason why;

        told_read(&t, text_z(rows[i].message), arena);
        why = signature_base_write(&t.scene, &covered, arena, &base);
        buf_free(&base);
        if (why != (rows[i].line != NULL ? REASON_OK : REASON_SIGNATURE_COMPONENT))
            fail_msg("%s: %s", rows[i].covered, reason_token(why));
        if (rows[i].line != NULL)
            assert_true(
                has_base(&t.scene, &covered,
                         arena_printf(arena, "%s: %s\n\"@signature-params\": (%s)",
                                      rows[i].covered, rows[i].line, rows[i].covered)));
    }
}

static void
a_component_stands_once_however_its_parameters_are_ordered(void **state)
{
    static const struct {
        const char *covered;
        bool ok;
    } rows[] = {
        { "(\"date\" \"date\")", false },
        { "(\"date\";bs \"date\")", true },
        { "(\"priority\";key=\"u\" \"priority\";key=\"i\")", true },
        { "(\"priority\";key=\"u\";sf \"priority\";sf;key=\"u\")", false },
        { "(\"@query-param\";name=\"a\" \"@query-param\";name=\"b\")", true },
        { "()", true },
        { "\"date\"", false }, /* no inner list */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sf_member input = told_input(rows[i].covered, arena);
        struct buf base = { 0 };
        struct told t;

        told_read(&t,
                  TEXT("GET /?a=1&b=2 HTTP/1.1\nHost: a.example\nDate: today\n"
                       "Priority: u=1, i"),
                  arena);
        assert_int_equal(signature_base_write(&t.scene, &input, arena, &base),
                         rows[i].ok ? REASON_OK : REASON_SIGNATURE_COMPONENT);
        buf_free(&base);
    }
}

/* Wherever in a long value the byte stands that may not. */
static void
no_byte_beyond_ascii_is_signed(void **state)
{
    struct sf_member input = told_input("(\"long\")", arena);

    (void)state;
    for (size_t place = 0; place < 40; place++)
        for (int byte = 1; byte < 256; byte++) {
            char value[41] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            struct buf base = { 0 };
            struct told t;
            bool ok = byte == '\t' || (byte >= ' ' && byte <= '~');

            value[place] = (char)byte;
            told_read(&t, TEXT("GET / HTTP/1.1\nHost: a.example"), arena);
            headers_add(&t.headers, TEXT("Long"), text_of(value, 40));
            assert_int_equal(signature_base_write(&t.scene, &input, arena, &base),
                             ok ? REASON_OK : REASON_SIGNATURE_COMPONENT);
            buf_free(&base);
            arena_reset(arena);
            input = told_input("(\"long\")", arena);
        }
}

/* Trailers come when everything was judged long ago. */
static void
a_trailer_is_never_covered(void **state)
{
    struct sf_member input = told_input("(\"@status\" \"expires\";tr)", arena);
    struct buf base = { 0 };
    struct told t;

    (void)state;
    told_read(&t, TEXT("HTTP/1.1 200 OK\nExpires: now"), arena);
    assert_int_equal(signature_base_write(&t.scene, &input, arena, &base),
                     REASON_SIGNATURE_COMPONENT);
    buf_free(&base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_component_of_the_standard_has_the_value_it_prints),
        cmocka_unit_test(every_base_of_the_standard_is_ours),
        cmocka_unit_test(every_base_of_appendix_b_is_ours),
        cmocka_unit_test(
            what_intermediaries_may_change_changes_no_base_and_what_they_may_not_does),
        cmocka_unit_test(what_can_be_read_in_two_ways_or_not_at_all_has_no_base),
        cmocka_unit_test(a_component_stands_once_however_its_parameters_are_ordered),
        cmocka_unit_test(no_byte_beyond_ascii_is_signed),
        cmocka_unit_test(a_trailer_is_never_covered),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

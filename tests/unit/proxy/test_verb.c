/* One line, one question: what is not understood is told, never guessed; and which
 * lines of the log a follower wants. */
#include "proxy/control.h"
#include "proxy/verbs.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum reply
run(void *owner, struct session *s, const struct json *request, struct buf *out)
{
    (void)owner;
    (void)s;
    (void)request;
    (void)out;
    return REPLY_DONE;
}

static const struct verb table[] = {
    { "status", { NULL }, { NULL }, run, { NULL } },
    { "reload", { "wait" }, { "host" }, run, { "most" } },
};

static const char *
read_name(struct text line, struct buf *error, struct json **request)
{
    const struct verb *v = verb_read(table, 2, line, request, error);

    return v != NULL ? v->name : NULL;
}

static void
a_question_is_its_verb_and_its_members(void **state)
{
    struct buf error = { 0 };
    struct json *request;

    (void)state;
    assert_string_equal(
        read_name(TEXT("{\"verb\":\"reload\",\"wait\":true}"), &error, &request),
        "reload");
    assert_true(verb_flag(request, "wait"));
    assert_false(verb_flag(request, "denied"));
    assert_true(text_is_empty(verb_text(request, "host")));
    json_free(request);
    assert_string_equal(
        read_name(TEXT("{\"host\":\"yes\",\"verb\":\"reload\"}\r"), &error, &request),
        "reload");
    assert_false(verb_flag(request, "wait"));
    assert_true(text_equals(verb_text(request, "host"), TEXT("yes")));
    assert_int_equal(verb_number(request, "most", -1), -1);
    json_free(request);
    assert_string_equal(
        read_name(TEXT("{\"most\":7,\"verb\":\"reload\"}"), &error, &request),
        "reload");
    assert_int_equal(verb_number(request, "most", -1), 7);
    json_free(request);
}

static void
anything_else_is_told_what_is_wrong_with_it(void **state)
{
    static const struct {
        const char *line, *told;
    } rows[] = {
        { "", "not one JSON object" },
        { "status", "not one JSON object" },
        { "\"status\"", "not one JSON object" },
        { "[{\"verb\":\"status\"}]", "not one JSON object" },
        { "{\"verb\":\"status\"", "not one JSON object" },
        { "{\"verb\":\"status\"} {}", "not one JSON object" },
        { "{\"verb\":\"status\",\"verb\":\"reload\"}", "not one JSON object" },
        { "{\"verb\":\"sta\\u0000tus\"}", "not one JSON object" },
        { "\xff\xfe\x00", "not one JSON object" },
        { "{}", "\"verb\" is missing" },
        { "{\"verb\":7}", "\"verb\" is missing" },
        { "{\"verb\":\"\"}", "no verb \"\"" },
        { "{\"verb\":\"Status\"}", "no verb \"Status\"" },
        { "{\"verb\":\"stat\"}", "no verb \"stat\"" },
        { "{\"verb\":\"status\",\"wait\":true}", "status takes no \"wait\"" },
        { "{\"verb\":\"reload\",\"wiat\":true}", "reload takes no \"wiat\"" },
        { "{\"verb\":\"reload\",\"wait\":\"true\"}",
          "\"wait\" is neither true nor false" },
        { "{\"verb\":\"reload\",\"host\":7}", "\"host\" is no text" },
        { "{\"verb\":\"reload\",\"most\":\"7\"}", "\"most\" is no number" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf error = { 0 };
        struct json *request;

        assert_null(read_name(text_z(rows[i].line), &error, &request));
        assert_null(request);
        buf_add_byte(&error, '\0');
        if (strstr(buf_text(&error).at, rows[i].told) == NULL)
            fail_msg("%s: %s", rows[i].line, buf_text(&error).at);
        buf_free(&error);
    }
}

static void
a_line_that_is_too_long_is_no_question(void **state)
{
    struct buf line = { 0 }, error = { 0 };
    struct json *request;

    (void)state;
    buf_add_z(&line, "{\"verb\":\"status\"");
    while (buf_length(&line) <= CONTROL_LINE_MAX)
        buf_add_byte(&line, ' ');
    buf_add_byte(&line, '}');
    assert_null(read_name(buf_text(&line), &error, &request));
    buf_free(&line);
    buf_free(&error);
}

/* Whoever adds a verb gives it a name of its own, and members that fit. */
static void
our_own_table_is_one(void **state)
{
    size_t n;
    const struct verb *verbs = holdfast_verbs(&n);

    (void)state;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(verbs[i].run);
        assert_null(verbs[i].flags[VERB_MEMBERS - 1]);
        assert_null(verbs[i].texts[VERB_MEMBERS - 1]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(verbs[i].name, verbs[k].name);
    }
}

/* ---- tail */

#define REQUEST "{\"ts\":\"t\",\"level\":\"info\",\"msg\":\"request\""

static void
a_follower_gets_what_it_asked_for(void **state)
{
    static const char allowed[] = REQUEST
        ",\"to\":\"api.example:443\",\"grant\":\"a\",\"reason\":\"ok\"}";
    static const char refused[] = REQUEST
        ",\"to\":\"api.example:8443\",\"reason\":\"path_not_allowed\"}";
    static const char reload[] = "{\"ts\":\"t\",\"level\":\"error\",\"msg\":\"config "
                                 "rejected\",\"reason\":\"config\"}";
    /* What a workload wrote, as the log escapes it. */
    static const char sly[] = REQUEST ",\"to\":\"evil.example:443\",\"path\":"
                                      "\"/,\\\"grant\\\":\\\"a\\\",\\\"to\\\":"
                                      "\\\"api.example:443\\\",\",\"reason\":\"ok\"}";
    static const struct {
        bool denied;
        const char *grant, *host;
        bool wants[4]; /* allowed, refused, reload, sly */
    } rows[] = {
        { false, "", "", { true, true, true, true } },
        { true, "", "", { false, true, false, false } },
        { false, "a", "", { true, false, false, false } },
        { false, "\"", "", { false, false, false, false } },
        { false, "", "api.example", { true, true, false, false } },
        { false, "", "API.example", { true, true, false, false } },
        { false, "", "api.example:8443", { false, true, false, false } },
        { false, "", "api", { false, false, false, false } },
        { false, "", "evil.example", { false, false, false, true } },
        { true, "a", "api.example", { false, false, false, false } },
    };
    const char *lines[4] = { allowed, refused, reload, sly };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tail t;

        tail_begin(&t, rows[i].denied, text_z(rows[i].grant), text_z(rows[i].host));
        for (size_t k = 0; k < 4; k++)
            if (tail_wants(&t, text_z(lines[k])) != rows[i].wants[k])
                fail_msg("row %zu, line %zu", i, k);
        tail_end(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_its_verb_and_its_members),
        cmocka_unit_test(anything_else_is_told_what_is_wrong_with_it),
        cmocka_unit_test(a_line_that_is_too_long_is_no_question),
        cmocka_unit_test(our_own_table_is_one),
        cmocka_unit_test(a_follower_gets_what_it_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

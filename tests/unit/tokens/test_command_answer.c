/* tokens/command_answer.c: what a program printed, and what is taken of it. */
#include "tokens/command_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIFE_S = 300 };

static enum reason
answer(struct text printed, struct arena *arena, struct oauth_answer *out)
{
    return command_answer(printed, LIFE_S, arena, out);
}

static const struct {
    const char *printed, *secret;
    int64_t lives_s;
} good[] = {
    { "{\"token\": \"abc\"}", "abc", LIFE_S },
    { "{\"secret\": \"abc\"}\n", "abc", LIFE_S },
    { "{\"access_token\": \"abc\", \"token_type\": \"Bearer\"}", "abc", LIFE_S },
    { "{\"token\": \"a b\", \"expires_in\": 60}", "a b", 60 },
    { "{\"token\": \"abc\", \"expires_in\": 1}", "abc", 1 },
    { "{\"token\": \"abc\", \"expires_in\": 9e9}", "abc", OAUTH_LIFE_MAX_S },
    { "{\"token\": \"abc\", \"other\": {\"token\": \"d\"}}", "abc", LIFE_S },
};

static void
a_secret_is_taken_with_its_life(void **state)
{
    struct arena *arena = arena_new();
    struct oauth_answer out;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(answer(text_z(good[i].printed), arena, &out), REASON_OK);
        assert_true(text_equals(out.token, text_z(good[i].secret)));
        assert_int_equal(out.lives_s, good[i].lives_s);
    }
    arena_free(arena);
}

static const char *const bad[] = {
    "",
    "abc",
    "\"abc\"",
    "[\"abc\"]",
    "{}",
    "{\"token\": \"abc\"} and more",
    "{\"token\": \"abc\"",
    "{\"token\": \"\"}",
    "{\"token\": 7}",
    "{\"token\": null}",
    "{\"token\": \"a\", \"token\": \"a\"}",
    "{\"token\": \"a\", \"secret\": \"a\"}",
    "{\"token\": \"a\", \"secret\": null}",
    "{\"Token\": \"abc\"}",
    "{\"token\": \"abc\\r\\nX-Evil: 1\"}",
    "{\"token\": \" abc\"}",
    "{\"token\": \"abc\\n\"}",
    "{\"token\": \"t\\u00f6ken\"}",
    "{\"token\": \"a\\u0000b\"}",
    "{\"token\": \"abc\", \"expires_in\": 0}",
    "{\"token\": \"abc\", \"expires_in\": -5}",
    "{\"token\": \"abc\", \"expires_in\": \"60\"}",
    "{\"token\": \"abc\", \"expires_in\": null}",
    "{\"token\": \"abc\", \"expires_in\": 1e300}",
};

static void
what_is_not_exactly_that_is_none(void **state)
{
    struct arena *arena = arena_new();
    struct oauth_answer out;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (answer(text_z(bad[i]), arena, &out) != REASON_COMMAND_MALFORMED)
            fail_msg("taken: %s", bad[i]);
        assert_true(text_is_empty(out.token));
    }
    arena_free(arena);
}

static enum reason
judge_length(size_t n)
{
    struct arena *arena = arena_new();
    struct buf printed = { 0 };
    struct oauth_answer out;
    enum reason why;

    buf_add_z(&printed, "{\"token\": \"");
    for (size_t i = 0; i < n; i++)
        buf_add_byte(&printed, 'x');
    buf_add_z(&printed, "\"}");
    why = answer(buf_text(&printed), arena, &out);
    buf_free(&printed);
    arena_free(arena);
    return why;
}

static void
a_secret_too_long_to_be_sent_is_none(void **state)
{
    (void)state;
    assert_int_equal(judge_length(COMMAND_SECRET_MAX), REASON_OK);
    assert_int_equal(judge_length(COMMAND_SECRET_MAX + 1), REASON_COMMAND_MALFORMED);
}

static void
the_secret_outlives_what_was_printed(void **state)
{
    char printed[] = "{\"token\": \"abc\"}";
    struct arena *arena = arena_new();
    struct oauth_answer out;

    (void)state;
    assert_int_equal(answer(text_z(printed), arena, &out), REASON_OK);
    memset(printed, 'z', sizeof printed);
    assert_true(text_equals(out.token, TEXT("abc")));
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_taken_with_its_life),
        cmocka_unit_test(what_is_not_exactly_that_is_none),
        cmocka_unit_test(a_secret_too_long_to_be_sent_is_none),
        cmocka_unit_test(the_secret_outlives_what_was_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What issuers have said: asked once, good for its time, bounded. */
#include "proxy/answers.h"

#include "base/buf.h"
#include "certs/key.h"
#include "tokens/jws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NOW = 1000000, MINUTE = 60 * 1000 };

struct stage {
    struct answers *a;
    struct arena *arena;
    struct answered out;
};

static int
stage_open(void **state)
{
    struct stage *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->a = answers_new();
    s->arena = arena_new();
    *state = s;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *s = *state;

    answers_free(s->a);
    arena_free(s->arena);
    free(s);
    return 0;
}

static struct answer_wish
wish_for(unsigned n, int64_t since_ms)
{
    struct answer_wish w = { .since_ms = since_ms, .worker = 3 };

    memcpy(w.key.at, &n, sizeof n);
    return w;
}

static void
look(struct stage *s, const struct answer_wish *w, int64_t now_ms)
{
    answers_look(s->a, w, now_ms, s->arena, &s->out);
    jwks_unref(s->out.keys);
}

static void
assert_asks(const struct stage *s, bool must_ask)
{
    assert_false(s->out.is_here);
    assert_int_equal(s->out.must_ask, must_ask);
}

static void
assert_says(const struct stage *s, const char *says)
{
    assert_true(s->out.is_here);
    assert_int_equal(s->out.why, REASON_OK);
    assert_true(text_equals(s->out.says, text_z(says)));
}

static void
one_asks_and_the_others_wait(void **state)
{
    struct stage *s = *state;
    struct answer_wish w = wish_for(1, NOW);

    look(s, &w, NOW);
    assert_asks(s, true);
    w.worker = 64 + 5;
    look(s, &w, NOW);
    assert_asks(s, false);
    assert_int_equal(answers_put_word(s->a, &w.key, TEXT("yes"), NOW + 1, 5000),
                     1 << 3 | 1 << 5);
    look(s, &w, NOW + 2);
    assert_says(s, "yes");
    assert_false(s->out.must_ask);
}

static void
a_word_holds_for_its_time_and_for_who_waited(void **state)
{
    struct stage *s = *state;
    struct answer_wish w = wish_for(1, NOW);

    look(s, &w, NOW);
    (void)answers_put_word(s->a, &w.key, TEXT("yes"), NOW + 1, 0);
    look(s, &w, NOW + 2); /* though it holds no longer */
    assert_says(s, "yes");
    w.since_ms = NOW + 3;
    look(s, &w, NOW + 3);
    assert_asks(s, true);
}

static void
a_failure_is_told_and_tried_again_after_a_rest(void **state)
{
    struct stage *s = *state;
    struct answer_wish w = wish_for(1, NOW);

    look(s, &w, NOW);
    (void)answers_put_failure(s->a, &w.key, REASON_AS_MALFORMED, NOW + 1);
    w.since_ms = NOW + ANSWER_FAILED_MS;
    look(s, &w, NOW + ANSWER_FAILED_MS);
    assert_true(s->out.is_here);
    assert_int_equal(s->out.why, REASON_AS_MALFORMED);
    w.since_ms = NOW + ANSWER_FAILED_MS + 1;
    look(s, &w, NOW + ANSWER_FAILED_MS + 1);
    assert_asks(s, true);
}

static struct jwks *
keys_new(void)
{
    struct key *k = key_new();
    struct buf set = { 0 };
    struct jwks *keys = NULL;

    buf_add_z(&set, "{\"keys\":[");
    jwk_print(k, "k", &set);
    buf_add_z(&set, "]}");
    assert_int_equal(jwks_parse(buf_text(&set), &keys), REASON_OK);
    buf_free(&set);
    key_free(k);
    return keys;
}

static struct answer_wish
put_keys(struct stage *s, int64_t lives_ms)
{
    struct answer_wish w = wish_for(1, NOW);
    struct jwks *keys = keys_new();

    w.is_keys = true;
    look(s, &w, NOW);
    assert_asks(s, true);
    (void)answers_put_keys(s->a, &w.key, keys, NOW, lives_ms);
    jwks_unref(keys);
    return w;
}

static void
old_keys_serve_while_newer_ones_are_fetched(void **state)
{
    struct stage *s = *state;
    struct answer_wish w = put_keys(s, MINUTE);
    int64_t end_ms = NOW + MINUTE + ANSWER_STALE_MS;

    look(s, &w, NOW + MINUTE - 1);
    assert_true(s->out.is_here && !s->out.must_ask);
    w.since_ms = NOW + MINUTE;
    look(s, &w, NOW + MINUTE);
    assert_true(s->out.is_here && s->out.must_ask && s->out.keys != NULL);
    look(s, &w, NOW + MINUTE);
    assert_true(s->out.is_here && !s->out.must_ask); /* one fetch at a time */
    (void)answers_put_failure(s->a, &w.key, REASON_AS_UNREACHABLE, NOW + MINUTE);
    w.since_ms = end_ms - 1;
    look(s, &w, end_ms - 1);
    assert_true(s->out.is_here && s->out.why == REASON_OK && s->out.must_ask);
    (void)answers_put_failure(s->a, &w.key, REASON_AS_UNREACHABLE, end_ms - 1);
    w.since_ms = end_ms;
    look(s, &w, end_ms); /* and no longer than that */
    assert_true(s->out.is_here);
    assert_int_equal(s->out.why, REASON_AS_UNREACHABLE);
}

static void
a_key_that_is_not_there_leads_to_a_fetch_in_ten_seconds(void **state)
{
    struct stage *s = *state;
    struct answer_wish w = put_keys(s, MINUTE);

    w.wants_newer = true;
    w.since_ms = NOW + ANSWER_REST_MS;
    look(s, &w, w.since_ms);
    assert_true(s->out.is_here && s->out.keys != NULL && !s->out.must_ask);
    w.since_ms = NOW + ANSWER_REST_MS + 1;
    look(s, &w, w.since_ms);
    assert_asks(s, true);
    w.wants_newer = false; /* whose key is known goes on meanwhile */
    look(s, &w, w.since_ms);
    assert_true(s->out.is_here && s->out.keys != NULL);
}

static void
only_so_many_are_asked_for_at_a_time(void **state)
{
    struct stage *s = *state;
    struct answer_wish w;

    for (unsigned i = 0; i < ANSWERS_ASKED_MAX; i++) {
        w = wish_for(i, NOW);
        w.of = i % 8;
        look(s, &w, NOW);
        assert_asks(s, true);
    }
    w = wish_for(ANSWERS_ASKED_MAX, NOW);
    w.of = 9;
    look(s, &w, NOW);
    assert_true(s->out.is_here);
    assert_int_equal(s->out.why, REASON_AS_TIMEOUT);
    (void)answers_put_failure(s->a, &(struct answer_key){ .at = { 1 } },
                              REASON_AS_TIMEOUT, NOW);
    look(s, &w, NOW);
    assert_asks(s, true);
}

static void
who_floods_one_endpoint_keeps_no_other_from_being_asked(void **state)
{
    struct stage *s = *state;
    struct answer_wish w;

    for (unsigned i = 0; i < ANSWERS_ASKED_OF_ONE; i++) {
        w = wish_for(i, NOW);
        w.of = 1;
        look(s, &w, NOW);
        assert_asks(s, true);
    }
    w = wish_for(ANSWERS_ASKED_OF_ONE, NOW);
    w.of = 1;
    look(s, &w, NOW);
    assert_int_equal(s->out.why, REASON_AS_TIMEOUT);
    w.of = 2;
    look(s, &w, NOW);
    assert_asks(s, true);
    w = wish_for(0, NOW); /* the first of them is told: there is room for another */
    (void)answers_put_word(s->a, &w.key, TEXT("no"), NOW, 0);
    w = wish_for(ANSWERS_ASKED_OF_ONE + 1, NOW);
    w.of = 1;
    look(s, &w, NOW);
    assert_asks(s, true);
}

static void
keys_are_asked_for_however_many_words_are(void **state)
{
    struct stage *s = *state;
    struct answer_wish w;

    for (unsigned i = 0; i < ANSWERS_ASKED_MAX; i++) {
        w = wish_for(i + 2, NOW);
        w.of = i % 8;
        look(s, &w, NOW);
    }
    (void)put_keys(s, MINUTE); /* it asks */
    w = wish_for(ANSWERS_ASKED_MAX + 2, NOW);
    look(s, &w, NOW);
    assert_int_equal(s->out.why, REASON_AS_TIMEOUT); /* and made no room */
}

static void
the_oldest_words_make_way_and_keys_stay(void **state)
{
    struct stage *s = *state;
    struct answer_wish keys = put_keys(s, MINUTE), w;

    for (unsigned i = 2; i < ANSWERS_MAX + 100; i++) {
        w = wish_for(i, NOW);
        look(s, &w, NOW);
        (void)answers_put_word(s->a, &w.key, TEXT("yes"), NOW, MINUTE);
    }
    look(s, &w, NOW);
    assert_says(s, "yes");
    look(s, &keys, NOW);
    assert_true(s->out.is_here && s->out.keys != NULL);
    w = wish_for(2, NOW + 1);
    look(s, &w, NOW + 1);
    assert_asks(s, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_asks_and_the_others_wait),
        TEST(a_word_holds_for_its_time_and_for_who_waited),
        TEST(a_failure_is_told_and_tried_again_after_a_rest),
        TEST(old_keys_serve_while_newer_ones_are_fetched),
        TEST(a_key_that_is_not_there_leads_to_a_fetch_in_ten_seconds),
        TEST(only_so_many_are_asked_for_at_a_time),
        TEST(who_floods_one_endpoint_keeps_no_other_from_being_asked),
        TEST(keys_are_asked_for_however_many_words_are),
        TEST(the_oldest_words_make_way_and_keys_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

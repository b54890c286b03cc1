/* tasks/holding.c: which token is used, for how long, and when the next is asked for.
 */
#include "tasks/holding.h"

#include "certs/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct list entry;

static int
begin(void **state)
{
    (void)state;
    list_init(&entry);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    holdings_clear(&entry);
    assert_true(list_is_empty(&entry));
    return 0;
}

static struct token_news
news_of(unsigned char source, enum token_form form, struct dpop_key *key)
{
    struct token_news n = { .name = { .source = { source }, .form = form },
                            .refresh_ms = 600,
                            .until_ms = 900 };

    n.token = token_new(TEXT("abc"), form, key, NULL, 1);
    return n;
}

static void
what_is_not_there_is_asked_for_once(void **state)
{
    const struct token_news n = { .name = { .form = FORM_DPOP } };
    struct holding *h = holding_get(&entry, &n.name, 0);

    (void)state;
    assert_false(holding_is_good(h, 0));
    assert_true(holding_wants_news(h, 0));
    h->asked = true;
    assert_false(holding_wants_news(h, 0));
    assert_ptr_equal(holding_get(&entry, &n.name, 0), h);
    assert_null(holding_find(&entry, &n.name));
}

static void
a_token_is_good_until_its_time_and_asked_for_again_before(void **state)
{
    const struct token_news n = news_of(1, FORM_BEARER, NULL);
    struct holding *h = holding_get(&entry, &n.name, 0);

    (void)state;
    h->asked = true;
    holding_take(h, &n);
    assert_ptr_equal(holding_find(&entry, &n.name), h);
    assert_true(holding_is_good(h, 899) && !holding_is_good(h, 900));
    assert_true(!holding_wants_news(h, 599) && holding_wants_news(h, 600));
}

static void
one_name_is_not_another(void **state)
{
    const struct token_news n = news_of(1, FORM_BEARER, NULL);
    const struct token_name others[] = { { .source = { 2 }, .form = FORM_BEARER },
                                         { .source = { 1 }, .form = FORM_MTLS } };

    (void)state;
    holding_take(holding_get(&entry, &n.name, 0), &n);
    for (size_t i = 0; i < 2; i++)
        assert_null(holding_find(&entry, &others[i]));
}

static void
a_failure_is_told_until_its_time_and_leaves_what_is_good(void **state)
{
    const struct token_news n = news_of(1, FORM_BEARER, NULL);
    const struct token_news failed = { .name = n.name,
                                       .why = REASON_AS_TIMEOUT,
                                       .retry_ms = 700 };
    struct holding *h = holding_get(&entry, &n.name, 0);

    (void)state;
    holding_take(h, &n);
    h->asked = true;
    holding_take(h, &failed);
    assert_true(holding_is_good(h, 650) && holding_is_failing(h, 699));
    assert_false(holding_wants_news(h, 650));
    assert_true(!holding_is_failing(h, 700) && holding_wants_news(h, 700));
}

static void
the_next_token_of_a_key_is_signed_for_by_the_same_signer(void **state)
{
    struct dpop_key *key = dpop_key_new(), *other = dpop_key_new();
    struct token_news n = news_of(1, FORM_DPOP, key);
    struct holding *h = holding_get(&entry, &n.name, 0);
    struct dpop_signer *signer;

    (void)state;
    holding_take(h, &n);
    signer = h->signer;
    assert_non_null(signer);
    assert_true(dpop_learn(signer, TEXT("https://a"), TEXT("nonce")));
    n = news_of(1, FORM_DPOP, key);
    holding_take(h, &n);
    assert_ptr_equal(h->signer, signer);
    n = news_of(1, FORM_DPOP, other);
    holding_take(h, &n);
    assert_int_equal(dpop_nonce(h->signer, TEXT("https://a")).n, 0);
    dpop_key_unref(key);
    dpop_key_unref(other);
}

static void
what_is_long_over_goes_when_another_is_made_unless_somebody_waits(void **state)
{
    const struct token_news n = news_of(1, FORM_BEARER, NULL);
    const struct token_name next = { .source = { 2 }, .form = FORM_BEARER };
    const struct token_name third = { .source = { 3 }, .form = FORM_BEARER };
    int64_t long_after_ms = n.until_ms + 24 * 3600 * 1000;
    struct list waiter = { 0 };

    (void)state;
    holding_take(holding_get(&entry, &n.name, 0), &n);
    (void)holding_get(&entry, &next, n.until_ms + 1);
    assert_non_null(holding_find(&entry, &n.name));
    list_add_last(&holding_get(&entry, &next, 0)->waiting, &waiter);
    (void)holding_get(&entry, &third, long_after_ms);
    assert_null(holding_find(&entry, &n.name));
    assert_int_equal(list_count(&entry), 2);
    assert_true(list_is_linked(&waiter));
    list_remove(&waiter);
}

static void
who_waits_waits_no_more_when_all_of_it_goes(void **state)
{
    const struct token_news n = { .name = { .form = FORM_DPOP } };
    struct list waiter = { 0 };

    (void)state;
    list_add_last(&holding_get(&entry, &n.name, 0)->waiting, &waiter);
    holdings_clear(&entry);
    assert_false(list_is_linked(&waiter));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_there_is_asked_for_once),
        TEST(a_token_is_good_until_its_time_and_asked_for_again_before),
        TEST(one_name_is_not_another),
        TEST(a_failure_is_told_until_its_time_and_leaves_what_is_good),
        TEST(the_next_token_of_a_key_is_signed_for_by_the_same_signer),
        TEST(what_is_long_over_goes_when_another_is_made_unless_somebody_waits),
        TEST(who_waits_waits_no_more_when_all_of_it_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

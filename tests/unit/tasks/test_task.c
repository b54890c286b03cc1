/* One task: its terms, its times, its budget, its end, its keys. */
#include "tasks/task.h"

#include "stage.h"

#include "base/digest.h"
#include "tests/unit/certs/scalar.h"
#include "tokens/presenter.h"

#include <ctype.h>
#include <pthread.h>

static struct task_terms
terms_of(const struct stage *s, int grant)
{
    return (struct task_terms){ .conf = &s->conf,
                                .grant = &s->grants[grant],
                                .purpose = TEXT("export"),
                                .caller = s->grants[grant].caller };
}

static struct task *
make(const struct stage *s, const struct task_terms *terms)
{
    struct task *k;

    assert_int_equal(task_new(s->authority, terms, &k), REASON_OK);
    assert_non_null(k);
    return k;
}

static struct task *
made(const struct stage *s, int grant)
{
    struct task_terms terms = terms_of(s, grant);

    return make(s, &terms);
}

static void
a_task_is_what_its_grant_and_terms_say(void **state)
{
    struct stage *s = *state;
    struct task_terms terms = terms_of(s, REQUIRED);
    int64_t before_ms = clock_monotonic_ms();
    struct task *k;

    terms.ttl_ms = 60000;
    terms.max_requests = 7;
    terms.purpose = TEXT("repair");
    k = make(s, &terms);
    assert_string_equal(task_grant(k), "required");
    assert_string_equal(task_purpose(k), "repair");
    assert_string_equal(task_owner(k), "owner@example");
    assert_string_equal(task_approver(k), "approver@example");
    assert_string_equal(task_workload(k), "spiffe://prod.example/worker");
    assert_int_equal(task_kind(k), TASK_REQUIRED);
    assert_int_equal(task_caller(k)->uid, 1000);
    assert_int_equal(task_ttl_ms(k), 60000);
    assert_int_equal(task_max_requests(k), 7);
    assert_in_range(task_deadline_ms(k), before_ms + 60000,
                    clock_monotonic_ms() + 60000);
    assert_int_equal(task_expires_s(k), task_begun_s(k) + 61); /* not before it ends */
    assert_int_equal(identity_expires(task_identity(k)), task_expires_s(k));
    task_unref(k);
}

static void
nothing_of_the_config_is_needed_once_it_is_begun(void **state)
{
    struct stage *s = *state;
    struct conf_grant *g = malloc(sizeof *g);
    char name[] = "short-lived";
    struct task_terms terms = terms_of(s, REQUIRED);
    const struct task_handle *handles;
    struct task *k;

    *g = s->grants[REQUIRED];
    g->name = name;
    terms.grant = g;
    k = make(s, &terms);
    free(g);
    memset(name, 'x', sizeof name - 1);
    memset(s->credentials, 0, sizeof s->credentials);
    assert_string_equal(task_grant(k), "short-lived");
    assert_int_equal(task_handles(k, &handles), 1);
    assert_string_equal(handles[0].credential, "github");
    task_unref(k);
}

static void
what_the_grant_does_not_give_is_refused(void **state)
{
    static const char long_id[] = "0123456789012345678901234567890123456789abcdefgh";
    static const struct {
        const char *name;
        int64_t ttl_ms, uid, max_requests;
        const char *purpose, *id;
        enum reason why;
    } rows[] = {
        { "as the grant", 0, 1000, 0, "export", "", REASON_OK },
        { "its whole ttl", TTL_S * 1000, 1000, 1, "export", "pod-1", REASON_OK },
        { "a longer ttl", TTL_S * 1000 + 1, 1000, 0, "export", "", REASON_TASK_TERMS },
        { "a ttl before its start", -1, 1000, 0, "export", "", REASON_TASK_TERMS },
        { "a budget below none", 0, 1000, -1, "export", "", REASON_TASK_TERMS },
        { "another caller", 0, 1001, 0, "export", "", REASON_TASK_TERMS },
        { "any caller", 0, -2, 0, "export", "", REASON_TASK_TERMS },
        { "a caller of which nothing is asked", 0, -1, 0, "export", "",
          REASON_TASK_TERMS },
        { "another purpose", 0, 1000, 0, "mining", "", REASON_TASK_PURPOSE },
        { "a part of a purpose", 0, 1000, 0, "exp", "", REASON_TASK_PURPOSE },
        { "none of several purposes", 0, 1000, 0, "", "", REASON_TASK_PURPOSE },
        { "an id that is too long", 0, 1000, 0, "export", long_id, REASON_TASK_TERMS },
        { "an id with a space", 0, 1000, 0, "export", "a b", REASON_TASK_TERMS },
        { "an id with a newline", 0, 1000, 0, "export", "a\n", REASON_TASK_TERMS },
        { "an id with a quote", 0, 1000, 0, "export", "a\"b", REASON_TASK_TERMS },
        { "an id with a backslash", 0, 1000, 0, "export", "a\\b", REASON_TASK_TERMS },
    };
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct task_terms terms = terms_of(s, REQUIRED);
        struct task *k;
        enum reason why;

        terms.ttl_ms = rows[i].ttl_ms;
        terms.max_requests = rows[i].max_requests;
        terms.purpose = text_z(rows[i].purpose);
        terms.id = text_z(rows[i].id);
        terms.caller = (struct conf_caller){ .any = rows[i].uid == -2,
                                             .uid = rows[i].uid };
        if ((why = task_new(s->authority, &terms, &k)) != rows[i].why)
            fail_msg("%s: %s", rows[i].name, reason_token(why));
        assert_int_equal(k != NULL, why == REASON_OK);
        task_unref(k);
    }
}

static void
the_only_purpose_need_not_be_said_and_a_caller_of_anybodys_grant_may_be(void **state)
{
    struct stage *s = *state;
    struct task_terms terms = terms_of(s, STANDING);
    struct task *k;

    terms.purpose = (struct text){ NULL, 0 };
    s->grants[STANDING].caller = (struct conf_caller){ .any = true };
    terms.caller = (struct conf_caller){ .uid = 7 };
    k = make(s, &terms);
    assert_string_equal(task_purpose(k), "export");
    assert_int_equal(task_caller(k)->uid, 7);
    assert_false(task_caller(k)->any);
    task_unref(k);
}

static void
no_task_and_no_token_outlives_its_grant(void **state)
{
    struct stage *s = *state;
    struct task *k;

    s->grants[REQUIRED].expires_at = clock_wall_s() + 60;
    k = made(s, REQUIRED);
    assert_true(task_deadline_ms(k) <= clock_monotonic_ms() + 60000);
    assert_int_equal(task_expires_s(k), s->grants[REQUIRED].expires_at);
    assert_int_equal(task_renew_ms(k), task_deadline_ms(k));
    task_unref(k);
}

static void
an_approval_that_is_over_or_not_there_yet_begins_nothing(void **state)
{
    struct stage *s = *state;
    struct task_terms terms = terms_of(s, REQUIRED);
    struct task *k;

    s->grants[REQUIRED].expires_at = clock_wall_s();
    assert_int_equal(task_new(s->authority, &terms, &k), REASON_GRANT_EXPIRED);
    assert_null(k);
    s->grants[REQUIRED].expires_at += 60;
    s->grants[REQUIRED].approved_at = clock_wall_s() + 30;
    assert_int_equal(task_new(s->authority, &terms, &k), REASON_GRANT_EXPIRED);
    assert_null(k);
}

static void
what_cannot_be_minted_is_no_task(void **state)
{
    struct stage *s = *state;
    struct task_terms terms = terms_of(s, REQUIRED);
    struct task *k;

    authority_fail_issuing(true);
    assert_int_equal(task_new(s->authority, &terms, &k), REASON_MINT_TOKEN);
    assert_null(k);
    authority_fail_issuing(false);
    task_unref(make(s, &terms));
}

static void
an_id_and_a_password_are_128_random_bits_each(void **state)
{
    struct stage *s = *state;
    struct task *a = made(s, REQUIRED), *b = made(s, REQUIRED);
    unsigned char bytes[32];
    struct text id = task_id(a);
    size_t n;

    assert_false(text_equals(task_id(a), task_id(b)));
    assert_false(text_equals(task_password(a), task_password(b)));
    assert_true(text_starts(id, TEXT("t-")));
    assert_true(base64url_decode(text_of(id.at + 2, id.n - 2), bytes, &n));
    assert_int_equal(n, 16);
    assert_true(base64url_decode(task_password(a), bytes, &n));
    assert_int_equal(n, 16);
    task_unref(a);
    task_unref(b);
}

static void
two_tasks_share_neither_key_nor_handle(void **state)
{
    struct stage *s = *state;
    struct task *a = made(s, REQUIRED), *b = made(s, REQUIRED);
    const struct task_handle *of_a, *of_b;

    assert_false(text_equals(identity_thumbprint(task_identity(a)),
                             identity_thumbprint(task_identity(b))));
    assert_int_equal(task_handles(a, &of_a), 1);
    assert_int_equal(task_handles(b, &of_b), 1);
    assert_false(text_equals(of_a[0].value, of_b[0].value));
    task_unref(a);
    task_unref(b);
}

static void
a_required_task_has_a_handle_for_each_credential_with_a_secret(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);
    const struct task_handle *handles;

    assert_int_equal(task_handles(k, &handles), 1);
    assert_string_equal(handles[0].credential, "github");
    assert_string_equal(handles[0].env, "HOLDFAST_GITHUB");
    assert_int_equal(handles[0].value.n, 40);
    assert_true(text_starts(handles[0].value, TEXT("ghp_")));
    for (size_t i = 4; i < 40; i++)
        assert_true(isalnum((unsigned char)handles[0].value.at[i]));
    task_unref(k);
    k = made(s, STANDING);
    assert_int_equal(task_handles(k, &handles), 0);
    task_unref(k);
    k = made(s, POD);
    assert_int_equal(task_handles(k, &handles), 0);
    task_unref(k);
}

static void
a_value_that_the_operator_fixed_is_no_tasks_handle(void **state)
{
    struct stage *s = *state;
    const struct task_handle *handles;
    struct task *k;

    s->credentials[1].handle = (struct conf_handle){ .value = "fixed-for-the-pod",
                                                     .env = "GITHUB_TOKEN" };
    k = made(s, REQUIRED);
    assert_int_equal(task_handles(k, &handles), 1);
    assert_string_equal(handles[0].env, "GITHUB_TOKEN");
    assert_true(text_starts(handles[0].value, TEXT("hf_")));
    assert_int_equal(handles[0].value.n, 35);
    task_unref(k);
}

static void
the_first_cause_ends_it_and_stays(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);

    assert_true(task_is_live(k, clock_monotonic_ms()));
    assert_int_equal(task_cause(k), TASK_LIVE);
    task_end(k, TASK_REVOKED);
    task_end(k, TASK_FINISHED);
    assert_false(task_is_live(k, clock_monotonic_ms()));
    assert_int_equal(task_cause(k), TASK_REVOKED);
    assert_string_equal(task_cause_word(task_cause(k)), "revoked");
    task_unref(k);
}

static void
no_clock_on_the_wall_moves_a_deadline(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);
    int64_t deadline_ms = task_deadline_ms(k);

    for (int64_t shift_s = -10 * TTL_S; shift_s <= 10 * TTL_S; shift_s += 5 * TTL_S) {
        set_clock(shift_s);
        assert_int_equal(task_deadline_ms(k), deadline_ms);
        assert_true(task_is_live(k, deadline_ms - 1));
        assert_false(task_is_live(k, deadline_ms));
    }
    task_unref(k);
}

static void
a_standing_task_is_fresh_until_its_last_tenth_on_either_clock(void **state)
{
    enum { OLD = TTL_S * 1000 * 9 / 10 };
    static const struct {
        int64_t age_ms, wall_s;
        bool fresh;
    } rows[] = {
        { 0, 0, true },
        { OLD - 1, 0, true },
        { OLD, 0, false },
        { TTL_S * 1000, 0, false },
        { 0, -1, false },
        { 0, TTL_S * 9 / 10 - 1, true },
        { 0, TTL_S * 9 / 10, false },
        { 0, 10 * TTL_S, false },
    };
    struct stage *s = *state;
    struct task *k = made(s, STANDING);
    int64_t begun_ms = task_deadline_ms(k) - TTL_S * 1000;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(task_is_fresh(k, begun_ms + rows[i].age_ms,
                                       task_begun_s(k) + rows[i].wall_s),
                         rows[i].fresh);
    assert_int_equal(task_renew_ms(k), begun_ms + OLD);
    task_unref(k);
}

/* ---- its budget */

static void *
spend(void *arg)
{
    struct task *k = arg;
    uintptr_t spent = 0;

    for (int i = 0; i < 1000; i++) {
        bool ok = task_spend(k) == REASON_OK;

        spent += ok;
        task_count(k, ok);
    }
    return (void *)spent;
}

static void
a_budget_is_spent_once_by_all_threads_together(void **state)
{
    struct stage *s = *state;
    struct task_terms terms = terms_of(s, REQUIRED);
    struct task_counts counts;
    uintptr_t spent = 0;
    pthread_t threads[4];
    struct task *k;
    void *one;

    terms.max_requests = 1234;
    k = make(s, &terms);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend, k), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &one), 0);
        spent += (uintptr_t)one;
    }
    assert_int_equal(spent, 1234);
    assert_int_equal(task_spend(k), REASON_TASK_BUDGET);
    task_count_cut(k, 3);
    task_counts(k, &counts);
    assert_int_equal(counts.allowed, 1234);
    assert_int_equal(counts.refused, 4000 - 1234);
    assert_int_equal(counts.cut, 3);
    assert_int_equal(counts.left, 0);
    task_unref(k);
}

static void
a_task_without_a_budget_spends_none(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);
    struct task_counts counts;

    for (int i = 0; i < 100; i++)
        assert_int_equal(task_spend(k), REASON_OK);
    task_counts(k, &counts);
    assert_int_equal(counts.left, -1);
    task_unref(k);
}

/* ---- its keys */

static void
its_key_stands_in_no_memory_when_the_last_has_let_go(void **state)
{
    struct stage *s = *state;
    struct task *k = made(s, REQUIRED);
    struct presenter *worker = presenter_new(task_identity(k));
    unsigned char native[SCALAR_SIZE], signature[KEY_ES256_SIGNATURE_SIZE];

    scalar_of(task_identity(k)->key, native, true);
    assert_int_equal(key_sign(worker->key, TEXT("x"), signature), REASON_OK);
    task_ref(k);
    task_end(k, TASK_FINISHED);
    task_unref(k);
    assert_true(count_in_memory(native) > 0);
    task_unref(k);
    assert_true(count_in_memory(native) > 0); /* a worker still holds it */
    presenter_free(worker);
    assert_int_equal(count_in_memory(native), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_what_its_grant_and_terms_say),
        TEST(nothing_of_the_config_is_needed_once_it_is_begun),
        TEST(what_the_grant_does_not_give_is_refused),
        TEST(the_only_purpose_need_not_be_said_and_a_caller_of_anybodys_grant_may_be),
        TEST(no_task_and_no_token_outlives_its_grant),
        TEST(an_approval_that_is_over_or_not_there_yet_begins_nothing),
        TEST(what_cannot_be_minted_is_no_task),
        TEST(an_id_and_a_password_are_128_random_bits_each),
        TEST(two_tasks_share_neither_key_nor_handle),
        TEST(a_required_task_has_a_handle_for_each_credential_with_a_secret),
        TEST(a_value_that_the_operator_fixed_is_no_tasks_handle),
        TEST(the_first_cause_ends_it_and_stays),
        TEST(no_clock_on_the_wall_moves_a_deadline),
        TEST(a_standing_task_is_fresh_until_its_last_tenth_on_either_clock),
        TEST(a_budget_is_spent_once_by_all_threads_together),
        TEST(a_task_without_a_budget_spends_none),
        TEST(its_key_stands_in_no_memory_when_the_last_has_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* present: what it puts on a request, and when it does not. */
#include "filters/present.h"

#include "authority.h"
#include "base/clock.h"

static const char *const wimse[] = { "wimse" };
static const char *const unheard_of[] = { "carrier-pigeon" };
static const char *const purposes[] = { "export" };

struct stage {
    struct scene s;
    struct authority_scene a;
    struct tasks *tasks;
    void *present;
};

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);
    struct buf report = { 0 };

    assert_non_null(g);
    scene_set(&g->s);
    authority_set(&g->a);
    g->tasks = tasks_new(g->a.key);
    g->s.conf.workload.id = WORKLOAD;
    g->s.view.now_s = clock_wall_s();
    g->s.grant.owner = "owner@example";
    g->s.grant.purposes = (struct strings){ .at = purposes, .n = 1 };
    g->s.grant.expires_at = clock_wall_s() + 3600;
    g->s.grant.ttl_ms = 900000;
    g->s.rule.credential = "orders";
    g->s.rule.bind = (struct strings){ .at = wimse, .n = 1 };
    g->s.view.verified_tls = true;
    g->s.view.tasks = g->tasks;
    headers_add(&g->s.request.headers, TEXT("Accept"), TEXT("*/*"));
    assert_int_equal(present_filter.open(&g->s.conf, NULL, &report, &g->present),
                     REASON_OK);
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    key_fail_signing(false);
    authority_fail_issuing(false);
    present_filter.close(g->present);
    task_unref(g->s.view.task);
    tasks_free(g->tasks);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static enum reason
present(struct stage *g)
{
    struct verdict verdict = present_filter.on_request(g->present, &g->s.view);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    return verdict.reason;
}

static void
a_proof_and_its_evidence_are_left(void **state)
{
    struct stage *g = *state;
    struct headers *h = &g->s.request.headers;

    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(h->n, 3);
    assert_int_equal(headers_count(h, TEXT("Workload-Identity-Token")), 1);
    assert_int_equal(headers_count(h, TEXT("Workload-Proof-Token")), 1);
    assert_string_equal(g->s.view.evidence.binding, "wimse");
    assert_true(g->s.view.evidence.proof_id.n > 0);
    assert_int_equal(g->s.view.thumbprint.n, 43);
    assert_non_null(g->s.view.task);
}

static void
a_rule_without_a_credential_presents_nothing(void **state)
{
    struct stage *g = *state;

    g->s.rule.credential = NULL;
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_null(g->s.view.task);
    assert_int_equal(tasks_count(g->tasks), 0);
}

static void
nothing_is_presented_without_verified_tls(void **state)
{
    struct stage *g = *state;

    g->s.view.verified_tls = false;
    assert_int_equal(present(g), REASON_PLAIN_CREDENTIAL);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
nothing_is_presented_without_a_rule(void **state)
{
    struct stage *g = *state;

    g->s.view.rule = NULL;
    assert_int_equal(present(g), REASON_HOST_NOT_ALLOWED);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
what_cannot_be_minted_signed_or_bound_refuses_the_request(void **state)
{
    struct stage *g = *state;

    authority_fail_issuing(true);
    assert_int_equal(present(g), REASON_MINT_TOKEN);
    authority_fail_issuing(false);
    g->s.rule.bind.at = unheard_of;
    assert_int_equal(present(g), REASON_NO_BINDING);
    g->s.rule.bind.at = wimse;
    key_fail_signing(true);
    assert_int_equal(present(g), REASON_SIGN);
    key_fail_signing(false);
    present_forget(&g->s.view);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 3);
}

static void
an_expired_grant_presents_nothing(void **state)
{
    struct stage *g = *state;

    g->s.grant.expires_at = clock_wall_s();
    assert_int_equal(present(g), REASON_GRANT_EXPIRED);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
a_task_that_ended_meanwhile_presents_nothing(void **state)
{
    const struct conf none = { .workload = { .id = WORKLOAD } };
    struct stage *g = *state;

    assert_int_equal(tasks_take(g->tasks, &g->s.conf, &g->s.grant, &g->s.view.task),
                     REASON_OK);
    tasks_keep_only(g->tasks, &none);
    assert_int_equal(present(g), REASON_TASK_ENDED);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
a_retry_presents_a_new_proof_in_place_of_the_old_one(void **state)
{
    struct stage *g = *state;
    struct text first;

    assert_int_equal(present(g), REASON_OK);
    first = g->s.view.evidence.proof_id;
    present_forget(&g->s.view);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 3);
    assert_false(text_equals(first, g->s.view.evidence.proof_id));
    present_forget(&g->s.view);
    present_forget(&g->s.view);
    assert_int_equal(g->s.request.headers.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proof_and_its_evidence_are_left),
        TEST(a_rule_without_a_credential_presents_nothing),
        TEST(nothing_is_presented_without_verified_tls),
        TEST(nothing_is_presented_without_a_rule),
        TEST(what_cannot_be_minted_signed_or_bound_refuses_the_request),
        TEST(an_expired_grant_presents_nothing),
        TEST(a_task_that_ended_meanwhile_presents_nothing),
        TEST(a_retry_presents_a_new_proof_in_place_of_the_old_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* policy: what it leaves in the view, and what it demands. */
#include "filters/policy.h"

#include "scene.h"

static const char *const get[] = { "GET" };
static const char *const paths[] = { "/v1/**" };

/* One grant of one rule for api.example. */
static void
write_grant(struct scene *s)
{
    s->rule.host = "api.example";
    s->rule.methods = (struct strings){ .at = get, .n = 1 };
    s->rule.paths = (struct strings){ .at = paths, .n = 1 };
    s->grant.expires_at = NOW + 1;
    s->grant.caller.uid = 1000;
    s->grant.rules = (struct groups){ .at = &s->rule, .n = 1 };
    s->conf.grants = (struct groups){ .at = &s->grant, .n = 1 };
    s->view.rule = NULL;
    s->view.grant = NULL;
}

static void *
opened(const struct scene *s)
{
    struct buf report = { 0 };
    void *state;

    assert_int_equal(policy_filter.open(&s->conf, NULL, &report, &state), REASON_OK);
    assert_int_equal(buf_length(&report), 0);
    return state;
}

static enum reason
judge(void *policy, struct scene *s)
{
    assert_int_equal(policy_filter.on_request(policy, &s->view).answer, PASS);
    return policy_demand_filter.on_request(NULL, &s->view).reason;
}

static void
what_a_rule_allows_passes_with_its_grant_and_place(void **state)
{
    struct scene s;
    void *policy;

    (void)state;
    scene_set(&s);
    write_grant(&s);
    policy = opened(&s);
    assert_int_equal(judge(policy, &s), REASON_OK);
    assert_ptr_equal(s.view.rule, &s.rule);
    assert_ptr_equal(s.view.grant, &s.grant);
    assert_int_equal(s.view.rule_place.line, 7);
    assert_null(s.view.notes);
    assert_non_null(policy_grants(policy));
    policy_filter.close(policy);
    scene_clear(&s);
}

static void
what_no_rule_allows_is_denied_with_its_reason_and_the_nearest_rule(void **state)
{
    static const struct {
        const char *host, *scheme, *method, *path;
        uint32_t uid;
        bool known;
        int64_t now_s;
        enum reason why;
    } rows[] = {
        { "other.example", "https", "GET", "/v1", 1000, true, NOW,
          REASON_HOST_NOT_ALLOWED },
        { "api.example:444", "https", "GET", "/v1", 1000, true, NOW,
          REASON_HOST_NOT_ALLOWED },
        { "api.example", "http", "GET", "/v1", 1000, true, NOW,
          REASON_SCHEME_NOT_ALLOWED },
        { "api.example", "https", "PUT", "/v1", 1000, true, NOW,
          REASON_METHOD_NOT_ALLOWED },
        { "api.example", "https", "GET", "/v2", 1000, true, NOW,
          REASON_PATH_NOT_ALLOWED },
        { "api.example", "https", "GET", "/v1", 1001, true, NOW,
          REASON_CALLER_NOT_ALLOWED },
        { "api.example", "https", "GET", "/v1", 1000, false, NOW,
          REASON_CALLER_UNKNOWN },
        { "api.example", "https", "GET", "/v1", 1000, true, NOW + 1,
          REASON_GRANT_EXPIRED },
        { "api.example", "https", "GET", "/v1/a%2Fb", 1000, true, NOW,
          REASON_ENCODED_SLASH },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene s;
        void *policy;
        enum reason why;

        scene_set(&s);
        write_grant(&s);
        policy = opened(&s);
        scene_target(&s, rows[i].host);
        s.view.scheme = text_z(rows[i].scheme);
        s.request.method = text_z(rows[i].method);
        s.view.path = text_z(rows[i].path);
        s.caller = (struct caller){ .has_uid = rows[i].known, .uid = rows[i].uid };
        s.view.now_s = rows[i].now_s;
        why = judge(policy, &s);
        if (why != rows[i].why)
            fail_msg("row %zu: %s", i, reason_token(why));
        assert_int_equal(s.view.rule_place.file != NULL, i > 0);
        policy_filter.close(policy);
        scene_clear(&s);
    }
}

static void
a_websocket_passes_where_its_rule_says_so(void **state)
{
    struct scene s;
    void *policy;

    (void)state;
    scene_set(&s);
    write_grant(&s);
    policy = opened(&s);
    s.request.upgrade = UPGRADE_WEBSOCKET;
    assert_int_equal(judge(policy, &s), REASON_WEBSOCKET_NOT_ALLOWED);
    s.rule.websocket = true;
    assert_int_equal(judge(policy, &s), REASON_OK);
    s.request.upgrade = UPGRADE_NONE;
    assert_int_equal(judge(policy, &s), REASON_OK);
    policy_filter.close(policy);
    scene_clear(&s);
}

static void
without_a_judgement_nothing_passes(void **state)
{
    struct scene s;

    (void)state;
    scene_set(&s);
    s.view.rule = NULL;
    assert_int_equal(policy_demand_filter.on_request(NULL, &s.view).reason,
                     REASON_HOST_NOT_ALLOWED);
    scene_clear(&s);
}

static void
a_bad_policy_does_not_open(void **state)
{
    struct buf report = { 0 };
    struct scene s;
    void *policy;

    (void)state;
    scene_set(&s);
    write_grant(&s);
    s.rule.host = "not a host";
    assert_int_equal(policy_filter.open(&s.conf, NULL, &report, &policy),
                     REASON_CONFIG);
    assert_null(policy);
    assert_true(
        text_starts(buf_text(&report), TEXT("t.conf:7: grants[0].rules[0].host: ")));
    buf_free(&report);
    scene_clear(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_rule_allows_passes_with_its_grant_and_place),
        cmocka_unit_test(
            what_no_rule_allows_is_denied_with_its_reason_and_the_nearest_rule),
        cmocka_unit_test(a_websocket_passes_where_its_rule_says_so),
        cmocka_unit_test(without_a_judgement_nothing_passes),
        cmocka_unit_test(a_bad_policy_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

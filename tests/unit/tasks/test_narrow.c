/* What makes a grant narrower, and what does not. */
#include "tasks/narrow.h"

#include "stage.h"

static enum narrowing
compare(const struct stage *s, const struct conf_grant *was,
        const struct conf_grant *is)
{
    return grant_compare(&s->conf, was, &s->conf, is);
}

/* Each word of a rule alone. */
static void
a_rule_with_another_word_is_another_rule(void **state)
{
    static const char *const other[] = { "other" };
    static const struct cidr range = { .bits = 8 };
    static const struct conf_signature signature = { .label = "sig1" };
    enum { WORDS = 18 };

    for (int i = 0; i < WORDS; i++) {
        struct stage *s = *state;
        struct conf_grant is = s->grants[REQUIRED];
        struct conf_rule rules[3], *r = &rules[1];

        memcpy(rules, s->rules, sizeof rules);
        is.rules.at = rules;
        assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_SAME);
        r->host = i == 0 ? "other.example" : r->host;
        r->port = i == 1 ? 8443 : r->port;
        r->scheme = i == 2 ? SCHEME_HTTP : r->scheme;
        r->methods = i == 3 ? (struct strings){ .any = true } : r->methods;
        r->paths = i == 4 ? (struct strings){ .at = other, .n = 1 } : r->paths;
        r->credential = i == 5 ? NULL : r->credential;
        r->bind = i == 6 ? (struct strings){ .at = other, .n = 1 } : r->bind;
        r->inject = i == 7 ? INJECT_ALWAYS : r->inject;
        r->cookies = i == 8 ? CONF_PASS : r->cookies;
        r->encoded_slashes = i == 9 ? SLASHES_PASS : r->encoded_slashes;
        r->signed_urls = i == 10 ? CONF_PASS : r->signed_urls;
        r->addresses = i == 11 ? (struct cidrs){ .at = &range, .n = 1 } : r->addresses;
        r->upstream_trust = i == 12 ? "/ca.pem" : r->upstream_trust;
        r->http = i == 13 ? CONF_HTTP_2 : r->http;
        r->websocket = i == 14;
        r->own_proof = i == 15 ? CONF_PASS : r->own_proof;
        r->signature = i == 16 ? &signature : r->signature;
        r->opaque = i == 17;
        if (compare(s, &s->grants[REQUIRED], &is) != GRANT_NARROWER)
            fail_msg("word %d", i);
        if (compare(s, &is, &s->grants[REQUIRED]) != GRANT_NARROWER)
            fail_msg("word %d, the other way", i);
        r->purposes = (struct strings){ .at = other, .n = 1 };
        assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_NARROWER);
    }
}

static void
where_a_rule_stands_and_how_it_is_excused_takes_nothing_away(void **state)
{
    struct stage *s = *state;
    struct conf_grant is = s->grants[REQUIRED];
    struct conf_rule rules[4];

    is.rules.at = rules;
    memcpy(rules, s->rules, sizeof s->rules);
    rules[1].place = (struct place){ "other.conf", 77 };
    rules[1].unbound_because = "it takes nothing better";
    assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_SAME);
    rules[0] = s->rules[2];
    rules[1] = s->rules[0];
    rules[2] = s->rules[1];
    assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_CHANGED);
    rules[3] = rules[2];
    rules[2].host = "new.example";
    is.rules.n = 4;
    assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_CHANGED);
    is.rules.n = 3;
    assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_NARROWER);
}

static void
papers_change_a_grant_and_narrow_nothing(void **state)
{
    static const char *const more[] = { "repair", "other", "export" };

    for (int i = 0; i < 7; i++) {
        struct stage *s = *state;
        struct conf_grant is = s->grants[REQUIRED];

        is.approved_by = i == 0 ? "other" : is.approved_by;
        is.ticket = i == 1 ? "T-9" : is.ticket;
        is.approved_at += i == 2;
        is.expires_at += i == 3;
        is.ttl_ms -= i == 4;
        is.drain_ms += i == 5;
        is.purposes = i == 6 ? (struct strings){ .at = more, .n = 3 } : is.purposes;
        assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_CHANGED);
    }
}

static void
who_uses_it_for_what_in_whose_name_narrows_it(void **state)
{
    static const char *const less[] = { "repair" };
    struct stage *s = *state;
    struct conf other = s->conf;

    for (int i = 0; i < 5; i++) {
        struct conf_grant is = s->grants[REQUIRED];

        is.owner = i == 0 ? "other" : is.owner;
        is.caller.uid += i == 1;
        is.caller.any = i == 2;
        is.task = i == 3 ? TASK_POD : is.task;
        is.purposes = i == 4 ? (struct strings){ .at = less, .n = 1 } : is.purposes;
        assert_int_equal(compare(s, &s->grants[REQUIRED], &is), GRANT_NARROWER);
    }
    other.workload.pod = "another";
    assert_int_equal(
        grant_compare(&s->conf, &s->grants[REQUIRED], &other, &s->grants[REQUIRED]),
        GRANT_SAME);
    assert_int_equal(grant_compare(&s->conf, &s->grants[POD], &other, &s->grants[POD]),
                     GRANT_NARROWER);
    other.workload.id = "spiffe://prod.example/other";
    assert_int_equal(
        grant_compare(&s->conf, &s->grants[REQUIRED], &other, &s->grants[REQUIRED]),
        GRANT_NARROWER);
}

/* A quadratic comparison would never come to an end here. */
static void
a_hundred_thousand_rules_are_compared_whatever_their_order(void **state)
{
    enum { N = 100000 };
    struct stage *s = *state;
    struct conf_rule *old = calloc(N, sizeof *old), *new = calloc(N, sizeof *new);
    char(*hosts)[24] = calloc(N, sizeof *hosts);
    struct conf_grant was = s->grants[REQUIRED], is = was;

    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(hosts[i], sizeof hosts[i], "h%u.example", i);
        old[i] = s->rules[0];
        old[i].host = hosts[i];
        new[N - 1 - i] = old[i];
    }
    was.rules = (struct groups){ .at = old, .n = N };
    is.rules = (struct groups){ .at = new, .n = N };
    assert_int_equal(compare(s, &was, &is), GRANT_CHANGED);
    new[N / 2].port = 8443;
    assert_int_equal(compare(s, &was, &is), GRANT_NARROWER);
    free(old);
    free(new);
    free(hosts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rule_with_another_word_is_another_rule),
        TEST(where_a_rule_stands_and_how_it_is_excused_takes_nothing_away),
        TEST(papers_change_a_grant_and_narrow_nothing),
        TEST(who_uses_it_for_what_in_whose_name_narrows_it),
        TEST(a_hundred_thousand_rules_are_compared_whatever_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

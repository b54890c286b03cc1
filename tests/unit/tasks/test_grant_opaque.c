/* Opaque rules: whose TLS passes unopened, and that nothing else fits such a rule. */
#include "tasks/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NOW = 1000, WORKER = 1000, OTHER = 2000 };

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ANY                                                                            \
    {                                                                                  \
        .any = true                                                                    \
    }

static struct conf_rule
opaque(const char *host, unsigned line)
{
    return (
        struct conf_rule){ .place = { "t.conf", line }, .host = host, .opaque = true };
}

static struct conf_rule
opened(const char *host, unsigned line)
{
    return (struct conf_rule){
        .place = { "t.conf", line }, .host = host, .methods = ANY, .paths = ANY
    };
}

struct stage {
    struct conf_rule mine[6], theirs[2], late[1];
    struct conf_grant grants[3];
    struct conf conf;
    struct grants *g;
};

static void
stage_set(struct stage *s)
{
    struct buf report = { 0 };

    memset(s, 0, sizeof *s);
    s->mine[0] = opaque("pinned.test", 1);
    s->mine[1] = opaque("*.wild.test", 2);
    s->mine[2] = opened("read.wild.test", 3);
    s->mine[3] = opened("*.other.test", 4);
    s->mine[4] = opaque("deep.other.test", 5);
    s->mine[5] = opaque("ported.test", 6);
    s->mine[5].port = 8443;
    s->theirs[0] = opened("pinned.test", 10);
    s->theirs[1] = opaque("theirs.test", 11);
    s->late[0] = opaque("late.test", 20);
    s->grants[0] = (struct conf_grant){ .name = "mine",
                                        .expires_at = 2 * NOW,
                                        .caller = { .uid = WORKER },
                                        .rules = { s->mine, COUNT(s->mine) } };
    s->grants[1] = (struct conf_grant){ .name = "theirs",
                                        .expires_at = 2 * NOW,
                                        .caller = { .uid = OTHER },
                                        .rules = { s->theirs, COUNT(s->theirs) } };
    s->grants[2] = (struct conf_grant){ .name = "late",
                                        .expires_at = NOW,
                                        .caller = { .uid = WORKER },
                                        .rules = { s->late, COUNT(s->late) } };
    s->conf.grants.at = s->grants;
    s->conf.grants.n = COUNT(s->grants);
    if (grants_new(&s->conf, &report, &s->g) != REASON_OK)
        fail_msg("%.*s", TEXT_ARG(buf_text(&report)));
    buf_free(&report);
}

static struct authority
authority(const char *at)
{
    struct authority a;

    assert_int_equal(authority_parse(text_z(at), 443, &a), REASON_OK);
    return a;
}

static const struct {
    const char *to;
    uint32_t uid;
    bool passes;
    enum reason unopened, opened; /* of either way of asking */
} rows[] = {
    { "pinned.test", WORKER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "PINNED.test.", WORKER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "pinned.test:444", WORKER, false, REASON_HOST_NOT_ALLOWED,
      REASON_HOST_NOT_ALLOWED },
    { "pinned.test", OTHER, false, REASON_HOST_NOT_ALLOWED, REASON_OK },
    { "pinned.test", 1, false, REASON_CALLER_NOT_ALLOWED, REASON_CALLER_NOT_ALLOWED },
    { "a.wild.test", WORKER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "a.b.wild.test", WORKER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "wild.test", WORKER, false, REASON_HOST_NOT_ALLOWED, REASON_HOST_NOT_ALLOWED },
    { "read.wild.test", WORKER, false, REASON_OK, REASON_OK },
    { "b.other.test", WORKER, false, REASON_HOST_NOT_ALLOWED, REASON_OK },
    { "deep.other.test", WORKER, true, REASON_OK, REASON_OK },
    { "ported.test", WORKER, false, REASON_HOST_NOT_ALLOWED, REASON_HOST_NOT_ALLOWED },
    { "ported.test:8443", WORKER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "theirs.test", OTHER, true, REASON_OK, REASON_OPAQUE_ONLY },
    { "theirs.test", WORKER, false, REASON_CALLER_NOT_ALLOWED,
      REASON_CALLER_NOT_ALLOWED },
    { "late.test", WORKER, false, REASON_GRANT_EXPIRED, REASON_OPAQUE_ONLY },
    { "nowhere.test", WORKER, false, REASON_HOST_NOT_ALLOWED, REASON_HOST_NOT_ALLOWED },
};

static void
of_one_kind_of_rule_comes_what_is_done_with_tls(void **state)
{
    struct stage s;

    (void)state;
    stage_set(&s);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct caller caller = { .has_uid = true, .uid = rows[i].uid };
        struct authority to = authority(rows[i].to);

        if (grants_pass_unopened(s.g, &caller, &to, NOW) != rows[i].passes)
            fail_msg("%s of %u", rows[i].to, rows[i].uid);
    }
    grants_free(s.g);
}

static void
what_is_opened_fits_no_opaque_rule_and_the_other_way_round(void **state)
{
    struct stage s;

    (void)state;
    stage_set(&s);
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        const struct caller caller = { .has_uid = true, .uid = rows[i / 2].uid };
        struct authority to = authority(rows[i / 2].to);
        bool is_opaque = i % 2 == 0;
        const struct ask ask = { .caller = &caller,
                                 .target = &to,
                                 .scheme = TEXT("https"),
                                 .method = is_opaque ? TEXT("CONNECT") : TEXT("GET"),
                                 .path = is_opaque ? TEXT("") : TEXT("/x"),
                                 .opaque = is_opaque,
                                 .now_s = NOW };
        struct decision d;
        enum reason why = grants_judge(s.g, &ask, &d);

        if (why != (is_opaque ? rows[i / 2].unopened : rows[i / 2].opened))
            fail_msg("%s of %u, %s: %s", rows[i / 2].to, rows[i / 2].uid,
                     is_opaque ? "opaque" : "opened", reason_token(why));
        if (why == REASON_OK)
            assert_int_equal(d.rule->opaque, is_opaque);
    }
    grants_free(s.g);
}

static void
plain_http_is_told_that_tls_alone_passes(void **state)
{
    const struct caller caller = { .has_uid = true, .uid = WORKER };
    const char *const to[] = { "pinned.test:443", "pinned.test:80" };
    struct decision d;
    struct stage s;

    (void)state;
    stage_set(&s);
    for (size_t i = 0; i < COUNT(to); i++) {
        struct authority target = authority(to[i]);
        const struct ask ask = { .caller = &caller,
                                 .target = &target,
                                 .scheme = TEXT("http"),
                                 .method = TEXT("GET"),
                                 .path = TEXT("/"),
                                 .now_s = NOW };

        assert_int_equal(grants_judge(s.g, &ask, &d), REASON_OPAQUE_ONLY);
    }
    grants_free(s.g);
}

static void
a_caller_nobody_knows_passes_nowhere(void **state)
{
    const struct caller nobody = { .has_uid = false };
    struct authority to = authority("pinned.test");
    struct stage s;

    (void)state;
    stage_set(&s);
    assert_true(grants_have_opaque(s.g));
    assert_false(grants_pass_unopened(s.g, &nobody, &to, NOW));
    grants_free(s.g);
}

static void
without_such_a_rule_nothing_passes(void **state)
{
    struct conf_rule rule = opened("pinned.test", 1);
    struct conf_grant grant = { .name = "g",
                                .expires_at = 2 * NOW,
                                .caller = { .any = true },
                                .rules = { &rule, 1 } };
    const struct conf conf = { .grants = { &grant, 1 } };
    const struct caller caller = { .has_uid = true, .uid = WORKER };
    struct authority to = authority("pinned.test");
    struct buf report = { 0 };
    struct grants *g;

    (void)state;
    assert_int_equal(grants_new(&conf, &report, &g), REASON_OK);
    assert_false(grants_have_opaque(g));
    assert_false(grants_pass_unopened(g, &caller, &to, NOW));
    grants_free(g);
}

/* Two grants of one rule each, of which the second is opaque, but for what a row says.
 */
static void
a_host_that_is_both_is_an_error_at_load(void **state)
{
    struct {
        const char *host;
        int64_t port, approved_at;
        struct conf_caller caller;
        bool is_opened, fails;
    } table[] = {
        { "a.test", 0, 0, { .uid = WORKER }, false, true },
        { "A.test", 443, 0, { .uid = WORKER }, false, true },
        { "a.test", 0, 0, { .any = true }, false, true },
        { "a.test", 0, 0, { .uid = WORKER }, true, false },
        { "a.test", 444, 0, { .uid = WORKER }, false, false },
        { "a.test", 0, NOW, { .uid = WORKER }, false, false },
        { "a.test", 0, 0, { .uid = OTHER }, false, false },
        { "*.test", 0, 0, { .uid = WORKER }, false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table) * 2; i++) {
        struct conf_rule rule[2] = { opened("a.test", 1),
                                     opaque(table[i / 2].host, 2) };
        bool swapped = i % 2 == 1;
        struct conf_grant grants[2];
        const struct conf conf = { .grants = { grants, 2 } };
        struct buf report = { 0 };
        struct grants *g;
        enum reason why;

        if (table[i / 2].is_opened)
            rule[1] = opened(table[i / 2].host, 2);
        rule[1].port = table[i / 2].port;
        for (size_t k = 0; k < 2; k++)
            grants[swapped ? 1 - k : k] = (struct conf_grant){
                .name = k == 0 ? "first" : "second",
                .approved_at = k == 0 ? 0 : table[i / 2].approved_at,
                .expires_at = k == 0 ? NOW : 2 * NOW,
                .caller = k == 0 ? (struct conf_caller){ .uid = WORKER }
                                 : table[i / 2].caller,
                .rules = { &rule[k], 1 },
            };
        why = grants_new(&conf, &report, &g);
        if (why != (table[i / 2].fails ? REASON_CONFIG : REASON_OK))
            fail_msg("row %zu: %s", i, reason_token(why));
        if (table[i / 2].fails) {
            const char *told = swapped ? "t.conf:1: grants[1].rules[0].opaque: "
                                       : "t.conf:2: grants[1].rules[0].opaque: ";

            assert_true(text_starts(buf_text(&report), text_z(told)));
        }
        buf_free(&report);
        grants_free(g);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_one_kind_of_rule_comes_what_is_done_with_tls),
        cmocka_unit_test(what_is_opened_fits_no_opaque_rule_and_the_other_way_round),
        cmocka_unit_test(plain_http_is_told_that_tls_alone_passes),
        cmocka_unit_test(a_caller_nobody_knows_passes_nowhere),
        cmocka_unit_test(without_such_a_rule_nothing_passes),
        cmocka_unit_test(a_host_that_is_both_is_an_error_at_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

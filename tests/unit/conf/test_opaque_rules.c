/* Opaque rules: what may stand in one, and what whoever writes it is told. */
#include "linted.h"

#define RULE                                                                           \
    "{ host = \"pypi.org\"; methods = [\"HEAD\"]; paths = \"any\"; port = 444; }"

static char *
rule(const char *more)
{
    char text[512];

    snprintf(text, sizeof text, "{ host = \"pinned.test\"; %s }", more);
    return whole_with(RULE, text);
}

static void
of_an_opaque_rule_the_host_is_enough(void **state)
{
    static const char *const good[] = {
        "opaque = true;",
        "opaque = true; port = 8443;",
        "opaque = true; addresses = [\"10.0.0.0/8\"];",
        "opaque = true; purposes = [\"export\"];",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *text = rule(good[i]);
        const struct conf_grant *g = load(text)->grants.at;
        const struct conf_rule *r = (const struct conf_rule *)g->rules.at + 1;

        assert_true(r->opaque && !r->methods.any && r->methods.n == 0);
        assert_true(r->paths.n == 0 && !r->paths.any && r->credential == NULL);
        assert_int_equal(r->port, i == 1 ? 8443 : 0);
        assert_int_equal(r->scheme, SCHEME_HTTPS);
        free(text);
    }
}

static void
what_nobody_sees_is_not_written(void **state)
{
    static const char *const keys[] = {
        "scheme = \"https\"", "http = \"1.1\"",          "methods = [\"GET\"]",
        "paths = \"any\"",    "credential = \"orders\"", "bind = [\"wimse\"]",
        "signature = { }",    "unbound_because = \"x\"", "inject = \"always\"",
        "cookies = \"pass\"", "own_proof = \"pass\"",    "encoded_slashes = \"pass\"",
        "websocket = true",   "signed_urls = \"pass\"",  "upstream_trust = \"/ca\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char more[128], key[64];
        char *text;

        snprintf(more, sizeof more, "opaque = true; %s;", keys[i]);
        snprintf(key, sizeof key, "grants[0].rules[1].%.*s", (int)strcspn(keys[i], " "),
                 keys[i]);
        text = rule(more);
        folder_expect(&folder, text, 33, key, "lets TLS through unread", 1);
        free(text);
    }
}

static void
a_rule_that_is_not_opaque_has_methods_and_paths(void **state)
{
    char *text = rule("opaque = false;");

    (void)state;
    folder_expect(&folder, text, 33, "grants[0].rules[1].methods",
                  "is missing: write methods = ", 2);
    free(text);
}

static void
its_host_is_a_name(void **state)
{
    static const char *const hosts[] = { "\"10.1.2.3\"", "\"[2001:db8::1]\"" };

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char row[64];
        char *text;

        snprintf(row, sizeof row, "{ host = %s; opaque = true; }", hosts[i]);
        text = whole_with(RULE, row);
        folder_expect(&folder, text, 33, "grants[0].rules[1].host",
                      "by the TLS server name", 1);
        free(text);
    }
}

static void
lint_tells_of_it(void **state)
{
    char *text = rule("opaque = true;");

    (void)state;
    assert_non_null(
        strstr(lint(text, 3), "nothing is seen or stripped at pinned.test"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_an_opaque_rule_the_host_is_enough),
        TEST(what_nobody_sees_is_not_written),
        TEST(a_rule_that_is_not_opaque_has_methods_and_paths),
        TEST(its_host_is_a_name),
        TEST(lint_tells_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

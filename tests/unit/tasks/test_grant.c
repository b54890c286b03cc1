/* Grants, judged: tables of requests against small policies, and one large policy
 * against a plain reading of it. */
#include "tasks/grant.h"

#include "tasks/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define WORDS(...)                                                                     \
    {                                                                                  \
        .at = (const char *const[]){ __VA_ARGS__ },                                    \
        .n = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)             \
    }
#define ANY                                                                            \
    {                                                                                  \
        .any = true                                                                    \
    }
#define RULES(r)                                                                       \
    {                                                                                  \
        .at = (r), .n = sizeof(r) / sizeof((r)[0])                                     \
    }

enum { NOW = 1000, WORKER = 1000, OTHER = 2000 };

static struct conf_rule orders_rules[] = {
    { .place = { "t.conf", 10 },
      .host = "orders.example",
      .methods = WORDS("GET", "POST"),
      .paths = WORDS("/v1/orders/**"),
      .credential = "orders" },
    { .place = { "t.conf", 11 },
      .host = "orders.example",
      .methods = WORDS("GET"),
      .paths = WORDS("/v1/orders/special", "/health") },
    { .place = { "t.conf", 12 },
      .host = "*.example",
      .methods = WORDS("GET"),
      .paths = ANY },
    { .place = { "t.conf", 13 },
      .host = "*.deep.example",
      .methods = ANY,
      .paths = WORDS("/a/*/c") },
    { .place = { "t.conf", 14 },
      .host = "plain.test",
      .scheme = SCHEME_HTTP,
      .methods = WORDS("GET"),
      .paths = ANY },
    { .place = { "t.conf", 15 },
      .host = "ports.test",
      .port = 8443,
      .methods = WORDS("GET"),
      .paths = ANY },
    { .place = { "t.conf", 16 },
      .host = "10.1.2.3",
      .methods = WORDS("GET"),
      .paths = ANY },
    { .place = { "t.conf", 17 },
      .host = "[2001:db8::1]",
      .methods = WORDS("GET"),
      .paths = ANY },
    { .place = { "t.conf", 18 },
      .host = "Upper.Test",
      .methods = WORDS("GET"),
      .paths = WORDS("/x", "/y/z") },
};
static struct conf_rule other_rules[] = {
    { .place = { "t.conf", 30 },
      .host = "theirs.test",
      .methods = WORDS("GET"),
      .paths = ANY },
};
static struct conf_rule expired_rules[] = {
    { .place = { "t.conf", 40 },
      .host = "late.test",
      .methods = WORDS("GET"),
      .paths = ANY },
};
static struct conf_rule early_rules[] = {
    { .place = { "t.conf", 50 },
      .host = "early.test",
      .methods = WORDS("GET"),
      .paths = ANY },
};
static struct conf_rule open_rules[] = {
    { .place = { "t.conf", 60 },
      .host = "open.test",
      .methods = WORDS("GET"),
      .paths = ANY },
};
static struct conf_grant standard[] = {
    { .name = "orders",
      .expires_at = 2 * NOW,
      .caller = { .uid = WORKER },
      .rules = RULES(orders_rules) },
    { .name = "other",
      .expires_at = 2 * NOW,
      .caller = { .uid = OTHER },
      .rules = RULES(other_rules) },
    { .name = "expired",
      .expires_at = NOW,
      .caller = { .uid = WORKER },
      .rules = RULES(expired_rules) },
    { .name = "early",
      .approved_at = NOW + 1,
      .expires_at = 2 * NOW,
      .caller = { .uid = WORKER },
      .rules = RULES(early_rules) },
    { .name = "open",
      .approved_at = NOW,
      .expires_at = NOW + 1,
      .caller = { .any = true, .uid = -1 },
      .rules = RULES(open_rules) },
};

static const struct caller worker = { .has_uid = true, .uid = WORKER };
static const struct caller unknown = { .has_uid = false };

static struct grants *
compile(struct conf_grant *at, size_t n)
{
    const struct conf conf = { .grants = { .at = at, .n = n } };
    struct buf report = { 0 };
    struct grants *g = NULL;
    enum reason why = grants_new(&conf, &report, &g);

    if (why != REASON_OK)
        print_message("%.*s", TEXT_ARG(buf_text(&report)));
    assert_int_equal(why, REASON_OK);
    assert_int_equal(buf_length(&report), 0);
    buf_free(&report);
    return g;
}

static enum reason
judge(const struct grants *g, const struct caller *caller, const char *scheme,
      const char *authority, const char *method, const char *path, struct decision *out)
{
    uint16_t port = strcmp(scheme, "http") == 0 ? 80 : 443;
    struct authority target;
    enum reason why = authority_parse(text_z(authority), port, &target);
    const struct ask ask = { .caller = caller,
                             .target = &target,
                             .scheme = text_z(scheme),
                             .method = text_z(method),
                             .path = text_z(path),
                             .now_s = NOW };

    assert_int_equal(why, REASON_OK);
    return grants_judge(g, &ask, out);
}

struct row {
    const char *scheme, *authority, *method, *path;
    enum reason why;
    unsigned line; /* of the rule that decided, or came nearest; 0: none */
};

static void
check(const struct grants *g, const struct caller *caller, const struct row *rows,
      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct decision d;
        enum reason why = judge(g, caller, r->scheme, r->authority, r->method, r->path,
                                &d);
        unsigned line = d.rule == NULL ? 0 : d.rule->place.line;

        if (why != r->why || line != r->line)
            fail_msg("%s %s://%s%s: %s by line %u", r->method, r->scheme, r->authority,
                     r->path, reason_token(why), line);
    }
}

static void
a_request_is_judged_by_the_rule_that_fits(void **state)
{
    static const struct row rows[] = {
        { "https", "orders.example", "GET", "/v1/orders/7", REASON_OK, 10 },
        { "https", "orders.example", "POST", "/v1/orders", REASON_OK, 10 },
        { "https", "orders.example", "GET", "/v1/orders/special", REASON_OK, 11 },
        { "https", "orders.example", "POST", "/v1/orders/special", REASON_OK, 10 },
        { "https", "orders.example", "GET", "/elsewhere", REASON_OK, 12 },
        { "https", "a.example", "GET", "/", REASON_OK, 12 },
        { "https", "b.a.example", "GET", "/", REASON_OK, 12 },
        { "https", "b.deep.example", "DELETE", "/a/b/c", REASON_OK, 13 },
        { "https", "b.deep.example", "GET", "/a/b/c", REASON_OK, 13 },
        { "https", "deep.example", "GET", "/a/b/c", REASON_OK, 12 },
        { "http", "plain.test", "GET", "/", REASON_OK, 14 },
        { "https", "ports.test:8443", "GET", "/", REASON_OK, 15 },
        { "https", "10.1.2.3", "GET", "/", REASON_OK, 16 },
        { "https", "[2001:0db8::0001]", "GET", "/", REASON_OK, 17 },
        { "https", "upper.test", "GET", "/y/z", REASON_OK, 18 },
        { "https", "UPPER.TEST.", "GET", "/x", REASON_OK, 18 },
        { "https", "open.test", "GET", "*", REASON_OK, 60 },
    };
    struct grants *g = compile(standard, 5);

    (void)state;
    check(g, &worker, rows, sizeof rows / sizeof rows[0]);
    grants_free(g);
}

static void
a_request_that_no_rule_fits_is_told_what_it_missed(void **state)
{
    static const struct row rows[] = {
        { "https", "nowhere.test", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "example", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "notexample", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "orders.example.evil.test", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "xplain.test", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "10.1.2.4", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "ports.test", "GET", "/", REASON_HOST_NOT_ALLOWED, 15 },
        { "https", "upper.test:8443", "GET", "/x", REASON_HOST_NOT_ALLOWED, 18 },
        { "http", "upper.test", "GET", "/x", REASON_SCHEME_NOT_ALLOWED, 18 },
        { "http", "upper.test:443", "GET", "/x", REASON_SCHEME_NOT_ALLOWED, 18 },
        { "https", "plain.test", "GET", "/", REASON_SCHEME_NOT_ALLOWED, 14 },
        { "ftp", "upper.test", "GET", "/x", REASON_SCHEME_NOT_ALLOWED, 0 },
        { "https", "theirs.test", "GET", "/", REASON_CALLER_NOT_ALLOWED, 30 },
        { "https", "late.test", "GET", "/", REASON_GRANT_EXPIRED, 40 },
        { "https", "early.test", "GET", "/", REASON_GRANT_EXPIRED, 50 },
        { "https", "upper.test", "POST", "/x", REASON_METHOD_NOT_ALLOWED, 18 },
        { "https", "upper.test", "get", "/x", REASON_METHOD_NOT_ALLOWED, 18 },
        { "https", "upper.test", "BREW", "/x", REASON_METHOD_NOT_ALLOWED, 18 },
        { "https", "upper.test", "GET", "/x/", REASON_PATH_NOT_ALLOWED, 18 },
        { "https", "upper.test", "GET", "/y", REASON_PATH_NOT_ALLOWED, 18 },
        { "https", "upper.test", "GET", "*", REASON_PATH_NOT_ALLOWED, 18 },
        /* Two rules were near: the nearer one speaks. */
        { "https", "orders.example", "POST", "/x", REASON_PATH_NOT_ALLOWED, 10 },
        { "https", "b.deep.example", "POST", "/x", REASON_PATH_NOT_ALLOWED, 13 },
    };
    struct grants *g = compile(standard, 5);

    (void)state;
    check(g, &worker, rows, sizeof rows / sizeof rows[0]);
    grants_free(g);
}

static void
a_caller_whose_uid_is_not_known_gets_only_what_is_for_anyone(void **state)
{
    static const struct row rows[] = {
        { "https", "open.test", "GET", "/", REASON_OK, 60 },
        { "https", "theirs.test", "GET", "/", REASON_CALLER_UNKNOWN, 30 },
        { "https", "orders.example", "GET", "/v1/orders", REASON_CALLER_UNKNOWN, 10 },
        { "https", "nowhere.test", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
    };
    struct grants *g = compile(standard, 5);

    (void)state;
    check(g, &unknown, rows, sizeof rows / sizeof rows[0]);
    grants_free(g);
}

static void
without_grants_nothing_is_allowed(void **state)
{
    static const struct row rows[] = {
        { "https", "orders.example", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
        { "https", "127.0.0.1", "GET", "/", REASON_HOST_NOT_ALLOWED, 0 },
    };
    struct grants *g = compile(NULL, 0);

    (void)state;
    check(g, &worker, rows, sizeof rows / sizeof rows[0]);
    grants_free(g);
}

static void
of_two_equal_rules_the_earlier_one_decides(void **state)
{
    struct conf_rule rules[] = {
        { .place = { "t.conf", 1 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/x/**") },
        { .place = { "t.conf", 2 },
          .host = "a.test",
          .methods = ANY,
          .paths = ANY,
          .credential = "c" },
        { .place = { "t.conf", 3 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/x/*") },
        { .place = { "t.conf", 4 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/x/y"),
          .credential = "d" },
        { .place = { "t.conf", 5 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/x/y", "/x/y") },
    };
    struct conf_grant grants[] = { { .name = "one",
                                     .expires_at = 2 * NOW,
                                     .caller = { .any = true },
                                     .rules = RULES(rules) } };
    static const struct row rows[] = {
        { "https", "a.test", "GET", "/x/z", REASON_OK, 1 },
        { "https", "a.test", "GET", "/x/y", REASON_OK, 4 },
        { "https", "a.test", "GET", "/z", REASON_OK, 2 },
    };
    struct grants *g = compile(grants, 1);

    (void)state;
    check(g, &worker, rows, 3);
    grants_free(g);
}

/* ---- two credentials for one request */

static void
two_credentials_that_meet_in_one_request_refuse_it(void **state)
{
    struct conf_rule first[] = {
        { .place = { "t.conf", 1 },
          .host = "a.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/**"),
          .credential = "one" },
        { .place = { "t.conf", 2 },
          .host = "b.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/**"),
          .credential = "one" },
        { .place = { "t.conf", 3 },
          .host = "c.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/**"),
          .credential = "one" },
    };
    struct conf_rule second[] = {
        { .place = { "t.conf", 4 },
          .host = "*.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/y/**"),
          .credential = "two" },
        { .place = { "t.conf", 5 },
          .host = "b.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/z"),
          .credential = "one" },
        { .place = { "t.conf", 6 },
          .host = "c.test",
          .methods = WORDS("GET"),
          .paths = WORDS("/x/z") },
    };
    struct conf_grant grants[] = {
        { .name = "one",
          .expires_at = 2 * NOW,
          .caller = { .any = true },
          .rules = RULES(first) },
        { .name = "two",
          .expires_at = 2 * NOW,
          .caller = { .any = true },
          .rules = RULES(second) },
    };
    static const struct row rows[] = {
        { "https", "a.test", "GET", "/x/y", REASON_RULES_CONFLICT, 1 },
        { "https", "a.test", "GET", "/x", REASON_OK, 1 },
        { "https", "d.test", "GET", "/x/y/z", REASON_OK, 4 },
        { "https", "b.test", "GET", "/x/z", REASON_OK, 5 }, /* the same credential */
        { "https", "c.test", "GET", "/x/z", REASON_OK, 6 }, /* one names none */
    };
    struct grants *g = compile(grants, 2);

    (void)state;
    check(g, &worker, rows, sizeof rows / sizeof rows[0]);
    grants_free(g);
}

static void
two_credentials_of_one_grant_are_its_own_affair(void **state)
{
    struct conf_rule rules[] = {
        { .place = { "t.conf", 1 },
          .host = "a.test",
          .methods = ANY,
          .paths = ANY,
          .credential = "one" },
        { .place = { "t.conf", 2 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/x"),
          .credential = "two" },
    };
    struct conf_grant grants[] = { { .name = "one",
                                     .expires_at = 2 * NOW,
                                     .caller = { .any = true },
                                     .rules = RULES(rules) } };
    static const struct row rows[] = {
        { "https", "a.test", "GET", "/x", REASON_OK, 2 },
    };
    struct grants *g = compile(grants, 1);

    (void)state;
    check(g, &worker, rows, 1);
    grants_free(g);
}

/* Two grants of one rule each, alike but for what a row changes in the second. */
static void
a_certain_conflict_is_an_error_at_load_and_a_possible_one_is_not(void **state)
{
    const struct conf_rule same = { .place = { "t.conf", 2 },
                                    .host = "a.test",
                                    .methods = WORDS("GET", "PUT"),
                                    .paths = WORDS("/p", "/x/*"),
                                    .credential = "two" };
    struct {
        struct conf_rule rule;
        struct conf_caller caller;
        int64_t approved_at;
        bool fails;
    } rows[9];
    struct conf_rule rule = { .place = { "t.conf", 1 },
                              .host = "A.test",
                              .methods = WORDS("GET", "POST"),
                              .paths = WORDS("/x/*", "/y"),
                              .credential = "one" };
    const char *const put[] = { "PUT" }, *const other[] = { "/x/**" };

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        rows[i].rule = same;
        rows[i].caller = (struct conf_caller){ .uid = WORKER };
        rows[i].approved_at = 0;
        rows[i].fails = false;
    }
    rows[0].fails = true;
    rows[1].rule.methods = (struct strings){ .at = put, .n = 1 };
    rows[2].rule.paths = (struct strings){ .at = other, .n = 1 };
    rows[3].rule.port = 444;
    rows[4].rule.credential = "one";
    rows[5].rule.credential = NULL;
    rows[6].caller.uid = OTHER;
    rows[7].approved_at = NOW; /* when the first has expired */
    rows[8].rule.methods = (struct strings)ANY;
    rows[8].caller.any = true;
    rows[8].fails = true;
    for (size_t i = 0; i < 9; i++) {
        struct conf_grant grants[] = {
            { .name = "first",
              .expires_at = NOW,
              .caller = { .uid = WORKER },
              .rules = { .at = &rule, .n = 1 } },
            { .name = "second",
              .approved_at = rows[i].approved_at,
              .expires_at = 2 * NOW,
              .caller = rows[i].caller,
              .rules = { .at = &rows[i].rule, .n = 1 } },
        };
        const struct conf conf = { .grants = { .at = grants, .n = 2 } };
        struct buf report = { 0 };
        struct grants *g;
        enum reason why = grants_new(&conf, &report, &g);

        if (why != (rows[i].fails ? REASON_CONFIG : REASON_OK))
            fail_msg("row %zu: %s", i, reason_token(why));
        assert_int_equal(buf_length(&report) != 0, rows[i].fails);
        if (rows[i].fails) {
            buf_add_byte(&report, '\0');
            assert_string_equal(buf_text(&report).at,
                                "t.conf:2: grants[1].rules[0].credential: \"two\": "
                                "grant \"first\" names "
                                "\"one\" for the same requests (t.conf:1)\n");
        }
        grants_free(g);
        buf_free(&report);
    }
}

static void
every_bad_pattern_is_reported_where_it_stands(void **state)
{
    struct conf_rule rules[] = {
        { .place = { "t.conf", 1 }, .host = "*", .methods = ANY, .paths = ANY },
        { .place = { "t.conf", 2 }, .host = "a.*.test", .methods = ANY, .paths = ANY },
        { .place = { "t.conf", 3 },
          .host = "*.10.0.0.1",
          .methods = ANY,
          .paths = ANY },
        { .place = { "t.conf", 4 }, .host = "0x7f.1", .methods = ANY, .paths = ANY },
        { .place = { "t.conf", 5 }, .host = "", .methods = ANY, .paths = ANY },
        { .place = { "t.conf", 6 },
          .host = "a.test:443",
          .methods = ANY,
          .paths = ANY },
        { .place = { "t.conf", 7 },
          .host = "a.test",
          .methods = ANY,
          .paths = WORDS("/good", "/**/bad", "bad") },
    };
    struct conf_grant grant = { .name = "g", .rules = RULES(rules) };
    const struct conf conf = { .grants = { .at = &grant, .n = 1 } };
    struct buf report = { 0 };
    struct grants *g;
    struct text rest, line;
    size_t lines = 0;

    (void)state;
    assert_int_equal(grants_new(&conf, &report, &g), REASON_CONFIG);
    assert_null(g);
    for (rest = buf_text(&report); text_split(&rest, '\n', &line) && line.n > 0;
         lines++) {
        char expected[64];
        unsigned n = lines < 6 ? (unsigned)lines : 6;

        (void)snprintf(expected, sizeof expected,
                       "t.conf:%u: grants[0].rules[%u].%s: ", n + 1, n,
                       n < 6 ? "host" : "paths");
        assert_true(text_starts(line, text_z(expected)));
    }
    assert_int_equal(lines, 8);
    buf_free(&report);
}

static void
a_certain_conflict_is_found_among_many_paths_too(void **state)
{
    const char *const paths[] = { "/a", "/b", "/c", "/d", "/e/*", "/f/**",
                                  "/g", "/h", "/i", "/j", "/k" };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct conf_rule rules[] = {
            { .place = { "t.conf", 1 },
              .host = "a.test",
              .methods = ANY,
              .paths = { .at = paths, .n = sizeof paths / sizeof *paths },
              .credential = "one" },
            { .place = { "t.conf", 2 },
              .host = "a.test",
              .methods = ANY,
              .paths = { .at = &paths[i], .n = 1 },
              .credential = "two" },
        };
        struct conf_grant grants[] = {
            { .name = "first",
              .expires_at = NOW,
              .caller = { .any = true },
              .rules = { .at = &rules[0], .n = 1 } },
            { .name = "second",
              .expires_at = NOW,
              .caller = { .any = true },
              .rules = { .at = &rules[1], .n = 1 } },
        };
        const struct conf conf = { .grants = { .at = grants, .n = 2 } };
        struct buf report = { 0 };
        struct grants *g;

        assert_int_equal(grants_new(&conf, &report, &g), REASON_CONFIG);
        assert_int_not_equal(buf_length(&report), 0);
        buf_free(&report);
    }
}

static void
a_policy_with_too_many_methods_is_refused(void **state)
{
    static char words[64][16];
    static const char *at[64];
    struct conf_rule rule = { .place = { "t.conf", 1 },
                              .host = "a.test",
                              .methods = { .at = at, .n = 64 },
                              .paths = ANY };
    struct conf_grant grant = { .name = "g", .rules = { .at = &rule, .n = 1 } };
    const struct conf conf = { .grants = { .at = &grant, .n = 1 } };
    struct buf report = { 0 };
    struct grants *g;

    (void)state;
    for (int i = 0; i < 64; i++) {
        (void)snprintf(words[i], sizeof words[i], "M%d", i);
        at[i] = words[i];
    }
    assert_int_equal(grants_new(&conf, &report, &g), REASON_CONFIG);
    buf_free(&report);
}

/* ---- whether to show a leaf */

static void
a_host_is_named_only_for_its_caller_its_port_and_its_time(void **state)
{
    static const struct {
        const char *authority;
        bool worker, unknown;
    } rows[] = {
        { "orders.example:443", true, false }, { "orders.example:444", false, false },
        { "x.y.example:443", true, false },    { "example:443", false, false },
        { "theirs.test:443", false, false },   { "late.test:443", false, false },
        { "early.test:443", false, false },    { "open.test:443", true, true },
        { "plain.test:80", true, false },      { "plain.test:443", false, false },
        { "10.1.2.3:443", true, false },       { "nowhere.test:443", false, false },
    };
    struct grants *g = compile(standard, 5);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct authority target;

        assert_int_equal(authority_parse(text_z(rows[i].authority), 0, &target),
                         REASON_OK);
        assert_int_equal(grants_name_host(g, &worker, &target, NOW), rows[i].worker);
        assert_int_equal(grants_name_host(g, &unknown, &target, NOW), rows[i].unknown);
    }
    grants_free(g);
}

/* ---- a large policy, read by the trie and read plainly */

static uint32_t seed;

static uint32_t
dice(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static const char *const random_hosts[] = {
    "a.test", "b.test", "c.a.test", "*.test", "*.a.test", "*.c.a.test", "d.c.a.test",
};
static const char *const random_paths[] = {
    "/", "/a", "/a/b", "/*", "/a/*", "/*/b", "/**", "/a/**", "/*/b/**", "/a/b/*", "/a/",
};

static bool
host_fits(const char *pattern, struct text host)
{
    if (pattern[0] != '*')
        return text_equals(text_z(pattern), host);
    return text_ends(host, text_z(pattern + 1));
}

struct plain {
    const struct conf_rule *best;
    unsigned rank;
};

static void
read_rule(struct plain *p, const struct conf_rule *r, struct text path)
{
    for (size_t i = 0; i < r->paths.n; i++) {
        struct text pattern = text_z(r->paths.at[i]);
        unsigned rank;

        if (!pattern_fits(pattern, path))
            continue;
        rank = r->host[0] == '*' ? (unsigned)strlen(r->host) : 1000;
        rank = rank * 2 + pattern_is_literal(pattern);
        if (p->best == NULL || rank > p->rank) {
            p->best = r;
            p->rank = rank;
        }
    }
}

static void
the_trie_says_what_a_plain_reading_says(void **state)
{
    enum { RULES_N = 12, ROUNDS = 300 };
    static const char *const hosts[] = { "a.test",      "b.test",   "c.a.test",
                                         "d.c.a.test",  "x.y.test", "test",
                                         "e.d.c.a.test" };
    static const char *const paths[] = { "/",    "/a",     "/b",      "/a/",
                                         "/a/b", "/c/b",   "/a/b/c",  "/a/b/c/d",
                                         "//b",  "/a%2Fb", "/a/b%2Fc" };

    (void)state;
    for (seed = 1; seed < ROUNDS;) {
        uint32_t round = seed;
        struct conf_rule rules[RULES_N];
        const char *patterns[RULES_N][2];
        struct conf_grant grant = { .name = "g",
                                    .expires_at = 2 * NOW,
                                    .caller = { .any = true },
                                    .rules = { .at = rules, .n = RULES_N } };
        struct grants *g;

        for (size_t i = 0; i < RULES_N; i++) {
            patterns[i][0] = random_paths[dice(11)];
            patterns[i][1] = random_paths[dice(11)];
            rules[i] = (struct conf_rule){
                .place = { "t.conf", 1 },
                .host = random_hosts[dice(round % 2 == 0 ? 7 : 2)],
                .methods = ANY,
                .paths = { .at = patterns[i], .n = 2 }
            };
        }
        g = compile(&grant, 1);
        for (size_t h = 0; h < 7; h++) {
            for (size_t p = 0; p < 11; p++) {
                struct plain plain = { 0 };
                struct decision d;
                enum reason why = judge(g, &worker, "https", hosts[h], "GET", paths[p],
                                        &d);

                for (size_t i = 0; i < RULES_N; i++) {
                    if (host_fits(rules[i].host, text_z(hosts[h])))
                        read_rule(&plain, &rules[i], text_z(paths[p]));
                }
                assert_int_equal(why == REASON_OK, plain.best != NULL);
                if (why == REASON_OK)
                    assert_ptr_equal(d.rule, plain.best);
            }
        }
        grants_free(g);
        seed = round + 1;
    }
}

static void
each_of_a_hundred_thousand_hosts_finds_its_own_rule(void **state)
{
    enum { N = 100000, NAME = 24 };
    char(*names)[NAME] = calloc(N, NAME);
    struct conf_rule *rules = calloc(N, sizeof *rules);
    struct conf_grant grant = { .name = "g",
                                .expires_at = 2 * NOW,
                                .caller = { .any = true },
                                .rules = { .at = rules, .n = N } };
    struct grants *g;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(names[i], NAME, "%sh%u.z%u.test", i % 3 == 0 ? "*." : "", i,
                       i % 7);
        rules[i] = (struct conf_rule){
            .place = { "t.conf", i }, .host = names[i], .methods = ANY, .paths = ANY
        };
    }
    g = compile(&grant, 1);
    for (unsigned i = 0; i < N; i += 997) {
        struct decision d;
        char host[2 * NAME];

        (void)snprintf(host, sizeof host, "%sh%u.z%u.test", i % 3 == 0 ? "x.y." : "", i,
                       i % 7);
        assert_int_equal(judge(g, &worker, "https", host, "GET", "/", &d), REASON_OK);
        assert_int_equal(d.rule->place.line, i);
    }
    grants_free(g);
    free(rules);
    free(names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_judged_by_the_rule_that_fits),
        cmocka_unit_test(a_request_that_no_rule_fits_is_told_what_it_missed),
        cmocka_unit_test(a_caller_whose_uid_is_not_known_gets_only_what_is_for_anyone),
        cmocka_unit_test(without_grants_nothing_is_allowed),
        cmocka_unit_test(of_two_equal_rules_the_earlier_one_decides),
        cmocka_unit_test(two_credentials_that_meet_in_one_request_refuse_it),
        cmocka_unit_test(two_credentials_of_one_grant_are_its_own_affair),
        cmocka_unit_test(
            a_certain_conflict_is_an_error_at_load_and_a_possible_one_is_not),
        cmocka_unit_test(every_bad_pattern_is_reported_where_it_stands),
        cmocka_unit_test(a_certain_conflict_is_found_among_many_paths_too),
        cmocka_unit_test(a_policy_with_too_many_methods_is_refused),
        cmocka_unit_test(a_host_is_named_only_for_its_caller_its_port_and_its_time),
        cmocka_unit_test(the_trie_says_what_a_plain_reading_says),
        cmocka_unit_test(each_of_a_hundred_thousand_hosts_finds_its_own_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* proxy/naming.h: of all names that a request says, one comes, or a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/naming.h"

static const char *const own_names[] = { "https://orders.test",
                                         "https://api.test:8443" };
static const struct conf_door forward = { .kind = DOOR_FORWARD };
static const struct conf_door transparent = { .kind = DOOR_TRANSPARENT };
static const struct conf_door gate = { .kind = DOOR_GATE,
                                       .names = { .at = own_names, .n = 2 } };

/* NULL: not said. */
struct said {
    enum target_form form;
    const char *scheme, *authority, *host;
};

static struct text
text_or_none(const char *z)
{
    return z != NULL ? text_z(z) : text_of(NULL, 0);
}

static enum reason
settle(const struct conf_door *door, const char *tunnel, bool is_tls,
       const struct said *said, char *to)
{
    struct request r = { .form = said->form,
                         .scheme = text_or_none(said->scheme),
                         .authority = text_or_none(said->authority),
                         .host = text_or_none(said->host) };
    struct naming n = { .door = door, .original = "20.0.0.1:8080", .is_tls = is_tls };
    struct authority target = { .port = 0 };
    struct authority_kept *kept = NULL;
    struct text scheme = { NULL, 0 };
    enum reason why;

    if (tunnel != NULL) {
        assert_int_equal(authority_parse(text_z(tunnel), 0, &target), REASON_OK);
        n.tunnel = kept = authority_keep(&target);
    }
    why = naming_settle(&n, &r, &target, &scheme);
    if (why == REASON_OK)
        snprintf(to, 300, "%.*s://%s:%u", TEXT_ARG(scheme), target.host.name,
                 target.port);
    free(kept);
    return why;
}

struct row {
    struct said said;
    enum reason why;
    const char *to;
};

static void
expect(const struct conf_door *door, const char *tunnel, bool is_tls,
       const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char to[300] = "";
        enum reason why = settle(door, tunnel, is_tls, &rows[i].said, to);

        if (why != rows[i].why)
            fail_msg("row %zu: %s", i, reason_token(why));
        if (why == REASON_OK)
            assert_string_equal(to, rows[i].to);
    }
}

#define ROWS(rows) rows, sizeof rows / sizeof *rows

static void
inside_a_tunnel_every_name_is_that_of_connect(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ORIGIN, NULL, NULL, "a.test" }, REASON_OK, "https://a.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, "A.test.:443" },
          REASON_OK,
          "https://a.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, NULL }, REASON_OK, "https://a.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, "b.test" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:8443" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:443" },
          REASON_OK,
          "https://a.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:0443" }, REASON_PORT_MALFORMED, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:65979" }, REASON_PORT_MALFORMED, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:" }, REASON_PORT_MALFORMED, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:443x" }, REASON_PORT_MALFORMED, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.testb" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test.b" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "x@a.test" }, REASON_HOST_MALFORMED, NULL },
        { { TARGET_ABSOLUTE, "https", "a.test", "a.test" },
          REASON_OK,
          "https://a.test:443" },
        { { TARGET_ABSOLUTE, "https", "b.test", "a.test" },
          REASON_NAMES_DISAGREE,
          NULL },
        { { TARGET_ABSOLUTE, "http", "a.test", "a.test" }, REASON_TARGET, NULL },
        /* HTTP/2 */
        { { TARGET_ORIGIN, "https", NULL, "a.test" }, REASON_OK, "https://a.test:443" },
        { { TARGET_ASTERISK, "https", NULL, "a.test" },
          REASON_OK,
          "https://a.test:443" },
        { { TARGET_ORIGIN, "http", NULL, "a.test" }, REASON_TARGET, NULL },
        { { TARGET_ORIGIN, "ftp", NULL, "a.test" }, REASON_TARGET, NULL },
        { { TARGET_ORIGIN, "https", NULL, "b.test" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, "https", NULL, "x@a.test" }, REASON_HOST_MALFORMED, NULL },
    };

    (void)state;
    expect(&forward, "a.test:443", true, ROWS(rows));
}

static void
a_tunnel_in_the_clear_is_http_whatever_its_port(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ORIGIN, NULL, NULL, "a.test:443" }, REASON_OK, "http://a.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, "a.test" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, "http", NULL, "a.test:443" },
          REASON_OK,
          "http://a.test:443" },
        { { TARGET_ORIGIN, "https", NULL, "a.test:443" }, REASON_TARGET, NULL },
    };

    (void)state;
    expect(&forward, "a.test:443", false, ROWS(rows));
}

static void
a_proxy_request_says_http_and_its_target(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ABSOLUTE, "http", "a.test", "a.test" },
          REASON_OK,
          "http://a.test:80" },
        { { TARGET_ABSOLUTE, "http", "a.test:81", NULL },
          REASON_OK,
          "http://a.test:81" },
        { { TARGET_ABSOLUTE, "http", "a.test", "b.test" },
          REASON_NAMES_DISAGREE,
          NULL },
        { { TARGET_ABSOLUTE, "https", "a.test", "a.test" }, REASON_TARGET, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test" }, REASON_TARGET, NULL },
        { { TARGET_ASTERISK, NULL, NULL, "a.test" }, REASON_TARGET, NULL },
        /* HTTP/2 */
        { { TARGET_ORIGIN, "http", NULL, "a.test" }, REASON_OK, "http://a.test:80" },
        { { TARGET_ORIGIN, "http", NULL, "a.test:8080" },
          REASON_OK,
          "http://a.test:8080" },
        { { TARGET_ORIGIN, "https", NULL, "a.test" }, REASON_TARGET, NULL },
        { { TARGET_ORIGIN, "http", NULL, "x@a.test" }, REASON_HOST_MALFORMED, NULL },
        { { TARGET_ORIGIN, "http", NULL, "127.1" }, REASON_HOST_NUMERIC, NULL },
    };

    (void)state;
    expect(&forward, NULL, false, ROWS(rows));
}

static void
at_a_transparent_door_tls_says_the_name_and_the_kernel_the_port(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ORIGIN, NULL, NULL, "a.test:8443" },
          REASON_OK,
          "https://a.test:8443" },
        { { TARGET_ORIGIN, NULL, NULL, "A.test.:8443" },
          REASON_OK,
          "https://a.test:8443" },
        { { TARGET_ORIGIN, NULL, NULL, NULL }, REASON_OK, "https://a.test:8443" },
        { { TARGET_ORIGIN, NULL, NULL, "a.test" }, REASON_PORT_DISAGREES, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "a.test:443" }, REASON_PORT_DISAGREES, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "b.test:8443" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "20.0.0.1:8443" }, REASON_NAMES_DISAGREE, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "x@a.test:8443" }, REASON_HOST_MALFORMED, NULL },
        { { TARGET_ABSOLUTE, "https", "a.test:8443", "a.test:8443" },
          REASON_TARGET,
          NULL },
        /* HTTP/2 */
        { { TARGET_ORIGIN, "https", NULL, "a.test:8443" },
          REASON_OK,
          "https://a.test:8443" },
        { { TARGET_ASTERISK, "https", NULL, "a.test:8443" },
          REASON_OK,
          "https://a.test:8443" },
        { { TARGET_ORIGIN, "http", NULL, "a.test:8443" }, REASON_TARGET, NULL },
    };

    (void)state;
    expect(&transparent, "a.test:8443", true, ROWS(rows));
}

static void
at_a_transparent_door_each_plain_request_says_its_name(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ORIGIN, NULL, NULL, "a.test:8080" },
          REASON_OK,
          "http://a.test:8080" },
        { { TARGET_ORIGIN, NULL, NULL, "20.0.0.1:8080" },
          REASON_OK,
          "http://20.0.0.1:8080" },
        { { TARGET_ORIGIN, NULL, NULL, NULL }, REASON_OK, "http://20.0.0.1:8080" },
        { { TARGET_ORIGIN, NULL, NULL, "a.test" }, REASON_PORT_DISAGREES, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "20.0.0.1" }, REASON_PORT_DISAGREES, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "127.1:8080" }, REASON_HOST_NUMERIC, NULL },
        { { TARGET_ABSOLUTE, "http", "a.test:8080", "a.test:8080" },
          REASON_TARGET,
          NULL },
        { { TARGET_ORIGIN, "http", NULL, "a.test:8080" },
          REASON_OK,
          "http://a.test:8080" },
        { { TARGET_ORIGIN, "https", NULL, "a.test:8080" }, REASON_TARGET, NULL },
    };

    (void)state;
    expect(&transparent, NULL, false, ROWS(rows));
}

static void
a_gate_is_called_by_one_of_its_own_names(void **state)
{
    static const struct row rows[] = {
        { { TARGET_ORIGIN, NULL, NULL, "orders.test" },
          REASON_OK,
          "https://orders.test:443" },
        { { TARGET_ORIGIN, NULL, NULL, "api.test:8443" },
          REASON_OK,
          "https://api.test:8443" },
        { { TARGET_ORIGIN, NULL, NULL, "api.test" }, REASON_NOT_OUR_NAME, NULL },
        { { TARGET_ORIGIN, NULL, NULL, "b.test" }, REASON_NOT_OUR_NAME, NULL },
        { { TARGET_ORIGIN, NULL, NULL, NULL }, REASON_HOST_MISSING, NULL },
        { { TARGET_ABSOLUTE, "https", "orders.test", "orders.test" },
          REASON_TARGET,
          NULL },
        /* HTTP/2 */
        { { TARGET_ORIGIN, "https", NULL, "orders.test" },
          REASON_OK,
          "https://orders.test:443" },
        { { TARGET_ORIGIN, "http", NULL, "orders.test" }, REASON_TARGET, NULL },
        { { TARGET_ORIGIN, "https", NULL, "b.test" }, REASON_NOT_OUR_NAME, NULL },
    };

    (void)state;
    expect(&gate, NULL, true, ROWS(rows));
}

static void
a_tunnel_is_opened_at_a_forward_door_by_who_has_the_connection_alone(void **state)
{
    static const struct {
        const struct conf_door *door;
        const char *authority, *host;
        bool within, is_shared;
        enum reason why;
    } rows[] = {
        { &forward, "a.test:443", "a.test:443", false, false, REASON_OK },
        { &forward, "a.test:443", "a.test", false, false, REASON_OK },
        { &forward, "a.test:443", NULL, false, false, REASON_OK },
        { &forward, "a.test:443", "b.test:443", false, false, REASON_NAMES_DISAGREE },
        { &forward, "a.test", "a.test", false, false, REASON_PORT_MALFORMED },
        { &forward, "a.test:443", "a.test:443", true, false, REASON_TARGET },
        { &forward, "a.test:443", "a.test:443", false, true, REASON_TARGET },
        { &transparent, "a.test:443", "a.test:443", false, false, REASON_TARGET },
        { &gate, "orders.test:443", "orders.test", false, false, REASON_TARGET },
    };
    struct authority_kept *kept;
    struct authority target;

    (void)state;
    assert_int_equal(authority_parse(TEXT("t.test:443"), 0, &target), REASON_OK);
    kept = authority_keep(&target);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request r = { .form = TARGET_AUTHORITY,
                             .authority = text_z(rows[i].authority),
                             .host = text_or_none(rows[i].host) };
        struct naming n = { .door = rows[i].door,
                            .tunnel = rows[i].within ? kept : NULL,
                            .is_shared = rows[i].is_shared };
        enum reason why = naming_settle_tunnel(&n, &r, &target);

        if (why != rows[i].why)
            fail_msg("row %zu: %s", i, reason_token(why));
        if (why == REASON_OK)
            assert_true(target.port == 443 &&
                        text_equals(host_text(&target.host), TEXT("a.test")));
    }
    free(kept);
}

static void
what_passes_unopened_says_its_name_and_hides_none(void **state)
{
    static const struct {
        const char *host;
        bool hides;
        enum reason why;
    } rows[] = {
        { "a.test", false, REASON_OK },
        { "A.Test.", false, REASON_OK },
        { "", false, REASON_SERVER_NAME_MISSING },
        { "b.test", false, REASON_NAMES_DISAGREE },
        { "a.test.b.test", false, REASON_NAMES_DISAGREE },
        { "20.0.0.1", false, REASON_NAMES_DISAGREE },
        { "a.test:443", false, REASON_HOST_MALFORMED },
        { "a_test\n", false, REASON_HOST_MALFORMED },
        { "1.2", false, REASON_HOST_NUMERIC },
        { "a.test", true, REASON_ECH },
        { "", true, REASON_ECH },
    };
    struct authority target;

    (void)state;
    assert_int_equal(authority_parse(TEXT("a.test:443"), 0, &target), REASON_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct request r = { .host = text_z(rows[i].host),
                                   .hides_host = rows[i].hides };
        enum reason why = naming_settle_unopened(&r, &target);

        if (why != rows[i].why)
            fail_msg("row %zu: %s", i, reason_token(why));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inside_a_tunnel_every_name_is_that_of_connect),
        cmocka_unit_test(a_tunnel_in_the_clear_is_http_whatever_its_port),
        cmocka_unit_test(a_proxy_request_says_http_and_its_target),
        cmocka_unit_test(
            at_a_transparent_door_tls_says_the_name_and_the_kernel_the_port),
        cmocka_unit_test(at_a_transparent_door_each_plain_request_says_its_name),
        cmocka_unit_test(a_gate_is_called_by_one_of_its_own_names),
        cmocka_unit_test(
            a_tunnel_is_opened_at_a_forward_door_by_who_has_the_connection_alone),
        cmocka_unit_test(what_passes_unopened_says_its_name_and_hides_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

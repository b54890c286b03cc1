/* base/url.c: what an operator's https URL means. */
#include "base/url.h"
#include "rows.h"

static const struct {
    const char *z;
    enum reason why;
    const char *host;
    uint16_t port;
    const char *path, *query; /* NULL: none */
} rows[] = {
    { "https://w.example/checkpoints", REASON_OK, "w.example", 443, "/checkpoints",
      NULL },
    { "https://W.Example", REASON_OK, "w.example", 443, "/", NULL },
    { "https://w.example/", REASON_OK, "w.example", 443, "/", NULL },
    { "https://w.example:8443/a/b?c=d&e", REASON_OK, "w.example", 8443, "/a/b",
      "c=d&e" },
    { "https://w.example?c", REASON_OK, "w.example", 443, "/", "c" },
    { "https://w.example/a?b?c", REASON_OK, "w.example", 443, "/a", "b?c" },
    { "https://w.example/a?", REASON_OK, "w.example", 443, "/a", "" },
    { "https://192.0.2.7/x", REASON_OK, "192.0.2.7", 443, "/x", NULL },
    { "https://[2001:db8::1]:9/x", REASON_OK, "2001:db8::1", 9, "/x", NULL },
    { "http://w.example/", REASON_TARGET, "", 0, NULL, NULL },
    { "HTTPS://w.example/", REASON_TARGET, "", 0, NULL, NULL },
    { "w.example/", REASON_TARGET, "", 0, NULL, NULL },
    { "", REASON_TARGET, "", 0, NULL, NULL },
    { "https://w.example/#a", REASON_TARGET, "", 0, NULL, NULL },
    { "https://", REASON_HOST_MALFORMED, "", 0, NULL, NULL },
    { "https:///x", REASON_HOST_MALFORMED, "", 0, NULL, NULL },
    { "https://user@w.example/", REASON_HOST_MALFORMED, "", 0, NULL, NULL },
    { "https://user:word@w.example/", REASON_PORT_MALFORMED, "", 0, NULL, NULL },
    { "https://w.example:0/", REASON_PORT_MALFORMED, "", 0, NULL, NULL },
    { "https://w.example:/", REASON_PORT_MALFORMED, "", 0, NULL, NULL },
    { "https://0x7f.1/", REASON_HOST_NUMERIC, "", 0, NULL, NULL },
};

static void
is(struct text t, const char *z)
{
    assert_true((t.at == NULL) == (z == NULL));
    assert_true(text_equals(t, text_z(z)));
}

static void
a_url_is_split_or_refused(void **state)
{
    struct url url;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reason why = url_split(rows[i].z, &url);

        if (why != rows[i].why)
            fail_msg("%s: %s", rows[i].z, reason_token(why));
        assert_string_equal(url.to.host.name, rows[i].host);
        assert_int_equal(url.to.port, rows[i].port);
        is(url.path, rows[i].path);
        is(url.query, rows[i].query);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_split_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* proxy/generation.c: a config with everything made from it, whole or not at all; and
 * what may follow what. */
#include "tests/unit/proxy/house.h"

#include "certs/trust.h"

static void
a_good_config_becomes_a_generation_with_all_its_parts(void **state)
{
    struct generation *g = house_build(7);
    const char *roots = in_scratch("roots.pem");

    (void)state;
    assert_int_equal(generations_alive(), 1);
    assert_int_equal(generation_number(g), 7);
    assert_string_equal(generation_conf(g)->workload.id, "spiffe://prod.example/sa/a");
    assert_non_null(generation_chain(g));
    assert_int_equal(generation_door(g, 0)->kind, DOOR_FORWARD);
    assert_int_equal(generation_door(g, 1)->kind, DOOR_GATE);
    assert_non_null(generation_server(g, 0));
    assert_ptr_not_equal(generation_server(g, 0), generation_server(g, 1));
    assert_non_null(generation_client(g, roots));
    assert_non_null(generation_client(g, in_scratch("ca/ca.pem")));
    assert_null(generation_client(g, NULL)); /* no rule asks for the system's roots */
    generation_ref(g);
    generation_unref(g);
    assert_int_equal(generations_alive(), 1);
    generation_unref(g);
    assert_int_equal(generations_alive(), 0);
    assert_int_equal(trust_count(), 0);
    generation_unref(NULL);
}

/* What cannot be used says so in a line that names the file, and leaves nothing behind
 * (the leak checker looks as well). */
static void
a_part_that_fails_is_told_and_nothing_is_kept(void **state)
{
    static const struct {
        const char *file; /* spoilt; NULL: none */
        const char *from, *to;
        enum reason why;
        const char *says;
    } rows[] = {
        { NULL, "workload =", "wrkload =", REASON_CONFIG, "wrkload" },
        { NULL, "doors = (", "doors = ((", REASON_CONFIG, "main.conf:" },
        { NULL, "{}/roots.pem", "/nowhere/roots.pem", REASON_FILE_UNREADABLE,
          "/nowhere/roots.pem" },
        { "roots.pem", NULL, NULL, REASON_FILE_CONTENT, "roots.pem" },
        { NULL, "upstream_trust = \"{}/ca/ca.pem\"",
          "upstream_trust = \"/nowhere/service.pem\"", REASON_FILE_UNREADABLE,
          "/nowhere/service.pem" },
        { NULL, "{}/ca/ca.key", "/nowhere/gate.key", REASON_FILE_UNREADABLE,
          "/nowhere/gate.key" },
        { "ca/ca.key", NULL, NULL, REASON_FILE_CONTENT, "ca/ca.key" },
        { NULL, "certificate = \"{}/ca/ca.pem\"", "certificate = \"/nowhere/gate.pem\"",
          REASON_FILE_CONTENT, "/nowhere/gate.pem" },
        { NULL, "{}/jwks.json", "/nowhere/jwks.json", REASON_CONFIG,
          "/nowhere/jwks.json" },
        { "jwks.json", NULL, NULL, REASON_CONFIG, "jwks.json" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf report = { 0 };
        struct generation *g;
        enum reason why;

        stage_end(state);
        assert_int_equal(house_begin(state), 0);
        house_write(rows[i].from, rows[i].to);
        if (rows[i].file != NULL)
            write_text(in_scratch(rows[i].file), 0600, "nothing of use\n");
        why = generation_build(in_scratch("main.conf"), 1, &report, &g);
        buf_add_byte(&report, '\0');
        if (why == REASON_OK || strstr(buf_text(&report).at, rows[i].says) == NULL ||
            strchr(buf_text(&report).at, '\n') == NULL)
            fail_msg("row %zu: %s: %s", i, reason_token(why), buf_text(&report).at);
        if (why != rows[i].why)
            fail_msg("row %zu: %s: %s", i, reason_token(why), buf_text(&report).at);
        assert_null(g);
        assert_int_equal(generations_alive(), 0);
        assert_int_equal(trust_count(), 0);
        buf_free(&report);
    }
}

static void
a_config_that_is_not_there_is_told(void **state)
{
    struct buf report = { 0 };
    struct generation *g;

    (void)state;
    assert_int_not_equal(generation_build("/nowhere/main.conf", 1, &report, &g),
                         REASON_OK);
    assert_null(g);
    assert_true(buf_length(&report) > 0);
    assert_int_equal(generations_alive(), 0);
    buf_free(&report);
}

static size_t
count_lines(const struct buf *b)
{
    struct text t = buf_text(b);
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++)
        n += t.at[i] == '\n';
    return n;
}

/* Each difference a line, and its key in it. */
static void
what_a_reload_may_not_change_is_refused_with_its_key(void **state)
{
    static const struct {
        const char *from, *to, *says; /* says NULL: it may follow */
    } rows[] = {
        { NULL, NULL, NULL },
        { "\"GET\"]; paths = \"any\";\n                upstream",
          "\"PUT\"]; paths = \"any\";\n                upstream", NULL },
        { "https://127.0.0.1:8443", "https://127.0.0.1:9443", NULL },
        { "uid = 1000", "uid = 1001", "workload.uid" },
        { "spiffe://prod.example/sa/a", "spiffe://prod.example/sa/b", "workload.id" },
        { "user = \"4321\";\n", "user = \"4322\";\n", "user" },
        { "user = \"4321\";\n", "", "user" },
        { "user = \"4321\";\n", "user = \"4321\"; workers = 2;\n", "workers" },
        { "user = \"4321\";\n", "user = \"4321\"; watch = true;\n", NULL },
        { "user = \"4321\";\n",
          "user = \"4321\"; control = { socket = \"/run/control.sock\"; };\n",
          "control.socket" },
        { "user = \"4321\";\n", "user = \"4321\"; limits = { leaves = 5; };\n",
          "limits.leaves" },
        { "user = \"4321\";\n", "user = \"4321\"; limits = { refusal_leaves = 5; };\n",
          "limits.refusal_leaves" },
        { "{}/keep", "{}/keep\"; valid = \"7d", "ca.valid" },
        { "{}/keep", "{}/other", "ca.keep" },
        { "{}/public", "{}/other", "ca.publish" },
        { "{}/authority", "{}/other", "authority.keep" },
        { "{}/ledger", "{}/other", "ledger.keep" },
        { "keep = \"{}/ledger\"", "off_because = \"none\"", "ledger.keep" },
        { "{}/ledger", "{}/ledger\"; segment = \"1m", "ledger.segment" },
        { "{}/ledger", "{}/ledger\"; durable = \"decision", NULL },
        { "user = \"4321\";\n", "user = \"4321\"; limits = { ledger_queue = 5; };\n",
          "limits.ledger_queue" },
        { "user = \"4321\";\n",
          "user = \"4321\"; limits = { ledger_queue_bytes = \"1m\"; };\n",
          "limits.ledger_queue_bytes" },
        { "127.0.0.1:15001", "127.0.0.1:15009", "doors" },
        { "127.0.0.1:15002", "127.0.0.2:15002", "doors" },
        { "{ kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n",
          "{ kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n"
          "{ kind = \"forward\"; listen = \"127.0.0.1:15003\"; },\n",
          "doors" },
    };
    struct generation *now = house_build(1);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf report = { 0 };
        struct generation *next;
        bool may;

        house_write(rows[i].from, rows[i].to);
        next = house_build(2);
        may = generation_may_follow(next, now, &report);
        buf_add_byte(&report, '\0');
        if (may != (rows[i].says == NULL) || count_lines(&report) != !may ||
            (!may && strstr(buf_text(&report).at, rows[i].says) == NULL))
            fail_msg("row %zu: %s", i, buf_text(&report).at);
        buf_free(&report);
        generation_unref(next);
    }
    generation_unref(now);
}

static void
a_root_that_was_taken_out_is_out_after_the_next_build(void **state)
{
    struct generation *old = house_build(1), *new;
    struct ca *other;

    (void)state;
    assert_int_equal(ca_open(in_scratch("other"), INT64_C(86400) * 1000, &other),
                     REASON_OK);
    ca_free(other);
    copy_file("other/ca.pem", "roots.pem");
    new = house_build(2);
    assert_int_equal(trust_count(),
                     2); /* old, which the gate still asks for, and new */
    assert_int_equal(generations_alive(), 2);
    generation_unref(old);
    assert_int_equal(generations_alive(), 1);
    generation_unref(new);
    assert_int_equal(trust_count(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_good_config_becomes_a_generation_with_all_its_parts),
        HOUSE_TEST(a_part_that_fails_is_told_and_nothing_is_kept),
        HOUSE_TEST(a_config_that_is_not_there_is_told),
        HOUSE_TEST(what_a_reload_may_not_change_is_refused_with_its_key),
        HOUSE_TEST(a_root_that_was_taken_out_is_out_after_the_next_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* proxy/secrets.c: the vault follows its files, away from the loop, and the handles
 * stand where the workload finds them. */
#include "tests/unit/proxy/house.h"

#include "proxy/secrets.h"

static const char with_secret[] =
    "credentials = { github = { owner = \"a@example\"; approved_by = \"b@example\";\n"
    "  ticket = \"SEC-2\"; rotate_every = \"30d\"; privileges = \"read\";\n"
    "  source = { kind = \"file\"; path = \"{}/github\"; }; }; };\n"
    "grants = ( { name = \"nightly\"; owner = \"a@example\"; approved_by = "
    "\"b@example\";\n"
    "  ticket = \"SEC-1\"; approved_at = \"2026-01-01\"; expires_at = \"2099-01-01\";\n"
    "  purposes = [\"export\"]; task = \"standing\"; ttl = \"15m\"; caller = \"any\";\n"
    "  rules = ( { host = \"api.example\"; methods = [\"GET\"]; paths = \"any\";\n"
    "              credential = \"github\"; bind = [\"bearer\"];\n"
    "              unbound_because = \"it takes nothing else\";\n"
    "              upstream_trust = \"{}/roots.pem\"; } ); } );\n";

static struct secrets *secrets;
static struct {
    unsigned times;
    enum reason why;
    uint64_t number;
    char secret[64]; /* empty: none to be had */
} told;

static void
on_read(void *owner, const struct secrets_told *t)
{
    const struct conf_credential *c = generation_conf(t->generation)->credentials.at;
    const struct secret *s;

    assert_ptr_equal(owner, &told);
    told.times++;
    told.why = t->why;
    told.number = generation_number(t->generation);
    told.secret[0] = '\0';
    if (vault_find(t->vault, c, &s) == REASON_OK)
        (void)snprintf(told.secret, sizeof told.secret, "%.*s",
                       TEXT_ARG(secret_reveal(s)));
}

static int
begin(void **state)
{
    if (house_begin(state) != 0)
        return -1;
    house_write(strstr(house_config, "grants = ("), with_secret);
    write_text(in_scratch("github"), 0400, "one\n");
    assert_int_equal(mkdir(in_scratch("public"), 0755), 0);
    memset(&told, 0, sizeof told);
    secrets = secrets_new(loop_base(loop), NULL, on_read, &told);
    return 0;
}

static int
end(void **state)
{
    assert_int_equal(generations_alive(), 0);
    return stage_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static struct generation *
build(uint64_t number, const struct generation *before)
{
    struct generation *g = house_build(number);
    struct buf report = { 0 };

    assert_int_equal(generation_make_handles(g, before, &report), REASON_OK);
    return g;
}

static void
what_is_followed_is_published_and_read_and_told_once(void **state)
{
    struct generation *g = build(1, NULL);

    (void)state;
    secrets_follow(secrets, g, false);
    assert_int_equal(told.times, 0);
    UNTIL(told.times > 0);
    assert_int_equal(told.why, REASON_OK);
    assert_int_equal(told.number, 1);
    assert_string_equal(told.secret, "one");
    assert_true(file_says(in_scratch("public/handles.env"), "HOLDFAST_GITHUB=hf_"));
    settle();
    assert_int_equal(told.times, 1);
    secrets_free(secrets);
    generation_unref(g);
}

static void
every_change_of_a_file_is_told_with_the_secret_as_it_is_now(void **state)
{
    struct generation *g = build(1, NULL);

    (void)state;
    secrets_follow(secrets, g, false);
    UNTIL(strcmp(told.secret, "one") == 0);
    write_text(in_scratch("github"), 0400, "two\n");
    UNTIL(strcmp(told.secret, "two") == 0);
    assert_int_equal(unlink(in_scratch("github")), 0);
    UNTIL(told.secret[0] == '\0');
    assert_int_equal(told.why, REASON_OK);
    write_text(in_scratch("github"), 0400, "three\n");
    UNTIL(strcmp(told.secret, "three") == 0);
    assert_false(log_says("three"));
    secrets_free(secrets);
    generation_unref(g);
}

/* The first is followed no more before anything of it could be told. */
static void
what_is_followed_no_more_is_not_told(void **state)
{
    struct generation *g = build(1, NULL), *next;

    (void)state;
    secrets_follow(secrets, g, false);
    next = build(2, g);
    secrets_follow(secrets, next, false);
    generation_unref(g);
    UNTIL(told.times > 0);
    assert_int_equal(told.number, 2);
    UNTIL(generations_alive() == 1);
    secrets_free(secrets);
    generation_unref(next);
}

static void
handles_that_cannot_be_published_are_told_as_that(void **state)
{
    struct generation *g = build(1, NULL);

    (void)state;
    assert_int_equal(rmdir(in_scratch("public")), 0);
    assert_int_equal(secrets_publish(g), REASON_FILE_UNREADABLE);
    secrets_follow(secrets, g, false);
    UNTIL(told.times > 0);
    assert_int_equal(told.why, REASON_FILE_UNREADABLE);
    assert_string_equal(told.secret, "one");
    secrets_free(secrets);
    generation_unref(g);
}

static void
without_a_thread_it_is_logged_and_tried_again(void **state)
{
    struct generation *g = build(1, NULL);

    (void)state;
    threads_fail(true);
    secrets_follow(secrets, g, false);
    threads_fail(false);
    assert_true(log_says("secrets are not read"));
    UNTIL(told.times > 0);
    assert_string_equal(told.secret, "one");
    secrets_free(secrets);
    generation_unref(g);
}

static void
it_may_end_while_it_reads(void **state)
{
    struct generation *g = build(1, NULL);

    (void)state;
    secrets_follow(secrets, g, false);
    generation_unref(g);
    secrets_free(secrets);
    secrets_free(NULL);
    settle();
    assert_int_equal(told.times, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_followed_is_published_and_read_and_told_once),
        TEST(every_change_of_a_file_is_told_with_the_secret_as_it_is_now),
        TEST(what_is_followed_no_more_is_not_told),
        TEST(handles_that_cannot_be_published_are_told_as_that),
        TEST(without_a_thread_it_is_logged_and_tried_again),
        TEST(it_may_end_while_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

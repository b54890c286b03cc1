/* tasks/grant.c, asked who may know a name's addresses, and by which rules. */
#include "tasks/grant.h"

#include "stage.h"

#include "tasks/roll.h"

enum { MINE = 1000, THEIRS = 2000, STRANGER = 3000 };

static const char *const purposes[] = { "export" };

static struct conf_rule plain_rules[] = {
    { .host = "*.example", .place = { "t.conf", 1 } },
    { .host = "a.example", .place = { "t.conf", 2 } },
    { .host = "a.example", .port = 8443, .place = { "t.conf", 3 } },
    { .host = "20.0.0.10", .place = { "t.conf", 4 } },
    { .host = "plain.test", .scheme = SCHEME_HTTP, .place = { "t.conf", 5 } },
};
static struct conf_rule their_rules[] = {
    { .host = "theirs.test", .place = { "t.conf", 10 } },
    { .host = "a.example", .place = { "t.conf", 11 } },
};
static struct conf_rule late_rules[] = { { .host = "late.test" } };
static struct conf_rule task_rules[] = { { .host = "task.test" } };
static struct conf_rule open_rules[] = { { .host = "open.test" } };

static struct conf_grant grants[] = {
    { .name = "plain",
      .caller = { .uid = MINE },
      .rules = { .at = plain_rules, .n = 5 } },
    { .name = "theirs",
      .caller = { .uid = THEIRS },
      .rules = { .at = their_rules, .n = 2 } },
    { .name = "late",
      .caller = { .uid = MINE },
      .rules = { .at = late_rules, .n = 1 } },
    { .name = "task",
      .caller = { .uid = MINE },
      .rules = { .at = task_rules, .n = 1 } },
    { .name = "open",
      .caller = { .any = true, .uid = -1 },
      .rules = { .at = open_rules, .n = 1 } },
};
enum { N_GRANTS = sizeof grants / sizeof *grants, LATE = 2, TASK = 3 };

static struct conf conf;
static struct stage *stage;
static struct grants *compiled;
static struct roll *roll;
static struct task *started[N_GRANTS];

static struct task *
start(const struct conf_grant *grant)
{
    const struct task_terms terms = { .conf = &conf,
                                      .grant = grant,
                                      .purpose = TEXT("export"),
                                      .caller = grant->caller };
    struct task *k;

    assert_int_equal(task_new(stage->authority, &terms, &k), REASON_OK);
    (void)roll_begin(roll, k);
    return k;
}

static void
stop(struct task *k)
{
    entry_unref(roll_end(roll, k));
    task_unref(k);
}

static int
begin(void **state)
{
    struct buf report = { 0 };
    int64_t now_s = clock_wall_s();

    if (stage_open(state) != 0)
        return -1;
    stage = *state;
    conf = stage->conf;
    conf.grants = (struct groups){ .at = grants, .n = N_GRANTS };
    for (size_t i = 0; i < N_GRANTS; i++) {
        struct conf_rule *r = (struct conf_rule *)(uintptr_t)grants[i].rules.at;

        grants[i].task = TASK_REQUIRED;
        grants[i].owner = "a@example";
        grants[i].approved_by = "b@example";
        grants[i].purposes = (struct strings){ .at = purposes, .n = 1 };
        grants[i].ttl_ms = 900000;
        grants[i].expires_at = i == LATE ? now_s - 1 : now_s + 3600;
        for (size_t j = 0; j < grants[i].rules.n; j++)
            r[j].methods.any = r[j].paths.any = true;
    }
    roll = roll_new();
    for (size_t i = 0; i < N_GRANTS; i++)
        started[i] = i == TASK || i == LATE ? NULL : start(&grants[i]);
    return grants_new(&conf, &report, &compiled) == REASON_OK ? 0 : -1;
}

static int
end(void **state)
{
    for (size_t i = 0; i < N_GRANTS; i++)
        if (started[i] != NULL)
            stop(started[i]);
    grants_free(compiled);
    roll_free(roll);
    return stage_close(state);
}

/* Which rules were asked, by their lines; and which of them says yes. */
struct heard {
    char asked[64];
    unsigned yes;
};

static enum reason
hear(void *of, const struct conf_grant *g, const struct conf_rule *r)
{
    struct heard *h = of;
    size_t n = strlen(h->asked);

    assert_non_null(g);
    snprintf(h->asked + n, sizeof h->asked - n, "%u ", r->place.line);
    return r->place.line == h->yes ? REASON_OK : REASON_ADDRESS_PROHIBITED;
}

static enum reason
ask_name(const char *name, int64_t uid, struct heard *h)
{
    struct caller who = { .has_uid = uid >= 0, .uid = (uint32_t)uid };
    struct host host;
    const struct name_ask ask = { .host = &host,
                                  .caller = &who,
                                  .now_s = clock_wall_s(),
                                  .roll = roll,
                                  .now_ms = clock_monotonic_ms() };

    assert_int_equal(host_parse(text_z(name), &host), REASON_OK);
    return grants_ask_name(compiled, &ask, hear, h);
}

static void
rules_of_the_name_are_asked_whatever_their_port_the_most_specific_first(void **state)
{
    struct heard h = { .yes = 0 };

    (void)state;
    assert_int_equal(ask_name("a.example", MINE, &h), REASON_ADDRESS_PROHIBITED);
    assert_string_equal(h.asked, "2 3 1 ");
    h = (struct heard){ .yes = 3 };
    assert_int_equal(ask_name("a.example", MINE, &h), REASON_OK);
    assert_string_equal(h.asked, "2 3 ");
    h = (struct heard){ .yes = 5 };
    assert_int_equal(ask_name("plain.test", MINE, &h), REASON_OK);
    h = (struct heard){ .yes = 1 };
    assert_int_equal(ask_name("b.example", MINE, &h), REASON_OK);
}

static void
what_is_missed_most_nearly_is_told(void **state)
{
    static const struct {
        const char *name;
        int64_t uid;
        enum reason why;
    } rows[] = {
        { "other.test", MINE, REASON_HOST_NOT_ALLOWED },
        { "example", MINE, REASON_HOST_NOT_ALLOWED },
        { "20.0.0.10", MINE, REASON_HOST_NOT_ALLOWED },
        { "theirs.test", MINE, REASON_CALLER_NOT_ALLOWED },
        { "late.test", MINE, REASON_GRANT_EXPIRED },
        { "late.test", STRANGER, REASON_CALLER_NOT_ALLOWED },
        { "task.test", MINE, REASON_TASK_REQUIRED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct heard h = { .yes = 0 };

        if (ask_name(rows[i].name, rows[i].uid, &h) != rows[i].why || *h.asked != '\0')
            fail_msg("%s: %s", rows[i].name, h.asked);
    }
}

static void
a_grant_is_as_live_as_its_task(void **state)
{
    struct heard h = { .yes = 0 };
    struct task *k = start(&grants[TASK]), *another = start(&grants[TASK]);

    (void)state;
    assert_int_equal(ask_name("task.test", MINE, &h), REASON_OK);
    stop(another);
    assert_int_equal(ask_name("task.test", -1, &h), REASON_OK);
    stop(k);
    assert_int_equal(ask_name("task.test", MINE, &h), REASON_TASK_REQUIRED);
}

static void
who_is_not_known_may_be_anybody(void **state)
{
    struct heard h = { .yes = 0 };

    (void)state;
    assert_int_equal(ask_name("a.example", -1, &h), REASON_ADDRESS_PROHIBITED);
    assert_string_equal(h.asked, "2 3 11 1 ");
    h = (struct heard){ .yes = 10 };
    assert_int_equal(ask_name("theirs.test", -1, &h), REASON_OK);
    h = (struct heard){ .yes = 0 };
    assert_int_equal(ask_name("open.test", STRANGER, &h), REASON_OK);
    assert_int_equal(ask_name("other.test", -1, &h), REASON_HOST_NOT_ALLOWED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            rules_of_the_name_are_asked_whatever_their_port_the_most_specific_first),
        cmocka_unit_test(what_is_missed_most_nearly_is_told),
        cmocka_unit_test(a_grant_is_as_live_as_its_task),
        cmocka_unit_test(who_is_not_known_may_be_anybody),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

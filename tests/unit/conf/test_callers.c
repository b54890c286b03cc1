/* Callers and the doors that tell them apart: what is taken, and how a slip is told. */
#include "linted.h"

#define DOOR   "doors[0]"
#define GATE   "doors[1]"
#define CALLER "grants[0].caller"
#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD    "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"

/* The config with a forward door called "agent". */
static char *
named(const char *from, const char *to)
{
    char *text = spoil(whole_config, "\"127.0.0.1:15001\";",
                       "\"127.0.0.1:15001\"; name = \"agent\";");
    char *spoilt = spoil(text, from, to);

    free(text);
    return spoilt;
}

/* The place of the forward door. */
#define FORWARD "kind = \"forward\"; listen = \"127.0.0.1:15001\"; name = \"agent\";"
#define UNIX    "kind = \"unix\"; path = \"/run/holdfast/agent.sock\";"

static const struct {
    const char *from, *to;
    unsigned line;
    const char *key, *fragment;
} rows[] = {
    /* doors */
    { "listen = \"127.0.0.1:15001\";", "", 5, DOOR ".listen",
      "write listen = \"127.0.0.1:15001\" or" },
    { FORWARD, "kind = \"unix\";", 5, DOOR ".path", "is missing at a unix door" },
    { FORWARD, UNIX "listen = \"127.0.0.1:1\";", 5, DOOR ".listen",
      "stands at its `path`" },
    { FORWARD, "kind = \"unix\"; path = \"agent.sock\";", 5, DOOR ".path",
      "begins with \"/\"" },
    { FORWARD, "kind = \"unix\"; path = \"/run/../agent\";", 5, DOOR ".path",
      "\"..\": write the path itself" },
    { FORWARD,
      "kind = \"unix\"; path = \"/" ID
      "/0123456789012345678901234567890123456789012\";",
      5, DOOR ".path", "at most 107 bytes" },
    { FORWARD, UNIX "mode = \"660\";", 5, DOOR ".mode", "write \"0660\"" },
    { FORWARD, UNIX "mode = \"0777\";", 5, DOOR ".mode", "write \"0660\"" },
    { FORWARD, UNIX "mode = \"0066\";", 5, DOOR ".mode", "write \"0660\"" },
    { FORWARD, UNIX "h2c = true; keep_proof = true;", 5, DOOR ".keep_proof",
      "belongs to a gate" },
    { FORWARD, FORWARD "path = \"/run/holdfast/agent.sock\";", 5, DOOR ".path",
      "belongs to a unix door" },
    { FORWARD, FORWARD "mode = \"0660\";", 5, DOOR ".mode", "belongs to a unix door" },
    { FORWARD, FORWARD "group = \"agents\";", 5, DOOR ".group",
      "belongs to a unix door" },
    { FORWARD, UNIX "}, { " UNIX, 5, GATE ".path", "the door on line 5 of" },
    { "name = \"agent\";", "name = \"Agent\";", 5, DOOR ".name", "lower-case letters" },
    { "name = \"agent\";", "name = \"an agent\";", 5, DOOR ".name",
      "lower-case letters" },
    { "\"127.0.0.1:15002\";", "\"127.0.0.1:15002\"; name = \"agent\";", 6, GATE ".name",
      "is the door on line 5 of" },
    /* callers */
    { "{ uid = 1001; }", "{ }", 27, CALLER, "demands nothing" },
    { "uid = 1001;", "uid = -1;", 27, CALLER ".uid", "out of range" },
    { "uid = 1001;", "gid = 4294967295L;", 27, CALLER ".gid", "out of range" },
    { "uid = 1001;", "cgroup = \"agent.service\";", 27, CALLER ".cgroup",
      "begins with \"/\"" },
    { "uid = 1001;", "cgroup = \"/\";", 27, CALLER ".cgroup", "everybody" },
    { "uid = 1001;", "cgroup = \"/a/../b\";", 27, CALLER ".cgroup", "\"..\"" },
    { "uid = 1001;", "container = \"0123456789ab\";", 27, CALLER ".container",
      "all its 64" },
    { "uid = 1001;", "container = \"" ID "0\";", 27, CALLER ".container",
      "all its 64" },
    { "uid = 1001;", "container = \"docker://" ID "\";", 27, CALLER ".container",
      "all its 64" },
    { "uid = 1001;", "pod = \"builder-0\";", 27, CALLER ".pod", "metadata.uid" },
    { "uid = 1001;", "pod = \"7D9C1A52-0f3e-4b1d-8f43-6f2d1f0b9c11\";", 27,
      CALLER ".pod", "metadata.uid" },
    { "uid = 1001;", "pod = \"7d9c1a52_0f3e_4b1d_8f43_6f2d1f0b9c11\";", 27,
      CALLER ".pod", "metadata.uid" },
    { "uid = 1001;", "pod = \"7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c1\";", 27,
      CALLER ".pod", "metadata.uid" },
    { "uid = 1001;", "door = \"agnet\";", 27, CALLER ".door",
      "did you mean \"agent\"?" },
    { "uid = 1001;", "door = \"x\";", 27, CALLER ".door",
      "write name = \"x\"; at the one" },
    { "uid = 1001;", "uid = 1001; user = 1;", 27, CALLER ".user", "unknown key" },
};

static void
a_slip_is_told_with_its_line_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = named(rows[i].from, rows[i].to);

        folder_expect(&folder, text, rows[i].line, rows[i].key, rows[i].fragment, 1);
        free(text);
    }
}

static void
a_gate_is_no_door_of_callers(void **state)
{
    char *text = spoil(whole_config, "\"127.0.0.1:15002\";",
                       "\"127.0.0.1:15002\"; name = \"front\";");
    char *spoilt = spoil(text, "uid = 1001;", "door = \"front\";");

    (void)state;
    folder_expect(&folder, spoilt, 27, CALLER ".door", "no workload goes out by", 1);
    free(spoilt);
    free(text);
}

static void
a_unix_door_is_no_control_socket(void **state)
{
    char *text = spoil(whole_config,
                       "kind = \"forward\"; listen = \"127.0.0.1:15001\";", UNIX);
    char *spoilt = spoil(
        text,
        "ledger =", "control = { socket = \"/run/holdfast/agent.sock\"; };\nledger =");

    (void)state;
    folder_expect(&folder, spoilt, 5, DOOR ".path", "is the control socket", 1);
    free(spoilt);
    free(text);
}

static void
what_is_written_of_a_caller_is_demanded_and_nothing_else(void **state)
{
    char *text = named("{ uid = 1001; }",
                       "{ gid = 0; cgroup = \"/a/b\"; container = \"" ID
                       "\"; pod = \"" POD "\"; door = \"agent\"; }");
    const struct conf *c = load(text);
    const struct conf_grant *g = c->grants.at;

    (void)state;
    assert_false(g->caller.any);
    assert_int_equal(g->caller.uid, -1);
    assert_true(g->caller.has_gid);
    assert_int_equal(g->caller.gid, 0);
    assert_string_equal(g->caller.cgroup, "/a/b");
    assert_string_equal(g->caller.container, ID);
    assert_string_equal(g->caller.pod, POD);
    assert_string_equal(g->caller.door, "agent");
    assert_int_equal(g->caller.door_at, 1);
    free(text);
    g = load(whole_config)->grants.at;
    assert_int_equal(g->caller.uid, 1001);
    assert_false(g->caller.has_gid);
    assert_null(g->caller.cgroup);
    assert_int_equal(g->caller.door_at, 0);
}

static void
a_unix_door_has_a_mode(void **state)
{
    char *text = spoil(whole_config,
                       "kind = \"forward\"; listen = \"127.0.0.1:15001\";", UNIX);
    char *shut = spoil(text, "agent.sock\";", "agent.sock\"; mode = \"0600\";");
    const struct conf_door *doors = load(text)->doors.at;

    (void)state;
    assert_int_equal(doors[0].kind, DOOR_UNIX);
    assert_string_equal(doors[0].path, "/run/holdfast/agent.sock");
    assert_int_equal(conf_door_mode(&doors[0]), 0660);
    assert_null(doors[0].group);
    doors = load(shut)->doors.at;
    assert_int_equal(conf_door_mode(&doors[0]), 0600);
    free(shut);
    free(text);
}

static size_t
count_lint(const char *text)
{
    struct findings found = { 0 };
    size_t n;

    conf_lint(load(text), NOW, &found);
    n = found.n;
    findings_free(&found);
    return n;
}

/* What lint says beyond what it says of the whole config as it stands. */
static void
lints(const char *text, size_t lines, const char *fragment)
{
    const char *said = lint(text, lines);

    if (fragment != NULL && strstr(said, fragment) == NULL)
        fail_msg("%s", said);
}

static void
a_door_that_keeps_nobody_out_is_no_identity(void **state)
{
    char *base = named("uid = 1001;", "door = \"agent\"; uid = 1001;");
    char *alone = named("uid = 1001;", "door = \"agent\";");
    char *shut = spoil(alone, FORWARD, UNIX "name = \"agent\";");
    char *open = spoil(shut, "agent.sock\";", "agent.sock\"; mode = \"0666\";");
    size_t n = count_lint(base);

    (void)state;
    lints(alone, n + 1, "it keeps nobody out");
    lints(shut, n, NULL);
    lints(open, n + 1, "it keeps nobody out");
    free(open);
    free(shut);
    free(alone);
    free(base);
}

static void
a_gid_that_nobody_can_show_is_told(void **state)
{
    char *base = named("uid = 1001;", "door = \"agent\"; uid = 1001;");
    char *tcp = named("uid = 1001;", "gid = 1001;");
    char *unix_too = spoil(tcp, FORWARD, UNIX "name = \"agent\";");
    size_t n = count_lint(base);

    (void)state;
    lints(tcp, n + 1, "a gid is known at unix doors alone");
    lints(unix_too, n, NULL);
    free(unix_too);
    free(tcp);
    free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slip_is_told_with_its_line_and_what_to_write),
        TEST(a_gate_is_no_door_of_callers),
        TEST(a_unix_door_is_no_control_socket),
        TEST(what_is_written_of_a_caller_is_demanded_and_nothing_else),
        TEST(a_unix_door_has_a_mode),
        TEST(a_door_that_keeps_nobody_out_is_no_identity),
        TEST(a_gid_that_nobody_can_show_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

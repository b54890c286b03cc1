/* proxy/helper.c, its process and its programs: a real fork, and programs that every
 * machine has. */
#include "tests/unit/proxy/stage.h"

#include "proxy/helper.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

enum { LONG_MS = 60 * 1000, SHORT_MS = 300, SOMEBODY = 4321, MANY = 12 };

static struct helper *helper;
static struct helper_run *runs[MANY];
static struct bell bells[MANY];

/* Root's tests run as nobody in particular: it can be given up, and is not ours to
 * keep. */
static struct identity
whom(void)
{
    if (geteuid() == 0)
        return (struct identity){ SOMEBODY, SOMEBODY };
    return (struct identity){ geteuid(), getegid() };
}

static int
begin(void **state)
{
    const struct identity who = whom();

    helper = helper_fork();
    if (stage_begin(state) != 0 || chmod(scratch, 0777) != 0)
        return -1;
    helper_begin(helper, loop, &who);
    for (size_t i = 0; i < MANY; i++)
        bell_hang(&bells[i]);
    return 0;
}

static int
end(void **state)
{
    for (size_t i = 0; i < MANY; i++) {
        helper_run_free(runs[i]);
        wake_cancel(&bells[i].wake);
        runs[i] = NULL;
    }
    helper_free(helper);
    return stage_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ---- runs */

static struct helper_run *
start(size_t i, int64_t timeout_ms, size_t n, const char *const *words)
{
    const struct strings command = { .at = words, .n = n };
    const struct helper_ask ask = { .command = &command,
                                    .credential = "crm",
                                    .grant = "nightly",
                                    .purpose = "testing it",
                                    .task = TEXT("t-1"),
                                    .timeout_ms = timeout_ms };

    return runs[i] = helper_run_new(helper, &ask, &bells[i].wake);
}

static struct helper_run *
start_script(size_t i, int64_t timeout_ms, const char *script)
{
    const char *const words[] = { "/bin/sh", "-c", script };

    return start(i, timeout_ms, 3, words);
}

/* Over, and told once. */
static struct helper_run *
finish(size_t i)
{
    UNTIL(bells[i].rung > 0);
    assert_int_equal(bells[i].rung, 1);
    assert_true(helper_run_is_over(runs[i]));
    return runs[i];
}

static struct text
output_of(const char *program, const char *argument)
{
    const char *const words[] = { program, argument };
    struct helper_run *r;

    (void)start(0, LONG_MS, argument == NULL ? 1 : 2, words);
    r = finish(0);
    assert_int_equal(helper_run_why(r), REASON_OK);
    return helper_run_output(r);
}

static void
assert_text(struct text t, const char *expected)
{
    if (!text_equals(t, text_z(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", TEXT_ARG(t), expected);
}

static void
assert_holds(struct text t, const char *part)
{
    if (memmem(t.at, t.n, part, strlen(part)) == NULL)
        fail_msg("no \"%s\" in \"%.*s\"", part, TEXT_ARG(t));
}

static bool
is_alive(struct text pid)
{
    return kill((pid_t)strtol(pid.at, NULL, 10), 0) == 0;
}

/* ---- what a program is given */

static void
a_program_finds_this_environment_and_no_more(void **state)
{
    (void)state;
    setenv("HOLDFAST_CANARY", "not yours", 1);
    assert_text(output_of("/usr/bin/env", NULL),
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                "HOME=/\nLANG=C.UTF-8\nHOLDFAST_CREDENTIAL=crm\n"
                "HOLDFAST_GRANT=nightly\nHOLDFAST_PURPOSE=testing it\n"
                "HOLDFAST_TASK=t-1\n");
}

static void
its_descriptors_are_three(void **state)
{
    (void)state;
    assert_text(output_of("/bin/ls", "/proc/self/fd"),
                "0\n1\n2\n3\n"); /* 3: ls's own */
}

static void
its_input_is_empty(void **state)
{
    (void)state;
    assert_text(output_of("/bin/cat", NULL), "");
}

static void
it_is_run_in_the_root_directory(void **state)
{
    (void)state;
    assert_text(output_of("/bin/pwd", NULL), "/\n");
}

static void
it_can_gain_nothing_and_dumps_nothing(void **state)
{
    struct text status, limits;
    char uids[64];

    (void)state;
    status = output_of("/bin/cat", "/proc/self/status");
    snprintf(uids, sizeof uids, "\nUid:\t%u\t%u\t%u\t%u\n", whom().uid, whom().uid,
             whom().uid, whom().uid);
    assert_holds(status, uids);
    assert_holds(status, "\nNoNewPrivs:\t1\n");
    assert_holds(status, "\nCapPrm:\t0000000000000000\n");
    assert_holds(status, "\nSigBlk:\t0000000000000000\n");
    assert_holds(status, "\nSigIgn:\t0000000000000000\n");
    helper_run_free(runs[0]);
    bell_hang(&bells[0]);
    limits = output_of("/bin/cat", "/proc/self/limits");
    assert_holds(limits, "Max core file size        0                    0 ");
}

static void
arguments_arrive_whole_and_no_shell_reads_them(void **state)
{
    const char *const words[] = { "/usr/bin/printf", "<%s>", "$HOME; a b", "", "*" };

    (void)state;
    (void)start(0, LONG_MS, 5, words);
    assert_text(helper_run_output(finish(0)), "<$HOME; a b><><*>");
}

/* ---- how one ends */

static const struct {
    const char *script;
    enum reason why;
    int status, signal;
    const char *output, *hint;
} ends[] = {
    { "echo good", REASON_OK, 0, 0, "good\n", "" },
    { "echo good; echo aside >&2", REASON_OK, 0, 0, "good\n", "aside\n" },
    { "echo secret; echo why >&2; exit 3", REASON_COMMAND_FAILED, 3, 0, "", "why\n" },
    { "kill -SEGV $$", REASON_COMMAND_FAILED, 0, SIGSEGV, "", "" },
    { "exec >&-; echo on >&2", REASON_OK, 0, 0, "", "on\n" },
    { "head -c 65537 /dev/zero; exec sleep 1000", REASON_COMMAND_TOO_LARGE, 0, 0, "",
      "" },
    { "head -c 65537 /dev/zero; exit 1", REASON_COMMAND_TOO_LARGE, 0, 0, "", "" },
    { "exec cat /dev/zero", REASON_COMMAND_TOO_LARGE, 0, 0, "", "" },
};

static void
a_run_is_told_as_it_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const struct helper_run *r;

        (void)start_script(0, LONG_MS, ends[i].script);
        r = finish(0);
        assert_string_equal(reason_token(helper_run_why(r)), reason_token(ends[i].why));
        assert_int_equal(helper_run_status(r), ends[i].status);
        assert_int_equal(helper_run_signal(r), ends[i].signal);
        assert_text(helper_run_output(r), ends[i].output);
        assert_text(helper_run_hint(r), ends[i].hint);
        helper_run_free(runs[0]);
        runs[0] = NULL;
        bell_hang(&bells[0]);
    }
}

static void
as_much_as_may_be_is_told_whole(void **state)
{
    struct text output;

    (void)state;
    (void)start_script(0, LONG_MS, "head -c 65536 /dev/zero");
    output = helper_run_output(finish(0));
    assert_int_equal(helper_run_why(runs[0]), REASON_OK);
    assert_int_equal(output.n, 65536);
}

static void
who_complains_at_length_is_heard_out_and_cut(void **state)
{
    (void)state;
    (void)start_script(0, LONG_MS, "yes no | head -c 300000 >&2; echo fine");
    assert_text(helper_run_output(finish(0)), "fine\n");
    assert_int_equal(helper_run_hint(runs[0]).n, HELPER_HINT_MAX);
}

static void
what_cannot_be_run_says_why(void **state)
{
    const char *const words[] = { "/nowhere/to/be/found" };

    (void)state;
    (void)start(0, LONG_MS, 1, words);
    assert_int_equal(helper_run_why(finish(0)), REASON_COMMAND_FAILED);
    assert_text(helper_run_hint(runs[0]), "cannot be run: No such file or directory");
}

static void
too_many_arguments_are_none(void **state)
{
    const char *words[100];

    (void)state;
    for (size_t i = 0; i < 100; i++)
        words[i] = "/bin/true";
    (void)start(0, LONG_MS, 100, words);
    assert_int_equal(helper_run_why(finish(0)), REASON_COMMAND_FAILED);
}

/* ---- what is killed */

static void
one_that_hangs_is_killed_with_its_child(void **state)
{
    struct text pid;

    (void)state;
    (void)start_script(0, SHORT_MS, "sleep 1000 & echo $! >&2; wait");
    assert_int_equal(helper_run_why(finish(0)), REASON_COMMAND_TIMEOUT);
    pid = helper_run_hint(runs[0]);
    if (pid.n > 0) /* it got as far as that in its time */
        UNTIL(!is_alive(pid));
}

static void
what_one_leaves_behind_is_killed(void **state)
{
    struct text rest, pid;

    (void)state;
    (void)start_script(0, LONG_MS,
                       "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & echo $!; done");
    rest = helper_run_output(finish(0));
    assert_int_equal(helper_run_why(runs[0]), REASON_OK);
    for (size_t i = 0; i < 8; i++) {
        assert_true(text_split(&rest, '\n', &pid));
        UNTIL(!is_alive(pid));
    }
}

/* Each forks the next and goes: who only kills those that he sees comes too late. */
static void
one_that_forks_without_an_end_is_killed(void **state)
{
    struct text group;

    (void)state;
    (void)start_script(0, LONG_MS, "echo $$; f() { f & }; f & wait");
    group = helper_run_output(finish(0));
    assert_true(group.n > 0);
    UNTIL(kill(-(pid_t)strtol(group.at, NULL, 10), 0) != 0);
}

/* Files with a number for a name: the processes that made them. */
static size_t
count_marks(char *last, size_t size)
{
    DIR *all = opendir(scratch);
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(all);
    while ((e = readdir(all)) != NULL)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9') {
            n++;
            snprintf(last, size, "%s", e->d_name);
        }
    closedir(all);
    return n;
}

static const char *
marking(const char *then)
{
    static char script[2 * PATH_MAX];

    snprintf(script, sizeof script, "cd %s && touch $$; %s", scratch, then);
    return script;
}

static void
one_that_nobody_wants_any_more_is_killed(void **state)
{
    char pid[32];

    (void)state;
    (void)start_script(0, LONG_MS, marking("exec sleep 1000"));
    UNTIL(count_marks(pid, sizeof pid) == 1);
    helper_run_free(runs[0]);
    runs[0] = NULL;
    UNTIL(!is_alive(text_z(pid)));
    assert_int_equal(bells[0].rung, 0);
    (void)start_script(1, LONG_MS, "echo next");
    assert_text(helper_run_output(finish(1)), "next\n");
}

/* ---- turns */

static void
eight_run_at_a_time_and_the_others_wait(void **state)
{
    char any[32];
    int gate;

    (void)state;
    assert_int_equal(mkfifo(in_scratch("gate"), 0600), 0);
    assert_int_equal(chmod(in_scratch("gate"), 0666), 0);
    gate = open(in_scratch("gate"), O_RDWR | O_CLOEXEC);
    assert_true(gate >= 0);
    for (size_t i = 0; i < MANY; i++)
        (void)start_script(i, LONG_MS, marking("exec head -c 1 gate"));
    UNTIL(count_marks(any, sizeof any) == HELPER_AT_ONCE);
    settle();
    assert_int_equal(count_marks(any, sizeof any), HELPER_AT_ONCE);
    assert_int_equal(write(gate, "xxxxxxxxxxxx", MANY), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_text(helper_run_output(finish(i)), "x");
    assert_int_equal(count_marks(any, sizeof any), MANY);
    close(gate);
}

static void
one_whose_turn_does_not_come_in_time_is_not_run(void **state)
{
    char pid[32];

    (void)state;
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        (void)start_script(i, LONG_MS, "exec sleep 1000");
    (void)start_script(8, SHORT_MS, marking("echo late"));
    assert_int_equal(helper_run_why(finish(8)), REASON_COMMAND_TIMEOUT);
    helper_run_free(runs[0]);
    runs[0] = NULL;
    (void)start_script(9, LONG_MS, "echo next");
    assert_text(helper_run_output(finish(9)), "next\n");
    assert_int_equal(count_marks(pid, sizeof pid), 0);
}

/* ---- the helper's end */

static void
a_helper_that_is_gone_is_told_to_all_who_wait(void **state)
{
    char pid[32];

    (void)state;
    (void)start_script(0, LONG_MS, marking("exec sleep 1000"));
    for (size_t i = 1; i < MANY; i++)
        (void)start_script(i, LONG_MS, "exec sleep 1000");
    UNTIL(count_marks(pid, sizeof pid) == 1);
    assert_int_equal(kill(helper_pid(helper), SIGKILL), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(helper_run_why(finish(i)), REASON_COMMAND_UNAVAILABLE);
    assert_true(helper_is_gone(helper));
    helper_run_free(runs[0]);
    bell_hang(&bells[0]);
    (void)start_script(0, LONG_MS, "echo again");
    assert_int_equal(helper_run_why(finish(0)), REASON_COMMAND_UNAVAILABLE);
    /* Whoever buries its orphans may take his time. */
    UNTIL(!is_alive(text_z(pid)) || kill(atoi(pid), SIGKILL) == 0);
}

static void
programs_end_with_the_helper(void **state)
{
    char pid[32];

    (void)state;
    (void)start_script(0, LONG_MS, marking("sleep 1000 & wait"));
    UNTIL(count_marks(pid, sizeof pid) == 1);
    helper_run_free(runs[0]);
    runs[0] = NULL;
    helper_free(helper);
    helper = NULL;
    UNTIL(kill(-atoi(pid), 0) != 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_finds_this_environment_and_no_more),
        TEST(its_descriptors_are_three),
        TEST(its_input_is_empty),
        TEST(it_is_run_in_the_root_directory),
        TEST(it_can_gain_nothing_and_dumps_nothing),
        TEST(arguments_arrive_whole_and_no_shell_reads_them),
        TEST(a_run_is_told_as_it_ended),
        TEST(as_much_as_may_be_is_told_whole),
        TEST(who_complains_at_length_is_heard_out_and_cut),
        TEST(what_cannot_be_run_says_why),
        TEST(too_many_arguments_are_none),
        TEST(one_that_hangs_is_killed_with_its_child),
        TEST(what_one_leaves_behind_is_killed),
        TEST(one_that_forks_without_an_end_is_killed),
        TEST(one_that_nobody_wants_any_more_is_killed),
        TEST(eight_run_at_a_time_and_the_others_wait),
        TEST(one_whose_turn_does_not_come_in_time_is_not_run),
        TEST(a_helper_that_is_gone_is_told_to_all_who_wait),
        TEST(programs_end_with_the_helper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

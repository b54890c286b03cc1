/* proxy/privilege.c: who we become, and that there is no way back. What changes the
 * process for good is done by a child, which answers by its exit status. */
#include "tests/unit/certs/scratch.h"

#include "proxy/privilege.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SOMEBODY = 4321, ANOTHER = 4322 };

/* A failed check ends the child with its line. _exit: the leak checker looks at the
 * parent alone, and could not attach to one that is not dumpable. */
#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            dprintf(STDERR_FILENO, "line %d: %s\n", __LINE__, #condition);             \
            _exit(1);                                                                  \
        }                                                                              \
    } while (0)

static void
in_a_child(void (*act)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define ONLY_AS_ROOT()                                                                 \
    do {                                                                               \
        if (geteuid() != 0) {                                                          \
            print_message("SKIPPED: %s: this is not root\n", __func__);                \
            skip();                                                                    \
        }                                                                              \
    } while (0)

static struct conf
conf_of(const char *user, int64_t workload)
{
    return (struct conf){ .user = user, .workload = { .uid = workload } };
}

static struct identity
chosen(const char *user)
{
    struct conf conf = conf_of(user, -1);
    struct identity who;

    CHECK(identity_choose(&conf, &who) == REASON_OK);
    return who;
}

/* ---- who */

static void
root_becomes_whom_the_config_names(void **state)
{
    static const struct {
        const char *user;
        int64_t workload;
        enum reason why;
        uid_t uid;
    } rows[] = {
        { "4321", -1, REASON_OK, SOMEBODY },
        { "4321", 1000, REASON_OK, SOMEBODY },
        { "nobody", -1, REASON_OK, 65534 },
        { "4321", SOMEBODY, REASON_EQUAL_UID, 0 },
        { "nobody", 65534, REASON_EQUAL_UID, 0 },
        { "nobody-of-this-name", -1, REASON_CONFIG, 0 },
        { "-1", -1, REASON_CONFIG, 0 },
        { "4294967295", -1, REASON_CONFIG, 0 }, /* means "leave it" to setresuid */
        { "4321x", -1, REASON_CONFIG, 0 },
        { "root", -1, REASON_STAYS_ROOT, 0 },
        { "0", -1, REASON_STAYS_ROOT, 0 },
        { NULL, -1, REASON_STAYS_ROOT, 0 },
    };

    (void)state;
    ONLY_AS_ROOT();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf conf = conf_of(rows[i].user, rows[i].workload);
        struct identity who;
        enum reason why = identity_choose(&conf, &who);

        if (why != rows[i].why || (why == REASON_OK && who.uid != rows[i].uid))
            fail_msg("row %zu: %s, uid %u", i, reason_token(why), who.uid);
    }
    assert_true(log_says("equal_uid"));
    assert_true(log_says("nobody-of-this-name"));
}

/* As an ordinary user: it stays who it is, and can be nobody else. */
static void
choose_as_somebody(void)
{
    static const struct {
        const char *user;
        int64_t workload;
        enum reason why;
    } rows[] = {
        { NULL, -1, REASON_OK },
        { "4321", 1000, REASON_OK },
        { "4322", -1, REASON_PRIVILEGES },
        { "root", -1, REASON_STAYS_ROOT },
        { NULL, SOMEBODY, REASON_EQUAL_UID },
    };

    CHECK(setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf conf = conf_of(rows[i].user, rows[i].workload);
        struct identity who;

        CHECK(identity_choose(&conf, &who) == rows[i].why);
        CHECK(rows[i].why != REASON_OK || (who.uid == SOMEBODY && who.gid == SOMEBODY));
    }
}

static void
one_who_is_not_root_stays_who_he_is(void **state)
{
    (void)state;
    ONLY_AS_ROOT();
    in_a_child(choose_as_somebody);
}

/* Each caller who could read our memory is a line. */
static void
a_caller_that_is_us_or_root_is_feared(void **state)
{
    static const struct {
        struct conf_caller caller;
        bool feared;
    } rows[] = {
        { { .uid = 1000 }, false },
        { { .any = true, .uid = -1 }, false },
        { { .uid = SOMEBODY }, true },
        { { .uid = 0 }, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf_grant grants[] = {
            { .caller = { .uid = 1000 } },
            { .caller = rows[i].caller },
        };
        struct conf conf = conf_of("4321", -1);
        struct buf report = { 0 };

        grants[1].caller.place = (struct place){ "t.conf", 7 };
        conf.grants = (struct groups){ .at = grants, .n = 2 };
        assert_int_equal(identity_fears_nobody(&conf, SOMEBODY, &report),
                         !rows[i].feared);
        buf_add_byte(&report, '\0');
        assert_int_equal(strstr(buf_text(&report).at, "t.conf:7: ") != NULL,
                         rows[i].feared);
        buf_free(&report);
    }
}

/* ---- for good */

static void
check_identity(uid_t uid)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;

    CHECK(getresuid(&r, &e, &s) == 0 && r == uid && e == uid && s == uid);
    CHECK(getresgid(&rg, &eg, &sg) == 0 && rg == uid && eg == uid && sg == uid);
    CHECK(getgroups(0, NULL) == 0);
}

static void
check_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct held[2];

    CHECK(syscall(SYS_capget, &header, held) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(held[i].effective == 0 && held[i].permitted == 0 &&
              held[i].inheritable == 0);
    for (unsigned long i = 0; i < 64; i++) {
        CHECK(prctl(PR_CAPBSET_READ, i, 0, 0, 0) <= 0);
        CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) <= 0);
    }
}

static void
check_process(void)
{
    struct rlimit core;

    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CHECK(getrlimit(RLIMIT_CORE, &core) == 0);
    CHECK(core.rlim_cur == 0 && core.rlim_max == 0);
}

static void
check_no_way_back(void)
{
    struct rlimit more = { 1, 1 };

    CHECK(setuid(0) != 0 && seteuid(0) != 0 && setresuid(0, 0, 0) != 0);
    CHECK(setgid(0) != 0 && setegid(0) != 0);
    CHECK(setgroups(0, NULL) != 0);
    CHECK(setrlimit(RLIMIT_CORE, &more) != 0);
    CHECK(identity_resume_root() != REASON_OK);
}

static void
drop_as_root(void)
{
    static const gid_t groups[] = { 0, 4, 27 };
    struct identity who;

    CHECK(setgroups(3, groups) == 0);
    who = chosen("4321");
    CHECK(identity_drop(&who) == REASON_OK);
    check_identity(SOMEBODY);
    check_capabilities();
    check_process();
    check_no_way_back();
}

static void
after_the_drop_nothing_of_root_is_left(void **state)
{
    (void)state;
    ONLY_AS_ROOT();
    in_a_child(drop_as_root);
}

/* The way start goes: taking on the identity, back to root to bind, then for good. */
static void
assume_resume_and_drop(void)
{
    struct identity who = chosen("4321");

    CHECK(identity_assume(&who) == REASON_OK);
    CHECK(geteuid() == SOMEBODY && getegid() == SOMEBODY && getgroups(0, NULL) == 0);
    CHECK(open("/etc/shadow", O_RDONLY) < 0);
    CHECK(identity_resume_root() == REASON_OK);
    CHECK(geteuid() == 0 && getegid() == 0);
    CHECK(identity_drop(&who) == REASON_OK);
    check_identity(SOMEBODY);
    check_capabilities();
    check_process();
    check_no_way_back();
}

static void
root_is_there_to_bind_and_then_gone(void **state)
{
    (void)state;
    ONLY_AS_ROOT();
    in_a_child(assume_resume_and_drop);
}

static void
drop_as_somebody(void)
{
    struct identity who;

    if (geteuid() == 0)
        CHECK(setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 &&
              setuid(SOMEBODY) == 0);
    who = chosen(NULL);
    CHECK(identity_assume(&who) == REASON_OK && identity_resume_root() == REASON_OK);
    CHECK(identity_drop(&who) == REASON_OK);
    CHECK(geteuid() == who.uid);
    check_process();
}

/* Not root: there is no identity to give up, and all the rest goes. */
static void
one_who_never_was_root_is_locked_in_as_well(void **state)
{
    (void)state;
    in_a_child(drop_as_somebody);
}

/* ---- directories */

static void
make_directory_as_root(void)
{
    struct identity who = chosen("4321");
    struct stat st;

    CHECK(chmod(scratch, 0755) == 0);
    CHECK(identity_own_directory(&who, in_scratch("keep"), 0700) == REASON_OK);
    CHECK(stat(in_scratch("keep"), &st) == 0);
    CHECK(st.st_uid == SOMEBODY && st.st_gid == SOMEBODY &&
          (st.st_mode & 07777) == 0700);
    CHECK(identity_drop(&who) == REASON_OK);
    CHECK(mkdir(in_scratch("keep/inside"), 0700) == 0);
}

static void
a_directory_made_by_root_is_the_identity_s(void **state)
{
    (void)state;
    ONLY_AS_ROOT();
    in_a_child(make_directory_as_root);
}

static void
one_that_was_there_keeps_its_owner(void **state)
{
    struct identity who = { ANOTHER, ANOTHER };

    (void)state;
    assert_int_equal(mkdir(in_scratch("mine"), 0700), 0);
    assert_int_equal(identity_own_directory(&who, in_scratch("mine"), 0700), REASON_OK);
    assert_int_equal(mode_of(in_scratch("mine")), 0700);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(root_becomes_whom_the_config_names),
        SCRATCH_TEST(one_who_is_not_root_stays_who_he_is),
        SCRATCH_TEST(a_caller_that_is_us_or_root_is_feared),
        SCRATCH_TEST(after_the_drop_nothing_of_root_is_left),
        SCRATCH_TEST(root_is_there_to_bind_and_then_gone),
        SCRATCH_TEST(one_who_never_was_root_is_locked_in_as_well),
        SCRATCH_TEST(a_directory_made_by_root_is_the_identity_s),
        SCRATCH_TEST(one_that_was_there_keeps_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

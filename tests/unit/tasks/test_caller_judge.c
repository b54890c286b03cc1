/* Every demand against a caller of whom it is so, is not so, and is not established. */
#include "tasks/caller.h"

#include "base/memory.h"
#include "tasks/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba98765432100123456789abcdef0123456789abcdef0123456789abcdef"
#define POD   "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
#define POD2  "00000000-1111-2222-3333-444444444444"

#define YES     REASON_OK
#define NO      REASON_CALLER_NOT_ALLOWED
#define UNKNOWN REASON_CALLER_UNKNOWN

/* One of whom all is known. */
static struct caller known = {
    .has_uid = true, .uid = 1000, .has_gid = true, .gid = 1000, .door = 1
};
static const struct caller stranger; /* and nothing */

static int
begin(void **state)
{
    (void)state;
    known.cgroup = cgroup_from_path(TEXT("/pods/pod" POD "/" ID), SIZE_MAX);
    return known.cgroup == NULL;
}

static int
end(void **state)
{
    (void)state;
    cgroup_unref(known.cgroup);
    return 0;
}

static const struct {
    struct conf_caller demanded;
    enum reason known; /* what is said of the one; of the stranger always UNKNOWN */
} rows[] = {
    { { .uid = 1000 }, YES },
    { { .uid = 1001 }, NO },
    { { .uid = 0 }, NO },
    { { .uid = -1, .has_gid = true, .gid = 1000 }, YES },
    { { .uid = -1, .has_gid = true, .gid = 0 }, NO },
    { { .uid = -1, .door = "agent", .door_at = 1 }, YES },
    { { .uid = -1, .door = "other", .door_at = 2 }, NO },
    { { .uid = -1, .cgroup = "/pods/pod" POD "/" ID }, YES },
    { { .uid = -1, .cgroup = "/pods" }, YES },
    { { .uid = -1, .cgroup = "/pod" }, NO },
    { { .uid = -1, .cgroup = "/pods/pod" POD "/" ID "/x" }, NO },
    { { .uid = -1, .container = ID }, YES },
    { { .uid = -1, .container = OTHER }, NO },
    { { .uid = -1, .pod = POD }, YES },
    { { .uid = -1, .pod = POD2 }, NO },
    /* all of it */
    { { .uid = 1000,
        .has_gid = true,
        .gid = 1000,
        .cgroup = "/pods",
        .pod = POD,
        .container = ID,
        .door = "agent",
        .door_at = 1 },
      YES },
    { { .uid = 1001,
        .has_gid = true,
        .gid = 1000,
        .cgroup = "/pods",
        .pod = POD,
        .container = ID,
        .door = "agent",
        .door_at = 1 },
      NO },
    { { .uid = 1000,
        .has_gid = true,
        .gid = 1000,
        .cgroup = "/pods",
        .pod = POD2,
        .container = ID,
        .door = "agent",
        .door_at = 1 },
      NO },
    /* nothing is met by nobody */
    { { .uid = -1 }, UNKNOWN },
};

static void
what_is_demanded_is_established_and_so_or_it_is_no_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct conf_caller *d = &rows[i].demanded;

        if (caller_judge(&known, d) != rows[i].known ||
            caller_judge(&stranger, d) != UNKNOWN ||
            caller_matches(&known, d) != (rows[i].known == YES) ||
            caller_matches(&stranger, d))
            fail_msg("row %zu: %s, %s", i, reason_token(caller_judge(&known, d)),
                     reason_token(caller_judge(&stranger, d)));
    }
    assert_true(caller_matches(&stranger, &(struct conf_caller){ .any = true }));
}

/* Of each fact alone: that the others are known is no help. */
static void
one_fact_that_is_not_established_is_enough(void **state)
{
    const struct conf_caller all = { .uid = 1000,
                                     .has_gid = true,
                                     .gid = 1000,
                                     .cgroup = "/pods",
                                     .pod = POD,
                                     .container = ID,
                                     .door = "agent",
                                     .door_at = 1 };
    struct caller c;
    struct cgroup bare = { .path = NULL };

    (void)state;
    c = known;
    c.has_uid = false;
    assert_int_equal(caller_judge(&c, &all), UNKNOWN);
    c = known;
    c.has_gid = false;
    assert_int_equal(caller_judge(&c, &all), UNKNOWN);
    c = known;
    c.door = 0;
    assert_int_equal(caller_judge(&c, &all), UNKNOWN);
    c = known;
    c.cgroup = NULL;
    assert_int_equal(caller_judge(&c, &all), UNKNOWN);
    c.cgroup = &bare;
    assert_int_equal(caller_judge(&c, &all), UNKNOWN);
    c.uid = 1; /* … and one that is not so is told */
    assert_int_equal(caller_judge(&c, &all), NO);
}

static void
says(const struct caller *c, const char *door, const char *expected)
{
    struct buf out = { 0 };

    caller_print(c, door, &out);
    if (!text_equals(buf_text(&out), text_z(expected)))
        fail_msg("%.*s", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
}

static void
what_is_established_is_printed_and_no_byte_of_it_breaks_a_line(void **state)
{
    struct caller c = { .has_uid = true, .uid = 7 };

    (void)state;
    says(&stranger, NULL, "unknown");
    says(&stranger, "agent", "door:agent");
    says(&c, NULL, "uid:7");
    says(&known, "agent",
         "uid:1000,gid:1000,cgroup:/pods/pod" POD "/" ID ",pod:" POD ",container:" ID
         ",door:agent");
    c.cgroup = cgroup_from_path(TEXT("/a\"b,uid:0\x1b[m\xff"), 0);
    says(&c, NULL, "uid:7,cgroup:/a?b?uid:0?[m?");
    cgroup_unref(c.cgroup);
}

/* ---- asked of the kernel */

static void
a_peers_credentials_are_those_of_when_it_connected(void **state)
{
    struct caller_lookup *l = caller_lookup_new();
    struct caller c;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    caller_identify_peer(l, ends[0], &c);
    assert_true(c.has_uid && c.uid == geteuid());
    assert_true(c.has_gid && c.gid == getegid());
    assert_int_equal(c.pid, getpid());
    assert_int_equal(c.cgroup_id, 0);
    assert_int_equal(c.door, 0);
    close(ends[0]);
    close(ends[1]);
    caller_lookup_free(l);
}

static void
what_is_no_unix_socket_has_no_peer(void **state)
{
    struct caller c;
    int fd = dup(STDERR_FILENO);

    (void)state;
    caller_identify_peer(NULL, fd, &c);
    assert_false(c.has_uid || c.has_gid);
    assert_int_equal(c.pid, 0);
    assert_int_equal(caller_open_peer(fd), -1);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_demanded_is_established_and_so_or_it_is_no_match),
        cmocka_unit_test(one_fact_that_is_not_established_is_enough),
        cmocka_unit_test(
            what_is_established_is_printed_and_no_byte_of_it_breaks_a_line),
        cmocka_unit_test(a_peers_credentials_are_those_of_when_it_connected),
        cmocka_unit_test(what_is_no_unix_socket_has_no_peer),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

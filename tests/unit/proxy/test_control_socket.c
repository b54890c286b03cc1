/* Where the control socket may stand, what it replaces, and what it leaves behind. */
#include "tests/unit/certs/scratch.h"

#include "proxy/control_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct unix_socket
open_at(const char *path, enum reason expected)
{
    struct unix_socket s;

    assert_int_equal(control_socket_open(path, &s), expected);
    assert_int_equal(s.fd >= 0, expected == REASON_OK);
    return s;
}

static void
put_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void
it_is_ours_alone_and_gone_at_the_end(void **state)
{
    char path[PATH_MAX];
    struct unix_socket s;
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s", in_scratch("socket"));
    (void)umask(0);
    s = open_at(path, REASON_OK);
    assert_int_equal(umask(022), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    unix_socket_close(&s);
    assert_int_equal(lstat(path, &st), -1);
    unix_socket_close(&s); /* a second time is nothing */
}

static void
one_that_nobody_answers_on_is_replaced(void **state)
{
    char path[PATH_MAX];
    struct unix_socket s;

    (void)state;
    snprintf(path, sizeof path, "%s", in_scratch("socket"));
    s = open_at(path, REASON_OK);
    close(s.fd); /* as after a crash */
    s.fd = -1;
    free(s.path);
    s = open_at(path, REASON_OK);
    unix_socket_close(&s);
}

static void
one_that_somebody_answers_on_is_not(void **state)
{
    char path[PATH_MAX];
    struct unix_socket s;
    struct stat before, after;

    (void)state;
    snprintf(path, sizeof path, "%s", in_scratch("socket"));
    s = open_at(path, REASON_OK);
    assert_int_equal(lstat(path, &before), 0);
    (void)open_at(path, REASON_CANNOT_BIND);
    assert_int_equal(lstat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    unix_socket_close(&s);
}

static void
nothing_but_a_socket_is_replaced(void **state)
{
    char path[PATH_MAX], target[PATH_MAX];
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s", in_scratch("other"));
    snprintf(target, sizeof target, "%s", in_scratch("target"));
    put_file(path);
    (void)open_at(path, REASON_FILE_UNSAFE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(target, path), 0);
    (void)open_at(path, REASON_FILE_UNSAFE);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(target, &st), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)open_at(path, REASON_FILE_UNSAFE);
    assert_int_equal(rmdir(path), 0);
}

static void
what_came_in_its_place_is_left_there(void **state)
{
    char path[PATH_MAX];
    struct unix_socket s;
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s", in_scratch("socket"));
    s = open_at(path, REASON_OK);
    assert_int_equal(unlink(path), 0);
    put_file(path);
    unix_socket_close(&s);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(unlink(path), 0);
}

static void
a_directory_that_others_may_write_to_will_not_do(void **state)
{
    static const mode_t modes[] = { 0777, 01777, 0770, 0702 };
    char directory[PATH_MAX], path[PATH_MAX];

    (void)state;
    snprintf(directory, sizeof directory, "%s", in_scratch("open"));
    snprintf(path, sizeof path, "%s", in_scratch("open/socket"));
    assert_int_equal(mkdir(directory, 0700), 0);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(directory, modes[i]), 0);
        (void)open_at(path, REASON_FILE_UNSAFE);
    }
    assert_int_equal(rmdir(directory), 0);
}

static void
a_directory_of_a_strangers_will_not_do(void **state)
{
    char directory[PATH_MAX], path[PATH_MAX];

    (void)state;
    if (geteuid() != 0)
        skip();
    snprintf(directory, sizeof directory, "%s", in_scratch("strange"));
    snprintf(path, sizeof path, "%s", in_scratch("strange/socket"));
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(chown(directory, 64903, 64903), 0);
    (void)open_at(path, REASON_FILE_UNSAFE);
    assert_int_equal(rmdir(directory), 0);
}

static void
a_directory_that_is_a_link_will_not_do(void **state)
{
    char link[PATH_MAX], path[PATH_MAX];

    (void)state;
    snprintf(link, sizeof link, "%s", in_scratch("link"));
    snprintf(path, sizeof path, "%s", in_scratch("link/socket"));
    assert_int_equal(symlink(".", link), 0);
    (void)open_at(path, REASON_FILE_UNREADABLE);
    assert_int_equal(unlink(link), 0);
}

static void
a_path_that_no_socket_can_have_is_told(void **state)
{
    char longest[200];

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0';
    (void)open_at(longest, REASON_CONFIG);
    (void)open_at("here", REASON_CONFIG);
    (void)open_at("/there/", REASON_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ours_alone_and_gone_at_the_end),
        cmocka_unit_test(one_that_nobody_answers_on_is_replaced),
        cmocka_unit_test(one_that_somebody_answers_on_is_not),
        cmocka_unit_test(nothing_but_a_socket_is_replaced),
        cmocka_unit_test(what_came_in_its_place_is_left_there),
        cmocka_unit_test(a_directory_that_others_may_write_to_will_not_do),
        cmocka_unit_test(a_directory_of_a_strangers_will_not_do),
        cmocka_unit_test(a_directory_that_is_a_link_will_not_do),
        cmocka_unit_test(a_path_that_no_socket_can_have_is_told),
    };

    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}

/* Secrets are read only from files nobody else could have read or swapped. */
#include "base/secret.h"
#include "base/log.h"

#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static int
prepare(void **state)
{
    int failed = folder_make(state);

    /* What is logged is checked in test_log. */
    return failed != 0 || log_open("/dev/null", LOG_JSON, LOG_ERROR) != REASON_OK;
}

static int
finish(void **state)
{
    log_close();
    return folder_remove(state);
}

static void
a_secret_gives_back_what_was_put_in(void **state)
{
    struct secret *s = secret_new("top\0secret", 10);

    (void)state;
    assert_true(text_equals(secret_reveal(s), TEXT("top\0secret")));
    secret_free(s);
    secret_free(NULL);
}

static void
a_secret_equals_itself_alone(void **state)
{
    struct secret *s = secret_new("secret", 6), *empty = secret_new(NULL, 0);

    (void)state;
    assert_true(secret_equals(s, TEXT("secret")));
    assert_false(secret_equals(s, TEXT("secreT")));
    assert_false(secret_equals(s, TEXT("secre")));
    assert_false(secret_equals(s, TEXT("secrets")));
    assert_false(secret_equals(s, TEXT("")));
    assert_false(secret_equals(empty, TEXT("")));
    assert_false(secret_equals(empty, text_of(NULL, 0)));
    secret_free(s);
    secret_free(empty);
}

static void
a_file_of_ours_alone_is_read(void **state)
{
    static const struct {
        const char *in, *secret;
    } rows[] = {
        { "token", "token" },
        { "token\n", "token" },
        { "token\r\n", "token" },
        { "token\n\n", "token\n" },
        { " token ", " token " },
        { "\ntoken", "\ntoken" },
        { "exactly sixteen!", "exactly sixteen!" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret *s;

        put_file(in_folder("key"), 0600, rows[i].in, strlen(rows[i].in));
        assert_int_equal(secret_read(in_folder("key"), 16, true, &s), REASON_OK);
        assert_true(text_equals(secret_reveal(s), text_z(rows[i].secret)));
        secret_free(s);
    }
}

static void
a_file_that_others_may_touch_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        enum reason owner_only, shared;
    } rows[] = {
        { 0600, REASON_OK, REASON_OK },
        { 0400, REASON_OK, REASON_OK },
        { 0700, REASON_OK, REASON_OK },
        { 0640, REASON_FILE_UNSAFE, REASON_OK },
        { 0604, REASON_FILE_UNSAFE, REASON_OK },
        { 0620, REASON_FILE_UNSAFE, REASON_OK },
        { 0602, REASON_FILE_UNSAFE, REASON_OK },
        { 0601, REASON_FILE_UNSAFE, REASON_OK },
        { 0644, REASON_FILE_UNSAFE, REASON_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret *s;

        put_file(in_folder("mode"), rows[i].mode, "x", 1);
        assert_int_equal(secret_read(in_folder("mode"), 16, true, &s),
                         rows[i].owner_only);
        assert_int_equal(s == NULL, rows[i].owner_only != REASON_OK);
        secret_free(s);
        assert_int_equal(secret_read(in_folder("mode"), 16, false, &s), rows[i].shared);
        secret_free(s);
        unlink(in_folder("mode"));
    }
}

static void
a_link_is_not_followed(void **state)
{
    struct secret *s;

    (void)state;
    put_file(in_folder("real"), 0600, "x", 1);
    assert_int_equal(symlink("real", in_folder("link")), 0);
    assert_int_equal(secret_read(in_folder("link"), 16, true, &s), REASON_FILE_UNSAFE);
    assert_null(s);
    assert_int_equal(secret_read(in_folder("link"), 16, false, &s), REASON_FILE_UNSAFE);
    assert_null(s);
}

/* As a Secret volume is made: the file's link, the ..data link, the folder. */
static void
a_mounted_secret_is_read_through_its_links(void **state)
{
    struct buf fault = { 0 };
    struct secret *s;

    (void)state;
    assert_int_equal(mkdir(in_folder("..2026"), 0700), 0);
    put_file(in_folder("..2026/token"), 0440, "x\n", 2);
    assert_int_equal(symlink("..2026", in_folder("..data")), 0);
    assert_int_equal(symlink("..data/token", in_folder("token")), 0);
    assert_int_equal(secret_read_mounted(in_folder("token"), 16, &fault, &s),
                     REASON_OK);
    assert_true(text_equals(secret_reveal(s), TEXT("x")));
    secret_free(s);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(secret_read_mounted(in_folder("dangling"), 16, &fault, &s),
                     REASON_FILE_UNREADABLE);
    assert_null(s);
    buf_free(&fault);
}

static void
a_mounted_secret_may_be_read_by_its_group_and_by_nobody_else(void **state)
{
    static const struct {
        mode_t mode;
        enum reason why;
    } rows[] = {
        { 0400, REASON_OK },          { 0440, REASON_OK },
        { 0640, REASON_OK },          { 0600, REASON_OK },
        { 0644, REASON_FILE_UNSAFE }, { 0444, REASON_FILE_UNSAFE },
        { 0660, REASON_FILE_UNSAFE }, { 0602, REASON_FILE_UNSAFE },
        { 0601, REASON_FILE_UNSAFE },
    };
    struct buf fault = { 0 };
    struct secret *s;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_file(in_folder("mounted"), rows[i].mode, "x", 1);
        assert_int_equal(secret_read_mounted(in_folder("mounted"), 16, &fault, &s),
                         rows[i].why);
        secret_free(s);
        unlink(in_folder("mounted"));
    }
    assert_int_equal(mkfifo(in_folder("pipe"), 0400), 0);
    assert_int_equal(secret_read_mounted(in_folder("pipe"), 16, &fault, &s),
                     REASON_FILE_UNSAFE);
    assert_int_equal(secret_read_mounted(folder, 16, &fault, &s), REASON_FILE_UNSAFE);
    buf_free(&fault);
}

static void
a_fifo_neither_hangs_us_nor_is_read(void **state)
{
    struct secret *s;

    (void)state;
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(secret_read(in_folder("fifo"), 16, true, &s), REASON_FILE_UNSAFE);
    assert_int_equal(secret_read(in_folder("fifo"), 16, false, &s), REASON_FILE_UNSAFE);
    assert_int_equal(secret_read(folder, 16, true, &s), REASON_FILE_UNSAFE);
    assert_int_equal(secret_read("/dev/zero", 16, false, &s), REASON_FILE_UNSAFE);
}

static void
a_file_of_someone_else_is_refused(void **state)
{
    struct secret *s;

    (void)state;
    if (geteuid() != 0) {
        print_message("SKIPPED: %s: only root can give a file away\n", __func__);
        skip();
    }
    put_file(in_folder("theirs"), 0600, "x", 1);
    assert_int_equal(chown(in_folder("theirs"), 65534, 65534), 0);
    assert_int_equal(secret_read(in_folder("theirs"), 16, true, &s),
                     REASON_FILE_UNSAFE);
    assert_null(s);
}

/* As uid and gid 65534 sees it: what it is told to do makes it readable. */
static void
what_to_do_with_a_mounted_secret_is_true_of_its_owner_and_group(void **state)
{
    enum { US = 65534, OTHER = 1 };
    static const struct {
        uid_t owner;
        gid_t group;
        mode_t mode;
        const char *told;
    } rows[] = {
        { 0, US, 0440, NULL },
        { US, US, 0400, NULL },
        { US, US, 0444, "mode 0444 lets others in, or group write: chmod 0400 it" },
        { 0, US, 0444, "mode 0444 lets others in, or group write: chmod 0440 it" },
        { 0, 0, 0444,
          "mode 0444 lets others in, or group write: chown 65534 it, and chmod 0400" },
        { OTHER, US, 0440,
          "owned by uid 1, not by us or root: chown 65534 it, and chmod 0400" },
        { 0, 0, 0440,
          "Permission denied for uid 65534: chown 65534 it, and chmod 0400 (or chown "
          "root:65534, and chmod 0440)" },
    };

    (void)state;
    if (geteuid() != 0) {
        print_message("SKIPPED: %s: only root can give a file away\n", __func__);
        skip();
    }
    assert_int_equal(chmod(folder, 0711), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf fault = { 0 };
        struct secret *s;

        put_file(in_folder("given"), rows[i].mode, "x", 1);
        assert_int_equal(chown(in_folder("given"), rows[i].owner, rows[i].group), 0);
        assert_int_equal(setegid(US), 0);
        assert_int_equal(seteuid(US), 0);
        assert_int_equal(secret_read_mounted(in_folder("given"), 16, &fault, &s) ==
                             REASON_OK,
                         rows[i].told == NULL);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
        buf_add_byte(&fault, '\0');
        assert_int_equal(s == NULL, rows[i].told != NULL);
        if (rows[i].told != NULL && strstr(buf_text(&fault).at, rows[i].told) == NULL)
            fail_msg("row %zu: %s", i, buf_text(&fault).at);
        secret_free(s);
        buf_free(&fault);
        unlink(in_folder("given"));
    }
}

static void
an_empty_or_too_long_or_missing_file_is_refused(void **state)
{
    static const struct {
        const char *in;
        enum reason why;
    } rows[] = {
        { "", REASON_FILE_CONTENT },
        { "\n", REASON_FILE_CONTENT },
        { "\r\n", REASON_FILE_CONTENT },
        { "exactly sixteen!x", REASON_FILE_CONTENT },
        { "much longer than sixteen bytes, whatever its end is\n",
          REASON_FILE_CONTENT },
    };
    struct secret *s;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_file(in_folder("content"), 0600, rows[i].in, strlen(rows[i].in));
        assert_int_equal(secret_read(in_folder("content"), 16, true, &s), rows[i].why);
        assert_null(s);
    }
    assert_int_equal(secret_read(in_folder("none"), 16, true, &s),
                     REASON_FILE_UNREADABLE);
    assert_null(s);
}

static void
a_forked_child_finds_the_secret_wiped(void **state)
{
    struct secret *s = secret_new("secret", 6);
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(secret_equals(s, TEXT("secret")) ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(secret_equals(s, TEXT("secret")));
    secret_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_gives_back_what_was_put_in),
        cmocka_unit_test(a_secret_equals_itself_alone),
        cmocka_unit_test(a_file_of_ours_alone_is_read),
        cmocka_unit_test(a_file_that_others_may_touch_is_refused),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(a_mounted_secret_is_read_through_its_links),
        cmocka_unit_test(a_mounted_secret_may_be_read_by_its_group_and_by_nobody_else),
        cmocka_unit_test(a_fifo_neither_hangs_us_nor_is_read),
        cmocka_unit_test(a_file_of_someone_else_is_refused),
        cmocka_unit_test(
            what_to_do_with_a_mounted_secret_is_true_of_its_owner_and_group),
        cmocka_unit_test(an_empty_or_too_long_or_missing_file_is_refused),
        cmocka_unit_test(a_forked_child_finds_the_secret_wiped),
    };

    return cmocka_run_group_tests(tests, prepare, finish);
}

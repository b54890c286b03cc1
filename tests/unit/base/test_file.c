/* Files whole or not at all, and directories that are ours. */
#include "base/file.h"
#include "base/log.h"

#include "folder.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int
prepare(void **state)
{
    int failed = folder_make(state);

    return failed != 0 || log_open("/dev/null", LOG_JSON, LOG_ERROR) != REASON_OK;
}

static int
finish(void **state)
{
    log_close();
    return folder_remove(state);
}

static mode_t
mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void
a_file_is_appended_to_what_is_there(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_file(in_folder("a"), 0644, "world", 5);
    buf_add_z(&b, "hello ");
    assert_int_equal(file_read(in_folder("a"), 5, &b), REASON_OK);
    assert_true(text_equals(buf_text(&b), TEXT("hello world")));
    buf_free(&b);
}

static void
a_file_of_any_size_is_read_whole(void **state)
{
    static const size_t sizes[] = {
        0, 1, 4095, 4096, 4097, 20480, 65536, 65537, 300000
    };
    char *bytes = malloc(300000);

    (void)state;
    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf b = { 0 };

        put_file(in_folder("sized"), 0600, bytes, sizes[i]);
        assert_int_equal(file_read(in_folder("sized"), sizes[i], &b), REASON_OK);
        assert_int_equal(buf_length(&b), sizes[i]);
        assert_memory_equal(buf_text(&b).at, bytes, sizes[i]);
        buf_free(&b);
        if (sizes[i] == 0)
            continue;
        assert_int_equal(file_read(in_folder("sized"), sizes[i] - 1, &b),
                         REASON_FILE_CONTENT);
        assert_null(b.mem);
    }
    free(bytes);
}

static void
a_file_whose_size_the_kernel_does_not_tell_is_read_too(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(file_read("/proc/self/stat", 65536, &b), REASON_OK);
    assert_true(buf_length(&b) > 0);
    buf_free(&b);
    assert_int_equal(file_read("/proc/self/stat", 3, &b), REASON_FILE_CONTENT);
    assert_null(b.mem);
}

static void
a_failed_read_leaves_what_was_there(void **state)
{
    struct buf b = { 0 };

    (void)state;
    put_file(in_folder("b"), 0600, "too long", 8);
    buf_add_z(&b, "kept");
    assert_int_equal(file_read(in_folder("b"), 7, &b), REASON_FILE_CONTENT);
    assert_int_equal(file_read(in_folder("none"), 7, &b), REASON_FILE_UNREADABLE);
    assert_int_equal(file_read(folder, 7, &b), REASON_FILE_UNREADABLE);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(file_read(in_folder("fifo"), 7, &b), REASON_FILE_UNREADABLE);
    assert_true(text_equals(buf_text(&b), TEXT("kept")));
    buf_free(&b);
}

static void
a_written_file_has_its_bytes_and_its_mode_whatever_the_umask(void **state)
{
    static const mode_t modes[] = { 0600, 0644, 0640, 0666 };
    mode_t before = umask(0077);

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        char *bytes;

        assert_int_equal(file_write(in_folder("w"), modes[i], TEXT("a\nb\n")),
                         REASON_OK);
        bytes = get_file(in_folder("w"));
        assert_string_equal(bytes, "a\nb\n");
        free(bytes);
        assert_int_equal(mode_of(in_folder("w")), modes[i]);
    }
    umask(before);
}

static void
a_link_in_the_files_place_is_replaced_and_its_target_left(void **state)
{
    char *bytes;

    (void)state;
    put_file(in_folder("target"), 0600, "mine", 4);
    assert_int_equal(symlink("target", in_folder("place")), 0);
    assert_int_equal(file_write(in_folder("place"), 0600, TEXT("new")), REASON_OK);
    bytes = get_file(in_folder("target"));
    assert_string_equal(bytes, "mine");
    free(bytes);
    bytes = get_file(in_folder("place"));
    assert_string_equal(bytes, "new");
    free(bytes);
}

static int
count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static void
a_write_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("d"), 0755), 0);
    assert_int_equal(mkdir(in_folder("d/taken"), 0755), 0);
    assert_int_equal(file_write(in_folder("d/taken"), 0600, TEXT("x")),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(count_entries(in_folder("d")), 1);
    assert_int_equal(file_write(in_folder("nowhere/x"), 0600, TEXT("x")),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(file_write(in_folder("d/"), 0600, TEXT("x")),
                     REASON_FILE_UNREADABLE);
}

static void
a_missing_directory_is_made_with_its_parents(void **state)
{
    mode_t before = umask(0077);

    (void)state;
    assert_int_equal(file_make_directory(in_folder("x/y/public"), 0755), REASON_OK);
    assert_int_equal(mode_of(in_folder("x/y/public")), 0755);
    umask(before);
    assert_int_equal(file_make_directory(in_folder("x/y/own/"), 0700), REASON_OK);
    assert_int_equal(mode_of(in_folder("x/y/own")), 0700);
    assert_int_equal(file_make_directory(in_folder("x/y/own"), 0700), REASON_OK);
}

static void
a_directory_that_others_may_use_is_refused(void **state)
{
    static const struct {
        mode_t there, asked;
        enum reason why;
    } rows[] = {
        { 0755, 0755, REASON_OK },          { 0700, 0755, REASON_OK },
        { 0700, 0700, REASON_OK },          { 0775, 0755, REASON_FILE_UNSAFE },
        { 0757, 0755, REASON_FILE_UNSAFE }, { 01777, 0755, REASON_FILE_UNSAFE },
        { 0755, 0700, REASON_FILE_UNSAFE }, { 0710, 0700, REASON_FILE_UNSAFE },
        { 0701, 0700, REASON_FILE_UNSAFE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(mkdir(in_folder("judged"), 0700), 0);
        assert_int_equal(chmod(in_folder("judged"), rows[i].there), 0);
        assert_int_equal(file_make_directory(in_folder("judged"), rows[i].asked),
                         rows[i].why);
        assert_int_equal(file_judge_directory(in_folder("judged"), rows[i].asked),
                         rows[i].why);
        assert_int_equal(mode_of(in_folder("judged")), rows[i].there);
        assert_int_equal(rmdir(in_folder("judged")), 0);
    }
}

static void
what_is_no_directory_is_refused(void **state)
{
    (void)state;
    put_file(in_folder("plain"), 0600, "x", 1);
    assert_int_equal(file_make_directory(in_folder("plain"), 0700),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(file_judge_directory(in_folder("plain"), 0700),
                     REASON_FILE_UNSAFE);
    assert_int_equal(file_judge_directory(in_folder("nowhere"), 0700),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(file_make_directory(in_folder("plain/x"), 0700),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(mkdir(in_folder("real"), 0700), 0);
    assert_int_equal(symlink("real", in_folder("alias")), 0);
    assert_int_equal(file_judge_directory(in_folder("alias"), 0700),
                     REASON_FILE_UNSAFE);
    assert_int_equal(file_make_directory(in_folder("alias"), 0700),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(file_make_directory("", 0700), REASON_FILE_UNREADABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_appended_to_what_is_there),
        cmocka_unit_test(a_file_of_any_size_is_read_whole),
        cmocka_unit_test(a_file_whose_size_the_kernel_does_not_tell_is_read_too),
        cmocka_unit_test(a_failed_read_leaves_what_was_there),
        cmocka_unit_test(a_written_file_has_its_bytes_and_its_mode_whatever_the_umask),
        cmocka_unit_test(a_link_in_the_files_place_is_replaced_and_its_target_left),
        cmocka_unit_test(a_write_that_fails_leaves_nothing_behind),
        cmocka_unit_test(a_missing_directory_is_made_with_its_parents),
        cmocka_unit_test(a_directory_that_others_may_use_is_refused),
        cmocka_unit_test(what_is_no_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, prepare, finish);
}

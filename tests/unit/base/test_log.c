/* One event is one line is one JSON object, whatever a stranger wrote. */
#include "base/json.h"
#include "base/log.h"

#include "folder.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { LINE_SIZE = 4096 };

/* What was logged since open_log, as text. */
static char *logged;

static void
open_log(enum log_format format, enum log_level level)
{
    unlink(in_folder("log"));
    assert_int_equal(log_open(in_folder("log"), format, level), REASON_OK);
}

static const char *
read_log(void)
{
    free(logged);
    logged = get_file(in_folder("log"));
    return logged;
}

static int
finish(void **state)
{
    free(logged);
    log_close();
    return folder_remove(state);
}

/* The one line of the log, parsed. */
static struct json *
one_line(void)
{
    const char *line = read_log();
    size_t n = strlen(line);
    struct json *j;

    assert_true(n > 1 && n <= LINE_SIZE);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    j = json_parse(text_of(line, n), LINE_SIZE);
    assert_non_null(j);
    return j;
}

static void
assert_string_field(const struct json *j, const char *name, const char *expected)
{
    struct text t;

    assert_true(json_string(json_get(j, name), &t));
    if (!text_equals(t, text_z(expected)))
        fail_msg("%s is \"%.*s\", not \"%s\"", name, TEXT_ARG(t), expected);
}

static void
a_message_has_its_time_its_level_and_its_words(void **state)
{
    struct json *j;
    struct text ts;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    log_warn("kept generation %d", 6);
    j = one_line();
    assert_int_equal(json_count(j), 3);
    assert_true(json_string(json_get(j, "ts"), &ts));
    assert_int_equal(ts.n, 24);
    assert_string_field(j, "level", "warn");
    assert_string_field(j, "msg", "kept generation 6");
    json_free(j);
}

static void
below_its_level_nothing_is_written(void **state)
{
    (void)state;
    open_log(LOG_JSON, LOG_WARN);
    assert_false(log_wants(LOG_INFO));
    assert_true(log_wants(LOG_WARN));
    log_info("no");
    log_debug("no");
    assert_null(log_line_begin(LOG_INFO, "no"));
    log_line_text(NULL, "k", TEXT("v"));
    log_line_z(NULL, "k", "v");
    log_line_number(NULL, "k", 1);
    log_line_bool(NULL, "k", true);
    log_line_list(NULL, "k", NULL, 0);
    log_line_end(NULL);
    assert_string_equal(read_log(), "");
}

static void
fields_stand_in_the_order_they_were_added(void **state)
{
    const struct text list[] = { TEXT("a b"), TEXT("c\"") };
    struct log_line *l;
    const char *line;

    (void)state;
    open_log(LOG_JSON, LOG_DEBUG);
    l = log_line_begin(LOG_INFO, "request");
    log_line_z(l, "who", "agent-42");
    log_line_text(l, "host", TEXT("api.example.com"));
    log_line_z(l, "left_out", NULL);
    log_line_number(l, "status", -200);
    log_line_bool(l, "opaque", true);
    log_line_bool(l, "other", false);
    log_line_list(l, "notes", list, 2);
    log_line_list(l, "none", NULL, 0);
    log_line_end(l);
    line = read_log();
    assert_non_null(strstr(
        line,
        "\"level\":\"info\",\"msg\":\"request\",\"who\":\"agent-42\","
        "\"host\":\"api.example.com\",\"status\":-200,\"opaque\":true,\"other\":false,"
        "\"notes\":[\"a b\",\"c\\\"\"],\"none\":[]}\n"));
    json_free(one_line());
}

static void
whatever_a_stranger_writes_one_event_is_one_line_of_json(void **state)
{
    static const struct text rows[] = {
        TEXT("a\nb"),
        TEXT("a\r\n{\"level\":\"info\"}\n"),
        TEXT("\",\"reason\":\"ok"),
        TEXT("\\"),
        TEXT("\x1b[2J\x07\x7f"),
        TEXT("\xc2\x85\xe2\x80\xa8\xe2\x80\xa9"),
        TEXT("\xc2\x9b"
             "31m"),
        TEXT("\xff\xfe\xc0\xaf\xed\xa0\x80\xf5"),
        TEXT("cut \xe2\x80"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct log_line *l;
        struct json *j;

        open_log(LOG_JSON, LOG_INFO);
        l = log_line_begin(LOG_INFO, "request");
        log_line_text(l, "value", rows[i]);
        log_line_list(l, "list", &rows[i], 1);
        log_line_end(l);
        j = one_line();
        assert_int_equal(json_count(j), 5);
        json_free(j);
        for (const char *c = logged; *c != '\n'; c++)
            assert_in_range((unsigned char)*c, 0x20, 0x7e);

        open_log(LOG_JSON, LOG_INFO);
        log_error("%.*s", TEXT_ARG(rows[i]));
        j = one_line();
        assert_int_equal(json_count(j), 3);
        json_free(j);
    }
}

static void
a_nul_byte_is_escaped_and_hides_nothing(void **state)
{
    struct log_line *l;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    l = log_line_begin(LOG_INFO, "request");
    log_line_text(l, "value", TEXT("a\0b"));
    log_line_end(l);
    assert_non_null(strstr(read_log(), "\"value\":\"a\\u0000b\"}\n"));
}

static void
a_long_value_is_cut_and_the_fields_behind_it_stay(void **state)
{
    static char longs[4][20000];
    static const char *const units[] = { "x", "\n", "\xe2\x82\xac", "\"" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct log_line *l;
        struct json *j;
        struct text cut;
        bool truncated;
        size_t unit = strlen(units[i]);

        for (size_t at = 0; at + unit <= sizeof(longs[i]); at += unit)
            memcpy(longs[i] + at, units[i], unit);
        open_log(LOG_JSON, LOG_INFO);
        l = log_line_begin(LOG_INFO, "request");
        log_line_text(l, "path", text_of(longs[i], sizeof(longs[i])));
        log_line_z(l, "reason", "path_malformed");
        log_line_end(l);
        j = one_line();
        assert_true(json_string(json_get(j, "path"), &cut));
        assert_in_range(cut.n, 150, 1024);
        assert_memory_equal(cut.at, longs[i], cut.n);
        assert_string_field(j, "reason", "path_malformed");
        assert_true(json_bool(json_get(j, "truncated"), &truncated) && truncated);
        json_free(j);
    }
}

static void
a_line_never_grows_past_its_size(void **state)
{
    static char big[9000];
    struct log_line *l;
    struct json *j;

    (void)state;
    memset(big, '\n', sizeof(big));
    for (size_t length = 1; length < 4000; length += 37) {
        struct text values[3] = { text_of(big, length), text_of(big, length / 2),
                                  TEXT("z") };

        open_log(LOG_JSON, LOG_INFO);
        l = log_line_begin(LOG_INFO, "request");
        for (int i = 0; i < 10; i++) {
            log_line_text(
                l,
                (const char *[]){ "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" }[i],
                values[0]);
            log_line_list(
                l,
                (const char *[]){ "A", "B", "C", "D", "E", "F", "G", "H", "I", "J" }[i],
                values, 3);
            log_line_number(
                l,
                (const char *[]){ "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }[i],
                INT64_MIN);
        }
        log_line_end(l);
        j = one_line();
        json_free(j);
    }
}

static void
a_message_too_long_is_cut_and_says_so(void **state)
{
    static char big[30000];
    struct json *j;
    bool truncated;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    open_log(LOG_JSON, LOG_INFO);
    assert_int_equal(log_reason(REASON_SIGN, "%s", big), REASON_SIGN);
    j = one_line();
    assert_true(json_bool(json_get(j, "truncated"), &truncated) && truncated);
    assert_string_field(j, "reason", "sign");
    json_free(j);
}

static void
a_failure_is_logged_with_its_reason_and_errno_stays(void **state)
{
    struct json *j;

    (void)state;
    open_log(LOG_JSON, LOG_ERROR);
    errno = ENOTTY;
    assert_int_equal(log_reason(REASON_FILE_UNSAFE, "%s: mode", "/etc/key"),
                     REASON_FILE_UNSAFE);
    assert_int_equal(errno, ENOTTY);
    j = one_line();
    assert_string_field(j, "level", "error");
    assert_string_field(j, "msg", "/etc/key: mode");
    assert_string_field(j, "reason", "file_unsafe");
    json_free(j);
}

static void
a_tls_failure_takes_the_whole_error_queue_with_it(void **state)
{
    struct json *j;

    (void)state;
    open_log(LOG_JSON, LOG_ERROR);
    for (int i = 0; i < 6; i++)
        ERR_raise(ERR_LIB_X509, ERR_R_PASSED_INVALID_ARGUMENT);
    assert_int_equal(log_tls(REASON_MINT_LEAF, "minting"), REASON_MINT_LEAF);
    assert_int_equal(ERR_peek_error(), 0);
    j = one_line();
    assert_string_field(j, "reason", "mint_leaf");
    assert_int_equal(json_count(json_get(j, "tls")), 4);
    json_free(j);
}

static void
a_message_may_be_logged_while_a_line_is_open(void **state)
{
    struct log_line *l;
    const char *text;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    l = log_line_begin(LOG_INFO, "request");
    log_line_z(l, "a", "1");
    log_error("between");
    log_line_z(l, "b", "2");
    log_line_end(l);
    text = read_log();
    assert_true(strstr(text, "between") < strstr(text, "request"));
    assert_non_null(strstr(text, "\"msg\":\"request\",\"a\":\"1\",\"b\":\"2\"}\n"));
}

static void
on_a_terminal_a_line_is_short_and_cannot_be_forged(void **state)
{
    const struct text list[] = { TEXT("strip"), TEXT("a,b") };
    struct log_line *l;
    const char *line;

    (void)state;
    open_log(LOG_SHORT, LOG_INFO);
    l = log_line_begin(LOG_INFO, "request");
    log_line_z(l, "host", "api.example.com");
    log_line_z(l, "path", "/a b=c");
    log_line_z(l, "x", "y\nreason=ok");
    log_line_z(l, "empty", "");
    log_line_number(l, "status", 200);
    log_line_bool(l, "opaque", true);
    log_line_bool(l, "other", false);
    log_line_list(l, "notes", list, 2);
    log_line_end(l);
    line = read_log();
    assert_string_equal(line + 12, " info request host=api.example.com path=\"/a b=c\""
                                   " x=\"y\\u000areason=ok\" empty=\"\" status=200"
                                   " opaque=true other=false notes=strip,\"a,b\"\n");
    open_log(LOG_SHORT, LOG_INFO);
    log_error("unknown key \"worklod\"\x1b");
    assert_string_equal(read_log() + 12, " error unknown key \"worklod\"\\u001b\n");
}

static void
reopening_follows_a_rotation(void **state)
{
    char *old;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    log_info("before");
    assert_int_equal(rename(in_folder("log"), in_folder("log.1")), 0);
    log_info("still the old one");
    assert_int_equal(log_reopen(), REASON_OK);
    log_info("after");
    old = get_file(in_folder("log.1"));
    assert_non_null(strstr(old, "still the old one"));
    assert_null(strstr(old, "after"));
    free(old);
    assert_non_null(strstr(read_log(), "after"));
}

static void
a_reopening_that_fails_keeps_the_old_file(void **state)
{
    char *old;

    (void)state;
    assert_int_equal(mkdir(in_folder("logs"), 0755), 0);
    assert_int_equal(log_open(in_folder("logs/l"), LOG_JSON, LOG_INFO), REASON_OK);
    assert_int_equal(rename(in_folder("logs"), in_folder("gone")), 0);
    assert_int_equal(log_reopen(), REASON_FILE_UNREADABLE);
    log_info("here still");
    old = get_file(in_folder("gone/l"));
    assert_non_null(strstr(old, "reopen"));
    assert_non_null(strstr(old, "here still"));
    free(old);
}

static void
a_log_that_cannot_be_opened_leaves_the_one_before(void **state)
{
    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    assert_int_equal(log_open(in_folder("no/such/log"), LOG_JSON, LOG_INFO),
                     REASON_FILE_UNREADABLE);
    assert_non_null(strstr(read_log(), "no/such/log"));
}

/* A file that may not grow: the line that does not fit is torn, and the next one begins
 * on its own line. */
static void
a_torn_line_is_ended_before_the_next_one(void **state)
{
    struct rlimit limit, before;
    int torn = 0, whole = 0;
    char *line, *rest;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    signal(SIGXFSZ, SIG_IGN);
    log_info("whole");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = strlen(read_log()) + 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("torn");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_info("whole");

    (void)read_log();
    rest = logged;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        struct json *j = json_parse(text_z(line), LINE_SIZE);

        torn += j == NULL;
        whole += j != NULL && strstr(line, "whole") != NULL;
        json_free(j);
    }
    assert_int_equal(torn, 1);
    assert_int_equal(whole, 2);
}

/* An alarm would end the test, should it wait. */
static void
a_pipe_that_nobody_reads_is_no_log(void **state)
{
    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    assert_int_equal(mkfifo(in_folder("unread"), 0600), 0);
    alarm(100);
    assert_int_equal(log_open(in_folder("unread"), LOG_JSON, LOG_INFO),
                     REASON_FILE_UNREADABLE);
    alarm(0);
    assert_non_null(strstr(read_log(), "unread: open"));
}

/* A pipe whose reader stopped, blocking as standard error is. */
static void
a_stuck_reader_stops_nobody_and_hears_what_he_missed(void **state)
{
    static char text[100000];
    int reader;
    ssize_t n;

    (void)state;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    reader = open(in_folder("pipe"), O_RDONLY | O_NONBLOCK);
    assert_int_equal(log_open(in_folder("pipe"), LOG_JSON, LOG_INFO), REASON_OK);
    for (int i = 0; i < 5000; i++)
        log_info("line %d of many", i);
    n = read(reader, text, sizeof(text));
    assert_in_range(n, 4096, 65536);
    log_info("heard again");
    n = read(reader, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "heard again"));
    assert_non_null(strstr(text, "log lines before this one are lost"));
    assert_true(log_lines_lost() > 0);
    log_close();
    close(reader);
}

/* What happens while a thread is about to write, and its first try is interrupted. */
static void (*meanwhile)(void);
static int bystander = -1;

ssize_t __real_write(int fd, const void *at, size_t n);
ssize_t __wrap_write(int fd, const void *at, size_t n);

ssize_t
__wrap_write(int fd, const void *at, size_t n)
{
    void (*happens)(void) = meanwhile;

    meanwhile = NULL;
    if (happens == NULL)
        return __real_write(fd, at, n);
    happens();
    bystander = open(in_folder("bystander"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    errno = EINTR;
    return -1;
}

static void
rotate(void)
{
    assert_int_equal(rename(in_folder("log"), in_folder("log.1")), 0);
    assert_int_equal(log_reopen(), REASON_OK);
}

static void
move(void)
{
    assert_int_equal(log_open(in_folder("elsewhere"), LOG_JSON, LOG_INFO), REASON_OK);
}

/* It has the number of the descriptor already: that must not be closed under it, least
 * of all be another file's when it tries again. */
static void
a_line_whose_log_is_switched_while_it_is_written_stands_in_the_new_one(void **state)
{
    static const struct {
        void (*happens)(void);
        const char *file;
    } rows[] = { { rotate, "log" }, { move, "elsewhere" } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *found;

        open_log(LOG_JSON, LOG_INFO);
        meanwhile = rows[i].happens;
        log_info("written twice");
        close(bystander);
        found = get_file(in_folder(rows[i].file));
        assert_non_null(strstr(found, "written twice"));
        free(found);
        found = get_file(in_folder("bystander"));
        assert_string_equal(found, "");
        free(found);
    }
}

static void *
log_much(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        struct log_line *l = log_line_begin(LOG_INFO, "request");

        log_line_number(l, "i", i);
        log_line_z(l, "pad",
                   "................................................................");
        log_line_end(l);
    }
    return NULL;
}

static void
threads_do_not_mix_their_lines(void **state)
{
    pthread_t threads[4];
    struct buf b = { 0 };
    struct text rest, line;
    int lines = 0;

    (void)state;
    open_log(LOG_JSON, LOG_INFO);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(log_reopen(), REASON_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    buf_add_z(&b, read_log());
    rest = buf_text(&b);
    while (text_split(&rest, '\n', &line) && line.n > 0) {
        struct json *j = json_parse(line, LINE_SIZE);

        assert_int_equal(json_count(j), 5);
        json_free(j);
        lines++;
    }
    assert_int_equal(lines, 4 * 300);
    buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_its_time_its_level_and_its_words),
        cmocka_unit_test(below_its_level_nothing_is_written),
        cmocka_unit_test(fields_stand_in_the_order_they_were_added),
        cmocka_unit_test(whatever_a_stranger_writes_one_event_is_one_line_of_json),
        cmocka_unit_test(a_nul_byte_is_escaped_and_hides_nothing),
        cmocka_unit_test(a_long_value_is_cut_and_the_fields_behind_it_stay),
        cmocka_unit_test(a_line_never_grows_past_its_size),
        cmocka_unit_test(a_message_too_long_is_cut_and_says_so),
        cmocka_unit_test(a_failure_is_logged_with_its_reason_and_errno_stays),
        cmocka_unit_test(a_tls_failure_takes_the_whole_error_queue_with_it),
        cmocka_unit_test(a_message_may_be_logged_while_a_line_is_open),
        cmocka_unit_test(on_a_terminal_a_line_is_short_and_cannot_be_forged),
        cmocka_unit_test(reopening_follows_a_rotation),
        cmocka_unit_test(a_reopening_that_fails_keeps_the_old_file),
        cmocka_unit_test(a_log_that_cannot_be_opened_leaves_the_one_before),
        cmocka_unit_test(a_torn_line_is_ended_before_the_next_one),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_no_log),
        cmocka_unit_test(a_stuck_reader_stops_nobody_and_hears_what_he_missed),
        cmocka_unit_test(
            a_line_whose_log_is_switched_while_it_is_written_stands_in_the_new_one),
        cmocka_unit_test(threads_do_not_mix_their_lines),
    };

    return cmocka_run_group_tests(tests, folder_make, finish);
}

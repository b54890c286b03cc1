/* A directory of a test's own, gone when the test is over, and the log it wrote
 * meanwhile. */
#ifndef UNIT_CERTS_SCRATCH_H
#define UNIT_CERTS_SCRATCH_H

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[PATH_MAX];

/* scratch/name, in one of a few turning places. */
static inline const char *
in_scratch(const char *name)
{
    static char places[8][2 * PATH_MAX];
    static unsigned turn;
    char *place = places[turn++ % 8];

    snprintf(place, sizeof places[0], "%s/%s", scratch, name);
    return place;
}

static inline int
scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int
scratch_begin(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/holdfast-certs-XXXXXX");
    if (mkdtemp(scratch) == NULL)
        return -1;
    return log_open(in_scratch("log"), LOG_JSON, LOG_INFO) == REASON_OK ? 0 : -1;
}

static inline int
scratch_end(void **state)
{
    (void)state;
    log_close();
    return nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define SCRATCH_TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, scratch_begin, scratch_end)

/* The file's whole text with a NUL behind it; the caller frees. */
static inline char *
read_text(const char *path)
{
    struct buf b = { 0 };
    char *text;

    assert_int_equal(file_read(path, 8 * 1024 * 1024, &b), REASON_OK);
    text = strndup(buf_text(&b).n > 0 ? buf_text(&b).at : "", buf_text(&b).n);
    buf_free(&b);
    assert_non_null(text);
    return text;
}

static inline bool
file_says(const char *path, const char *words)
{
    char *text = read_text(path);
    bool says = strstr(text, words) != NULL;

    free(text);
    return says;
}

static inline bool
log_says(const char *words)
{
    return file_says(in_scratch("log"), words);
}

static inline void
write_text(const char *path, mode_t mode, const char *text)
{
    assert_int_equal(file_write(path, mode, text_z(text)), REASON_OK);
}

static inline unsigned
mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_uid, geteuid());
    return st.st_mode & 07777;
}

/* Runs a program of strangers; its exit status. What it says goes to the test's own
 * output. */
static inline int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int
run(const char *format, ...)
{
    char command[4 * PATH_MAX];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    fflush(NULL);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool
has_program(const char *name)
{
    return run("command -v %s >/dev/null", name) == 0;
}

#endif

/* Strangers are asked: a command of Node's or Python's reads a document and answers.
 * `npm ci` in tests/node first; without it such tests are skipped by name. */
#ifndef TESTS_STRANGER_H
#define TESTS_STRANGER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODE_DIRECTORY SOURCE_DIR "/tests/node"

enum { NOT_THERE = 77 };

static inline void
stranger_become(const char *const *command, const char *input_file, int output)
{
    int input = open(input_file, O_RDONLY);

    if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 ||
        chdir(NODE_DIRECTORY) != 0)
        _exit(NOT_THERE);
    execvp(command[0], (char *const *)(uintptr_t)command);
    _exit(NOT_THERE);
}

/* Runs a command on a document; its answer is appended. Returns its exit status. */
static inline int
stranger_ask(const char *const *command, struct text input, struct buf *output)
{
    char input_file[] = "/tmp/holdfast-stranger-XXXXXX";
    int made = mkstemp(input_file), ends[2], status;
    ssize_t n;
    pid_t pid;

    assert_true(made >= 0);
    close(made);
    assert_int_equal(file_write(input_file, 0600, input), REASON_OK);
    assert_int_equal(pipe(ends), 0);
    if ((pid = fork()) == 0)
        stranger_become(command, input_file, ends[1]);
    close(ends[1]);
    while ((n = read(ends[0], buf_reserve(output, 65536), 65536)) > 0)
        buf_commit(output, (size_t)n);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(input_file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void
stranger_need(const char *test, const char *package)
{
    char path[512];

    snprintf(path, sizeof path, "%s/node_modules/%s/package.json", NODE_DIRECTORY,
             package);
    if (access(path, R_OK) == 0)
        return;
    printf("SKIPPED: %s: %s is not there (npm ci)\n", test, path);
    skip();
}

#endif

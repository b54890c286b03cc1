/* Whole files, in and out, and the directories they stand in. */
#include "base/file.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum reason
failed(const char *path, const char *doing)
{
    return log_reason(REASON_FILE_UNREADABLE, "%s: %s: %s", path, doing,
                      strerror(errno));
}

/* One byte more than the limit is asked for, so that a file at the limit is told from
 * one beyond it. */
static enum reason
read_whole(int fd, const char *path, size_t max, struct buf *out)
{
    enum { STEP = 16384 };
    size_t taken = 0;
    ssize_t got;

    do {
        size_t room = out->size > out->end ? out->size - out->end : STEP;

        if (room > max - taken)
            room = max - taken + 1;
        got = read(fd, buf_reserve(out, room), room);
        if (got > 0)
            buf_commit(out, (size_t)got);
        taken += got > 0 ? (size_t)got : 0;
        if (taken > max)
            return log_reason(REASON_FILE_CONTENT, "%s: more than %zu bytes", path,
                              max);
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        return failed(path, "read");
    buf_commit(out, 0);
    return REASON_OK;
}

enum reason
file_read(const char *path, size_t max, struct buf *out)
{
    enum reason why = REASON_FILE_UNREADABLE;
    size_t before = buf_length(out);
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        failed(path, "open");
        goto done;
    }
    /* A fifo or a device has no end to wait for. */
    if (!S_ISREG(st.st_mode)) {
        log_reason(why, "%s: not a regular file", path);
        goto done;
    }
    /* In one piece, so that growing copies nothing. */
    if (st.st_size >= 0 && (uintmax_t)st.st_size <= max)
        buf_reserve(out, (size_t)st.st_size + 1);
    why = read_whole(fd, path, max, out);
done:
    if (why != REASON_OK)
        buf_truncate(out, before);
    if (fd >= 0)
        close(fd);
    return why;
}

/* Splits "/a/b" into "/a" and "b"; a bare name stands in ".". */
static bool
split_path(const char *path, char dir[PATH_MAX], char name[NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    if (*last == '\0' || strlen(last) > NAME_MAX || n >= PATH_MAX) {
        errno = EINVAL;
        return false;
    }
    strcpy(name, last);
    if (slash == NULL)
        strcpy(dir, ".");
    else if (n == 0)
        strcpy(dir, "/");
    else
        snprintf(dir, PATH_MAX, "%.*s", (int)n, path);
    return true;
}

/* A name nobody can have put a link at before us. */
static void
temporary_name(char out[32])
{
    uint64_t random[1];

    random_bytes(random, sizeof(random));
    snprintf(out, 32, ".holdfast-%016llx", (unsigned long long)random[0]);
}

static bool
write_whole(int fd, struct text bytes)
{
    while (bytes.n > 0) {
        ssize_t put = write(fd, bytes.at, bytes.n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes = text_of(bytes.at + put, bytes.n - (size_t)put);
    }
    return true;
}

/* These very bytes stand there already, ours and with this mode. A start that changes
 * nothing then waits for no disk. */
static bool
holds(const char *path, mode_t mode, struct text bytes)
{
    struct buf there = { 0 };
    struct stat st;
    bool same = lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                st.st_uid == geteuid() && (st.st_mode & 07777) == mode &&
                (uintmax_t)st.st_size == bytes.n &&
                file_read(path, bytes.n, &there) == REASON_OK &&
                text_equals(buf_text(&there), bytes);

    buf_wipe(&there);
    return same;
}

enum reason
file_write(const char *path, mode_t mode, struct text bytes)
{
    enum reason why = REASON_FILE_UNREADABLE;
    char dir[PATH_MAX], name[NAME_MAX + 1], temporary[32];
    const char *doing = "open its directory";
    bool is_made = false;
    int at = -1, fd = -1;

    if (holds(path, mode, bytes))
        return REASON_OK;
    if (!split_path(path, dir, name) ||
        (at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        goto done;
    doing = "create";
    temporary_name(temporary);
    /* 0600 until the bytes are in: with mode 0644 nobody reads half of them. */
    fd = openat(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    if (fd < 0)
        goto done;
    is_made = true;
    doing = "write";
    if (!write_whole(fd, bytes) || fchmod(fd, mode) != 0 || fsync(fd) != 0)
        goto done;
    doing = "rename";
    if (renameat(at, temporary, at, name) != 0)
        goto done;
    is_made = false;
    doing = "sync its directory";
    if (fsync(at) == 0)
        why = REASON_OK;
done:
    if (why != REASON_OK)
        failed(path, doing);
    if (is_made)
        unlinkat(at, temporary, 0);
    if (fd >= 0)
        close(fd);
    if (at >= 0)
        close(at);
    return why;
}

/* mkdir(2) for each parent; one that is there already is as good. */
static bool
make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        int made;

        *slash = '\0';
        made = mkdir(path, 0755);
        *slash = '/';
        if (made != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static enum reason
judge_directory(const char *path, mode_t mode, const struct stat *st)
{
    mode_t forbidden = S_IWGRP | S_IWOTH;

    if ((mode & (S_IRWXG | S_IRWXO)) == 0)
        forbidden = S_IRWXG | S_IRWXO;
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return log_reason(REASON_FILE_UNSAFE, "%s: owned by uid %u, not by us or root",
                          path, (unsigned)st->st_uid);
    if ((st->st_mode & forbidden) != 0)
        return log_reason(REASON_FILE_UNSAFE,
                          "%s: mode %04o is open to others: chmod %04o it", path,
                          (unsigned)(st->st_mode & 07777), (unsigned)mode);
    return REASON_OK;
}

enum reason
file_judge_directory(const char *path, mode_t mode)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return failed(path, "look at directory");
    if (!S_ISDIR(st.st_mode))
        return log_reason(REASON_FILE_UNSAFE, "%s: not a directory", path);
    return judge_directory(path, mode, &st);
}

enum reason
file_make_directory(const char *path, mode_t mode)
{
    enum reason why = REASON_FILE_UNREADABLE;
    char *copy = memory_copy_z(path);
    size_t n = strlen(copy);
    bool is_new;
    struct stat st;
    int fd = -1;

    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    if (n == 0 || !make_parents(copy)) {
        failed(path, "make its parents");
        goto done;
    }
    is_new = mkdir(copy, mode & 0700) == 0;
    if (!is_new && errno != EEXIST) {
        failed(path, "make directory");
        goto done;
    }
    fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (is_new && fchmod(fd, mode) != 0) || fstat(fd, &st) != 0) {
        failed(path, "open directory");
        goto done;
    }
    why = judge_directory(path, mode, &st);
done:
    if (fd >= 0)
        close(fd);
    free(copy);
    return why;
}

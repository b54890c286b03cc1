/* A fresh folder for one test, and its end. */
#ifndef TESTS_UNIT_BASE_FOLDER_H
#define TESTS_UNIT_BASE_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX];

static inline int
folder_make(void **state)
{
    const char *root = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof(folder), "%s/holdfast-test-XXXXXX",
             root != NULL ? root : "/tmp");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int
folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

static inline int
folder_remove(void **state)
{
    (void)state;
    return nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the folder; good until the fourth call after it. */
static inline const char *
in_folder(const char *name)
{
    static char paths[4][2 * PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static inline void
put_file(const char *path, mode_t mode, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || fchmod(fd, mode) != 0)
        abort();
    close(fd);
}

/* The whole file as a string; the caller frees it. */
static inline char *
get_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    char *bytes = calloc(1, 1 << 20);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, (1 << 20) - 1);

    if (n < 0)
        abort();
    close(fd);
    return bytes;
}

#endif

/* Secrets live on pages of their own, which are locked, left out of core dumps and
 * empty in a forked child, each as far as the kernel grants it. */
#include "base/secret.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret {
    size_t n;
    size_t room; /* bytes mapped */
    char *bytes;
};

static struct secret *
secret_with_room(size_t room)
{
    struct secret *s = memory_new(sizeof(*s));

    s->room = room > 0 ? room : 1;
    s->bytes = mmap(NULL, s->room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    if (s->bytes == MAP_FAILED)
        memory_exhausted();
    /* Best effort: RLIMIT_MEMLOCK may be small, and a core limit of 0 stands behind
     * these. */
    mlock(s->bytes, s->room);
    madvise(s->bytes, s->room, MADV_DONTDUMP);
    madvise(s->bytes, s->room, MADV_WIPEONFORK);
    return s;
}

struct secret *
secret_new(const void *bytes, size_t n)
{
    struct secret *s = secret_with_room(n);

    if (n > 0)
        memcpy(s->bytes, bytes, n);
    s->n = n;
    return s;
}

void
secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    OPENSSL_cleanse(s->bytes, s->room);
    munmap(s->bytes, s->room);
    free(s);
}

struct text
secret_reveal(const struct secret *s)
{
    return text_of(s->bytes, s->n);
}

bool
secret_equals(const struct secret *s, struct text t)
{
    /* An empty secret opens nothing. */
    return s->n > 0 && text_equals_constant_time(secret_reveal(s), t);
}

/* What is asked of a file besides being one. */
enum guard { GUARD_NONE, GUARD_OWNER_ONLY, GUARD_MOUNTED };

static const struct {
    mode_t forbidden;
    const char *fault;
} guards[] = {
    [GUARD_OWNER_ONLY] = { S_IRWXG | S_IRWXO, "lets group or others in; make it 0600" },
    [GUARD_MOUNTED] = { S_IWGRP | S_IRWXO,
                        "lets others in, or group write: chmod 0440 it (in a Secret "
                        "volume: defaultMode: 0440)" },
};

/* Judged on the descriptor, after opening: the path may be another file by now. */
static enum reason
judge_file(int fd, const char *path, enum guard guard)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return log_reason(REASON_FILE_UNREADABLE, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return log_reason(REASON_FILE_UNSAFE, "%s: not a regular file", path);
    if (guard == GUARD_NONE)
        return REASON_OK;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return log_reason(REASON_FILE_UNSAFE,
                          "%s: owned by uid %u, not by us or root: chown it", path,
                          (unsigned)st.st_uid);
    if ((st.st_mode & guards[guard].forbidden) != 0)
        return log_reason(REASON_FILE_UNSAFE, "%s: mode %04o %s", path,
                          (unsigned)(st.st_mode & 07777), guards[guard].fault);
    return REASON_OK;
}

/* Fills s to its room or to the end of the file. */
static enum reason
read_into(int fd, const char *path, struct secret *s)
{
    ssize_t got;

    do {
        got = read(fd, s->bytes + s->n, s->room - s->n);
        if (got > 0)
            s->n += (size_t)got;
    } while ((got > 0 && s->n < s->room) || (got < 0 && errno == EINTR));
    if (got < 0)
        return log_reason(REASON_FILE_UNREADABLE, "%s: %s", path, strerror(errno));
    return REASON_OK;
}

static size_t
without_newline(const struct secret *s)
{
    size_t n = s->n;

    if (n > 0 && s->bytes[n - 1] == '\n')
        n--;
    if (n < s->n && n > 0 && s->bytes[n - 1] == '\r')
        n--;
    return n;
}

/* O_NONBLOCK: a fifo put in its place must not hang us. */
static enum reason
open_file(const char *path, enum guard guard, int *fd)
{
    int follow = guard == GUARD_MOUNTED ? 0 : O_NOFOLLOW;

    *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | follow);
    /* A volume's link may be swapped, and what it pointed to go, while we walk along
     * it. */
    if (*fd < 0 && errno == ENOENT && guard == GUARD_MOUNTED)
        *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd >= 0)
        return judge_file(*fd, path, guard);
    if (errno == ELOOP && follow != 0)
        return log_reason(REASON_FILE_UNSAFE, "%s: is a link", path);
    return log_reason(REASON_FILE_UNREADABLE, "%s: %s", path, strerror(errno));
}

static enum reason
read_guarded(const char *path, size_t max, enum guard guard, struct secret **out)
{
    struct secret *whole = NULL;
    enum reason why;
    size_t n;
    int fd;

    *out = NULL;
    assert(max < SIZE_MAX);
    if ((why = open_file(path, guard, &fd)) != REASON_OK)
        goto done;
    whole = secret_with_room(max + 1);
    if ((why = read_into(fd, path, whole)) != REASON_OK)
        goto done;
    n = without_newline(whole);
    if (whole->n > max || n == 0) {
        why = log_reason(REASON_FILE_CONTENT, "%s: %s", path,
                         n == 0 ? "is empty" : "is too long");
        goto done;
    }
    *out = secret_new(whole->bytes, n);
done:
    secret_free(whole);
    if (fd >= 0)
        close(fd);
    return why;
}

enum reason
secret_read(const char *path, size_t max, bool owner_only, struct secret **out)
{
    return read_guarded(path, max, owner_only ? GUARD_OWNER_ONLY : GUARD_NONE, out);
}

enum reason
secret_read_mounted(const char *path, size_t max, struct secret **out)
{
    return read_guarded(path, max, GUARD_MOUNTED, out);
}

/* Secrets live on pages of their own, which are locked, left out of core dumps and
 * empty in a forked child, each as far as the kernel grants it. */
#include "base/secret.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
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
enum guard { GUARD_NONE, GUARD_OWNER_ONLY, GUARD_MOUNTED, GUARD_SHOWN };

static const struct {
    mode_t forbidden;
    const char *fault, *mode; /* what is wrong, and what its owner's reader wants */
} guards[] = {
    [GUARD_OWNER_ONLY] = { S_IRWXG | S_IRWXO, "lets group or others in", "0600" },
    [GUARD_MOUNTED] = { S_IWGRP | S_IRWXO, "lets others in, or group write", "0400" },
    [GUARD_SHOWN] = { S_IWGRP | S_IWOTH, "lets group or others write", "0644" },
};

/* A file that is asked for; who wants to tell what is wrong with it has `fault`, else
 * it is logged. */
struct wanted {
    const char *path;
    size_t max;
    enum guard guard;
    struct buf *fault;
};

__attribute__((format(printf, 3, 4))) static enum reason
tell(const struct wanted *w, enum reason why, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (w->fault == NULL)
        return log_reason(why, "%s: %s", w->path, message);
    buf_printf(w->fault, "%s: %s", w->path, message);
    return why;
}

/* What an orchestrator mounts is made of links. */
static bool
is_mounted(const struct wanted *w)
{
    return w->guard == GUARD_MOUNTED || w->guard == GUARD_SHOWN;
}

static bool
is_our_group(gid_t group)
{
    gid_t groups[256];
    int n = getgroups(sizeof groups / sizeof *groups, groups);

    for (int i = 0; i < n; i++)
        if (groups[i] == group)
            return true;
    return group == getegid();
}

/* What makes it readable by us and by nobody else: of root's files we read only what
 * their group may. */
static enum reason
tell_mode(const struct wanted *w, const struct stat *st)
{
    unsigned mode = (unsigned)(st->st_mode & 07777), us = (unsigned)geteuid();
    const char *fault = guards[w->guard].fault, *wanted = guards[w->guard].mode;

    if (st->st_uid == geteuid())
        return tell(w, REASON_FILE_UNSAFE, "mode %04o %s: chmod %s it", mode, fault,
                    wanted);
    if (w->guard == GUARD_MOUNTED && is_our_group(st->st_gid))
        return tell(w, REASON_FILE_UNSAFE,
                    "mode %04o %s: chmod 0440 it (in a Secret volume: defaultMode: "
                    "0440)",
                    mode, fault);
    return tell(w, REASON_FILE_UNSAFE, "mode %04o %s: chown %u it, and chmod %s", mode,
                fault, us, wanted);
}

/* Judged on the descriptor, after opening: the path may be another file by now. */
static enum reason
judge_file(int fd, const struct wanted *w)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return tell(w, REASON_FILE_UNREADABLE, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return tell(w, REASON_FILE_UNSAFE, "not a regular file");
    if (w->guard == GUARD_NONE)
        return REASON_OK;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return tell(w, REASON_FILE_UNSAFE,
                    "owned by uid %u, not by us or root: chown %u it, and chmod %s",
                    (unsigned)st.st_uid, (unsigned)geteuid(), guards[w->guard].mode);
    if ((st.st_mode & guards[w->guard].forbidden) != 0)
        return tell_mode(w, &st);
    return REASON_OK;
}

/* Fills s to its room or to the end of the file. */
static enum reason
read_into(int fd, const struct wanted *w, struct secret *s)
{
    ssize_t got;

    do {
        got = read(fd, s->bytes + s->n, s->room - s->n);
        if (got > 0)
            s->n += (size_t)got;
    } while ((got > 0 && s->n < s->room) || (got < 0 && errno == EINTR));
    if (got < 0)
        return tell(w, REASON_FILE_UNREADABLE, "%s", strerror(errno));
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

/* Whom it must let in, and how a file of a kind that is guarded does that. */
static enum reason
tell_unopened(const struct wanted *w)
{
    unsigned us = (unsigned)geteuid(), group = (unsigned)getegid();

    switch (errno == EACCES ? w->guard : GUARD_NONE) {
    case GUARD_OWNER_ONLY:
        return tell(w, REASON_FILE_UNREADABLE,
                    "Permission denied for uid %u: chown %u it, and chmod 0600", us,
                    us);
    case GUARD_MOUNTED:
        return tell(
            w, REASON_FILE_UNREADABLE,
            "Permission denied for uid %u: chown %u it, and chmod 0400 (or "
            "chown root:%u, and chmod 0440), in directories that let it through",
            us, us, group);
    default:
        return tell(w, REASON_FILE_UNREADABLE, "%s", strerror(errno));
    }
}

/* O_NONBLOCK: a fifo put in its place must not hang us. */
static enum reason
open_file(const struct wanted *w, int *fd)
{
    int follow = is_mounted(w) ? 0 : O_NOFOLLOW;

    *fd = open(w->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | follow);
    /* A volume's link may be swapped, and what it pointed to go, while we walk along
     * it. */
    if (*fd < 0 && errno == ENOENT && is_mounted(w))
        *fd = open(w->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd >= 0)
        return judge_file(*fd, w);
    if (errno == ELOOP && follow != 0)
        return tell(w, REASON_FILE_UNSAFE, "is a link");
    return tell_unopened(w);
}

static enum reason
read_wanted(const struct wanted *w, struct secret **out)
{
    struct secret *whole = NULL;
    enum reason why;
    size_t n;
    int fd;

    *out = NULL;
    assert(w->max < SIZE_MAX);
    if ((why = open_file(w, &fd)) != REASON_OK)
        goto done;
    whole = secret_with_room(w->max + 1);
    if ((why = read_into(fd, w, whole)) != REASON_OK)
        goto done;
    n = without_newline(whole);
    if (whole->n > w->max || n == 0) {
        why = tell(w, REASON_FILE_CONTENT, n == 0 ? "is empty" : "is too long");
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
    const struct wanted w = { .path = path,
                              .max = max,
                              .guard = owner_only ? GUARD_OWNER_ONLY : GUARD_NONE };

    return read_wanted(&w, out);
}

enum reason
secret_read_mounted(const char *path, size_t max, struct buf *fault,
                    struct secret **out)
{
    const struct wanted w = {
        .path = path, .max = max, .guard = GUARD_MOUNTED, .fault = fault
    };

    return read_wanted(&w, out);
}

enum reason
secret_read_shown(const char *path, size_t max, struct buf *fault, struct secret **out)
{
    const struct wanted w = {
        .path = path, .max = max, .guard = GUARD_SHOWN, .fault = fault
    };

    return read_wanted(&w, out);
}

#include "proxy/unix_socket.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char *
directory_of(const char *path)
{
    char *copy = memory_copy_z(path), *slash = strrchr(copy, '/');

    if (slash == copy)
        slash++; /* "/socket" stands in "/" */
    if (slash != NULL)
        *slash = '\0';
    return copy;
}

/* A relative one would be another for each who names it. */
static enum reason
judge_path(const char *key, const char *path)
{
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    size_t n = strlen(path);

    if (path[0] != '/' || path[n - 1] == '/')
        return log_reason(REASON_CONFIG, "%s: \"%s\" is not the whole path of a socket",
                          key, path);
    if (n > most)
        return log_reason(REASON_CONFIG,
                          "%s: \"%s\" has %zu bytes, a socket's path at most %zu", key,
                          path, n, most);
    return REASON_OK;
}

enum reason
unix_socket_prepare(const struct identity *who, const char *key, const char *path,
                    mode_t mode)
{
    enum reason why = judge_path(key, path);
    char *directory;

    if (why != REASON_OK)
        return why;
    directory = directory_of(path);
    why = identity_own_directory(who, directory, mode);
    free(directory);
    return why;
}

static void
address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(out->sun_path, path, strlen(path));
}

/* A full queue is an answer too: somebody listens, and is busy. */
static enum reason
judge_answer(const struct unix_terms *t, const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = 0;

    if (fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) != 0)
        failure = errno;
    if (fd >= 0)
        close(fd);
    if (failure == ECONNREFUSED || failure == ENOENT)
        return REASON_OK;
    return log_reason(REASON_CANNOT_BIND, "%s: %s: %s", t->key, t->path,
                      failure == 0 || failure == EAGAIN
                          ? "another process answers there"
                          : strerror(failure));
}

static enum reason
remove_stale(const struct unix_terms *t, const struct sockaddr_un *at)
{
    struct stat st;
    enum reason why;

    if (lstat(t->path, &st) != 0)
        return errno == ENOENT ? REASON_OK
                               : log_reason(REASON_FILE_UNREADABLE, "%s: %s: %s",
                                            t->key, t->path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return log_reason(REASON_FILE_UNSAFE, "%s: %s is there and is no socket",
                          t->key, t->path);
    if (st.st_uid != geteuid())
        return log_reason(REASON_FILE_UNSAFE, "%s: %s belongs to uid %u, not to us",
                          t->key, t->path, (unsigned)st.st_uid);
    if ((why = judge_answer(t, at)) != REASON_OK)
        return why;
    if (unlink(t->path) != 0 && errno != ENOENT)
        return log_reason(REASON_FILE_UNREADABLE, "%s: %s: remove: %s", t->key, t->path,
                          strerror(errno));
    return REASON_OK;
}

/* Born with its mode: there is no moment in which another could connect. */
static enum reason
bind_and_listen(const struct unix_terms *t, const struct sockaddr_un *at,
                struct unix_socket *s)
{
    mode_t before = umask(0777 & ~t->mode);
    int bound;
    struct stat st;

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bound = s->fd < 0 ? -1 : bind(s->fd, (const struct sockaddr *)at, sizeof *at);
    (void)umask(before);
    if (bound != 0 || lstat(s->path, &st) != 0 || listen(s->fd, t->backlog) != 0)
        return log_reason(REASON_CANNOT_BIND, "%s: %s: %s", t->key, s->path,
                          strerror(errno));
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return REASON_OK;
}

enum reason
unix_socket_open(const struct unix_terms *t, struct unix_socket *out)
{
    char *directory = NULL;
    struct sockaddr_un at;
    enum reason why;

    *out = (struct unix_socket){ .fd = -1, .path = memory_copy_z(t->path) };
    if ((why = judge_path(t->key, t->path)) != REASON_OK)
        goto done;
    directory = directory_of(t->path);
    address_of(t->path, &at);
    if ((why = file_make_directory(directory, 0755)) == REASON_OK &&
        (why = remove_stale(t, &at)) == REASON_OK)
        why = bind_and_listen(t, &at, out);
done:
    free(directory);
    if (why != REASON_OK)
        unix_socket_close(out);
    return why;
}

static bool
stands_there(const struct unix_socket *s)
{
    struct stat st;

    return s->inode != 0 && lstat(s->path, &st) == 0 && st.st_dev == s->device &&
           st.st_ino == s->inode;
}

enum reason
unix_socket_give(const struct unix_socket *s, const char *key, gid_t group)
{
    errno = ENOENT;
    if (stands_there(s) && lchown(s->path, (uid_t)-1, group) == 0)
        return REASON_OK;
    return log_reason(REASON_CANNOT_BIND, "%s: %s: give it to group %u: %s", key,
                      s->path, (unsigned)group, strerror(errno));
}

void
unix_socket_close(struct unix_socket *s)
{
    if (stands_there(s))
        (void)unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    *s = (struct unix_socket){ .fd = -1 };
}

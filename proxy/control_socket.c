#include "proxy/control_socket.h"

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

enum { BACKLOG = 16 };

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
judge_path(const char *path)
{
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    size_t n = strlen(path);

    if (path[0] != '/' || path[n - 1] == '/')
        return log_reason(REASON_CONFIG,
                          "control.socket: \"%s\" is not the whole path of a socket",
                          path);
    if (n > most)
        return log_reason(
            REASON_CONFIG,
            "control.socket: \"%s\" has %zu bytes, a socket's path at most %zu", path,
            n, most);
    return REASON_OK;
}

enum reason
control_socket_prepare(const struct identity *who, const char *path)
{
    enum reason why = judge_path(path);
    char *directory;

    if (why != REASON_OK)
        return why;
    directory = directory_of(path);
    why = identity_own_directory(who, directory, 0700);
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
judge_answer(const char *path, const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = 0;

    if (fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) != 0)
        failure = errno;
    if (fd >= 0)
        close(fd);
    if (failure == ECONNREFUSED || failure == ENOENT)
        return REASON_OK;
    return log_reason(REASON_CANNOT_BIND, "control.socket: %s: %s", path,
                      failure == 0 || failure == EAGAIN
                          ? "another process answers there"
                          : strerror(failure));
}

static enum reason
remove_stale(const char *path, const struct sockaddr_un *at)
{
    struct stat st;
    enum reason why;

    if (lstat(path, &st) != 0)
        return errno == ENOENT
                   ? REASON_OK
                   : log_reason(REASON_FILE_UNREADABLE, "control.socket: %s: %s", path,
                                strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return log_reason(REASON_FILE_UNSAFE,
                          "control.socket: %s is there and is no socket", path);
    if (st.st_uid != geteuid())
        return log_reason(REASON_FILE_UNSAFE,
                          "control.socket: %s belongs to uid %u, not to us", path,
                          (unsigned)st.st_uid);
    if ((why = judge_answer(path, at)) != REASON_OK)
        return why;
    if (unlink(path) != 0 && errno != ENOENT)
        return log_reason(REASON_FILE_UNREADABLE, "control.socket: %s: remove: %s",
                          path, strerror(errno));
    return REASON_OK;
}

/* Born with its mode: there is no moment in which another could connect. */
static enum reason
bind_and_listen(struct control_socket *s, const struct sockaddr_un *at)
{
    mode_t before = umask(0177);
    int bound;
    struct stat st;

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bound = s->fd < 0 ? -1 : bind(s->fd, (const struct sockaddr *)at, sizeof *at);
    (void)umask(before);
    if (bound != 0 || lstat(s->path, &st) != 0 || listen(s->fd, BACKLOG) != 0)
        return log_reason(REASON_CANNOT_BIND, "control.socket: %s: %s", s->path,
                          strerror(errno));
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return REASON_OK;
}

enum reason
control_socket_open(const char *path, struct control_socket *out)
{
    char *directory = NULL;
    struct sockaddr_un at;
    enum reason why;

    *out = (struct control_socket){ .fd = -1, .path = memory_copy_z(path) };
    if ((why = judge_path(path)) != REASON_OK)
        goto done;
    directory = directory_of(path);
    address_of(path, &at);
    if ((why = file_make_directory(directory, 0755)) == REASON_OK &&
        (why = remove_stale(path, &at)) == REASON_OK)
        why = bind_and_listen(out, &at);
done:
    free(directory);
    if (why != REASON_OK)
        control_socket_close(out);
    return why;
}

void
control_socket_close(struct control_socket *s)
{
    struct stat st;

    if (s->inode != 0 && lstat(s->path, &st) == 0 && st.st_dev == s->device &&
        st.st_ino == s->inode)
        (void)unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    *s = (struct control_socket){ .fd = -1 };
}

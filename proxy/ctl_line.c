#include "proxy/ctl_line.h"

#include "base/json_write.h"
#include "conf/conf.h"
#include "proxy/ctl_print.h"
#include "proxy/run.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 << 20, READ_STEP = 65536, ANSWER_WITHIN_S = 30 };

int
ctl_complain(bool quiet, int code, const char *format, ...)
{
    va_list values;

    if (quiet)
        return code;
    fputs("holdfast: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return code;
}

static void
print_lines(struct text lines)
{
    struct text line;

    while (text_split(&lines, '\n', &line)) {
        if (text_is_empty(line))
            continue;
        print_text(stderr, line);
        fputc('\n', stderr);
    }
}

/* ---- finding it */

/* Whom the config's Holdfast runs as; what we are when it does not say. */
static uid_t
uid_of(const char *user)
{
    struct passwd *entry;
    uint64_t number;

    if (user == NULL)
        return geteuid();
    if (text_to_u64(text_z(user), UINT32_MAX - 1, &number))
        return (uid_t)number;
    entry = getpwnam(user);
    return entry != NULL ? entry->pw_uid : geteuid();
}

/* Where, and who must answer there; -1: whoever holds the socket that was named. */
static int
find(const struct ctl *c, bool quiet, char **path, int64_t *uid)
{
    struct buf report = { 0 };
    char *user = NULL;
    int code = EXIT_OK;

    *path = NULL;
    *uid = -1;
    if (c->socket != NULL) {
        *path = strdup(c->socket);
        return *path != NULL ? EXIT_OK : EXIT_RUNTIME;
    }
    if (conf_find_control(c->config, &report, path, &user) != REASON_OK) {
        if (!quiet)
            print_lines(buf_text(&report));
        code = ctl_complain(
            quiet, EXIT_CONFIG,
            "%s does not tell where the control socket is: name it with "
            "--socket",
            c->config);
    } else if (*path == NULL) {
        code = ctl_complain(quiet, EXIT_CONFIG, "%s has no control.socket", c->config);
    } else {
        *uid = uid_of(user);
    }
    buf_free(&report);
    free(user);
    return code;
}

static int
tell_failure(bool quiet, const char *path)
{
    if (errno == ENOENT || errno == ECONNREFUSED)
        return ctl_complain(quiet, EXIT_RUNTIME, "nobody listens on %s: is it running?",
                            path);
    if (errno == EAGAIN)
        return ctl_complain(quiet, EXIT_RUNTIME, "%s: nobody answers: is it stuck?",
                            path);
    if (errno == EACCES || errno == EPERM)
        return ctl_complain(
            quiet, EXIT_RUNTIME,
            "%s: not allowed: it is for root and for Holdfast's own user", path);
    return ctl_complain(quiet, EXIT_RUNTIME, "%s: %s", path, strerror(errno));
}

/* Where a directory was put in another's place, somebody else would answer. */
static int
judge_peer(int fd, bool quiet, const char *path, int64_t uid)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
        return tell_failure(quiet, path);
    if (uid < 0 || peer.uid == 0 || (int64_t)peer.uid == uid)
        return EXIT_OK;
    return ctl_complain(quiet, EXIT_RUNTIME,
                        "%s: uid %u answers there, not Holdfast (uid %lld): not asked",
                        path, (unsigned)peer.uid, (long long)uid);
}

/* One whose loop is stuck still has a queue, in which a connection would wait for ever.
 */
static int
dial_path(const char *path, bool quiet, int *fd)
{
    const struct timeval limit = { ANSWER_WITHIN_S, 0 };
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof at.sun_path)
        return ctl_complain(quiet, EXIT_USAGE, "%s: too long for a socket's path",
                            path);
    memcpy(at.sun_path, path, strlen(path));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0)
        (void)setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (*fd < 0 || connect(*fd, (const struct sockaddr *)&at, sizeof at) != 0)
        return tell_failure(quiet, path);
    return EXIT_OK;
}

/* ---- talking */

/* It may close on us before it has read this, and say why: that is read then. */
static void
send_text(int fd, struct text line)
{
    while (line.n > 0) {
        ssize_t put = send(fd, line.at, line.n, MSG_NOSIGNAL);

        if (put <= 0 && errno != EINTR)
            return;
        if (put > 0)
            line = text_of(line.at + put, line.n - (size_t)put);
    }
}

int
ctl_line_open(const struct ctl *c, struct text question, bool patient, bool quiet,
              struct ctl_line *l)
{
    const struct timeval limit = { ANSWER_WITHIN_S, 0 };
    char *path;
    int64_t uid;
    int code = find(c, quiet, &path, &uid);

    *l = (struct ctl_line){ .fd = -1 };
    if (code == EXIT_OK)
        code = dial_path(path, quiet, &l->fd);
    if (code == EXIT_OK)
        code = judge_peer(l->fd, quiet, path, uid);
    if (code == EXIT_OK && !patient)
        (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (code == EXIT_OK)
        send_text(l->fd, question);
    free(path);
    return code;
}

void
ctl_line_say(const struct ctl_line *l, struct text question)
{
    send_text(l->fd, question);
}

void
ctl_line_close(struct ctl_line *l)
{
    if (l->fd >= 0)
        close(l->fd);
    buf_free(&l->in);
}

bool
ctl_line_next(struct ctl_line *l, struct text *line)
{
    buf_drop(&l->in, l->taken);
    l->taken = 0;
    for (;;) {
        struct text t = buf_text(&l->in);
        const char *end = t.n > 0 ? memchr(t.at, '\n', t.n) : NULL;
        ssize_t got;

        if (end != NULL) {
            *line = text_of(t.at, (size_t)(end - t.at));
            l->taken = line->n + 1;
            return true;
        }
        if (t.n > LINE_MAX_BYTES)
            return false;
        got = recv(l->fd, buf_reserve(&l->in, READ_STEP), READ_STEP, 0);
        if (got < 0 && errno == EINTR)
            continue;
        l->is_late = got < 0 && errno == EAGAIN;
        if (got <= 0)
            return false;
        buf_commit(&l->in, (size_t)got);
    }
}

const char *
ctl_line_silence(const struct ctl_line *l)
{
    return l->is_late ? "it does not answer: is it stuck?"
                      : "it closed without an answer";
}

struct json *
ctl_line_answer(struct ctl_line *l, int *code)
{
    struct json *answer;
    struct text line;
    bool ok = false;

    *code = EXIT_RUNTIME;
    if (!ctl_line_next(l, &line)) {
        ctl_complain(false, EXIT_RUNTIME, "%s", ctl_line_silence(l));
        return NULL;
    }
    answer = json_parse(line, LINE_MAX_BYTES);
    if (answer == NULL) {
        ctl_complain(false, EXIT_RUNTIME, "its answer is not JSON");
        return NULL;
    }
    if (json_bool(json_get(answer, "ok"), &ok) && ok) {
        *code = EXIT_OK;
        return answer;
    }
    *code = print_failure(answer);
    json_free(answer);
    return NULL;
}

void
ctl_question(struct buf *out, const char *verb)
{
    json_open(out, NULL, '{');
    json_put_z(out, "verb", verb);
}

void
ctl_question_end(struct buf *out)
{
    json_close(out, '}');
    buf_add_byte(out, '\n');
}

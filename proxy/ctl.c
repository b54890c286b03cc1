#include "proxy/ctl.h"

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

enum { LINE_MAX_BYTES = 4 << 20, READ_STEP = 65536, ANSWER_WITHIN_S = 30 };

/* The other end, and what has come from it. */
struct line_in {
    int fd;
    bool is_late; /* it said nothing within the time */
    struct buf in;
    size_t taken; /* of the line handed out last */
};

static int __attribute__((format(printf, 3, 4)))
complain(bool quiet, int code, const char *format, ...)
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
        code = complain(quiet, EXIT_CONFIG,
                        "%s does not tell where the control socket is: name it with "
                        "--socket",
                        c->config);
    } else if (*path == NULL) {
        code = complain(quiet, EXIT_CONFIG, "%s has no control.socket", c->config);
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
        return complain(quiet, EXIT_RUNTIME, "nobody listens on %s: is it running?",
                        path);
    if (errno == EAGAIN)
        return complain(quiet, EXIT_RUNTIME, "%s: nobody answers: is it stuck?", path);
    if (errno == EACCES || errno == EPERM)
        return complain(quiet, EXIT_RUNTIME,
                        "%s: not allowed: it is for root and for Holdfast's own user",
                        path);
    return complain(quiet, EXIT_RUNTIME, "%s: %s", path, strerror(errno));
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
    return complain(quiet, EXIT_RUNTIME,
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
        return complain(quiet, EXIT_USAGE, "%s: too long for a socket's path", path);
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
send_line(int fd, struct text line)
{
    while (line.n > 0) {
        ssize_t put = send(fd, line.at, line.n, MSG_NOSIGNAL);

        if (put <= 0 && errno != EINTR)
            return;
        if (put > 0)
            line = text_of(line.at + put, line.n - (size_t)put);
    }
}

static int
open_line(const struct ctl *c, struct text question, bool patient, bool quiet,
          struct line_in *l)
{
    const struct timeval limit = { ANSWER_WITHIN_S, 0 };
    char *path;
    int64_t uid;
    int code = find(c, quiet, &path, &uid);

    *l = (struct line_in){ .fd = -1 };
    if (code == EXIT_OK)
        code = dial_path(path, quiet, &l->fd);
    if (code == EXIT_OK)
        code = judge_peer(l->fd, quiet, path, uid);
    if (code == EXIT_OK && !patient)
        (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (code == EXIT_OK)
        send_line(l->fd, question);
    free(path);
    return code;
}

static void
close_line(struct line_in *l)
{
    if (l->fd >= 0)
        close(l->fd);
    buf_free(&l->in);
}

/* The next whole line, without its newline; valid until the next call. False at the
 * end. */
static bool
next_line(struct line_in *l, struct text *line)
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

static const char *
why_silent(const struct line_in *l)
{
    return l->is_late ? "it does not answer: is it stuck?"
                      : "it closed without an answer";
}

/* The parsed answer, which the caller frees; NULL: there was none, or it was no, and
 * *code says what to exit with. */
static struct json *
read_answer(struct line_in *l, int *code)
{
    struct json *answer;
    struct text line;
    bool ok = false;

    *code = EXIT_RUNTIME;
    if (!next_line(l, &line)) {
        complain(false, EXIT_RUNTIME, "%s", why_silent(l));
        return NULL;
    }
    answer = json_parse(line, LINE_MAX_BYTES);
    if (answer == NULL) {
        complain(false, EXIT_RUNTIME, "its answer is not JSON");
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

static void
write_question(struct buf *out, const char *verb)
{
    json_open(out, NULL, '{');
    json_put_z(out, "verb", verb);
}

static void
end_question(struct buf *out)
{
    json_close(out, '}');
    buf_add_byte(out, '\n');
}

/* ---- verbs */

int
ctl_ask(const struct ctl *c, struct text question, bool quiet, struct buf *answer)
{
    struct line_in l;
    struct text line;
    int code = open_line(c, question, false, quiet, &l);

    if (code == EXIT_OK && next_line(&l, &line))
        buf_add(answer, line);
    else if (code == EXIT_OK)
        code = complain(quiet, EXIT_RUNTIME, "%s", why_silent(&l));
    close_line(&l);
    return code;
}

int
ctl_status(const struct ctl *c, bool json)
{
    struct buf question = { 0 };
    struct line_in l;
    struct json *answer;
    int code;

    write_question(&question, "status");
    end_question(&question);
    code = open_line(c, buf_text(&question), false, false, &l);
    if (code == EXIT_OK && (answer = read_answer(&l, &code)) != NULL) {
        if (json)
            printf("%.*s\n", (int)(l.taken - 1), buf_text(&l.in).at);
        else
            print_status(answer);
        json_free(answer);
    }
    close_line(&l);
    buf_free(&question);
    return code;
}

/* For verbs that are told to wait or not to. */
static int
tell(const struct ctl *c, const char *verb, bool wait,
     void (*print)(const struct json *answer, bool waited))
{
    struct buf question = { 0 };
    struct line_in l;
    struct json *answer;
    int code;

    write_question(&question, verb);
    json_put_bool(&question, "wait", wait);
    end_question(&question);
    code = open_line(c, buf_text(&question), wait, false, &l);
    if (code == EXIT_OK && (answer = read_answer(&l, &code)) != NULL) {
        print(answer, wait);
        json_free(answer);
    }
    close_line(&l);
    buf_free(&question);
    return code;
}

int
ctl_reload(const struct ctl *c, bool wait)
{
    return tell(c, "reload", wait, print_reloaded);
}

int
ctl_drain(const struct ctl *c, bool wait)
{
    return tell(c, "drain", wait, print_drained);
}

int
ctl_tail(const struct ctl *c, bool denied, const char *grant, const char *host,
         bool json)
{
    struct buf question = { 0 };
    struct line_in l;
    struct text line;
    int code;

    write_question(&question, "tail");
    json_put_bool(&question, "denied", denied);
    if (grant != NULL)
        json_put_z(&question, "grant", grant);
    if (host != NULL)
        json_put_z(&question, "host", host);
    end_question(&question);
    code = open_line(c, buf_text(&question), true, false, &l);
    if (code == EXIT_OK) {
        json_free(read_answer(&l, &code));
        while (code == EXIT_OK && !ferror(stdout) && next_line(&l, &line))
            print_log_line(line, json);
    }
    close_line(&l);
    buf_free(&question);
    return code;
}

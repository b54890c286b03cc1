/* Main's end of the helper: its process, its socket, and whose turn it is. */
#include "proxy/helper_parts.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FAREWELL_MS = 1000,
    PACKETS_MAX = 256 * 1024, /* on their way, each direction */
    ITS_SOCKET = 3
};

/* ---- the process */

static void
keep_nothing_but(int fd)
{
    int none = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(none, STDOUT_FILENO) < 0 ||
        (fd != ITS_SOCKET && dup3(fd, ITS_SOCKET, O_CLOEXEC) < 0) ||
        close_range(ITS_SOCKET + 1, ~0U, 0) != 0)
        _exit(1);
}

static bool
make_socket(int ends[2])
{
    static const int room = PACKETS_MAX;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    for (size_t i = 0; i < 2; i++) /* as much of it as the system grants */
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return true;
}

struct helper *
helper_fork(void)
{
    struct helper *h = memory_new(sizeof *h);
    int ends[2] = { -1, -1 };

    h->fd = -1;
    list_init(&h->queue);
    if (make_socket(ends))
        h->pid = fork();
    if (h->pid == 0 && ends[1] >= 0) {
        keep_nothing_but(ends[1]);
        helper_serve(ITS_SOCKET);
    }
    if (ends[1] >= 0)
        close(ends[1]);
    if (h->pid > 0) {
        h->fd = ends[0];
        return h;
    }
    log_error("no helper process could be forked: %s", strerror(errno));
    if (ends[0] >= 0)
        close(ends[0]);
    return h;
}

bool
helper_send(const struct helper *h, const struct helper_order *o, struct text behind)
{
    struct iovec parts[] = { { (void *)o, sizeof *o },
                             { (void *)behind.at, behind.n } };
    struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

    return sendmsg(h->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool
helper_is_gone(const struct helper *h)
{
    return h->fd < 0;
}

pid_t
helper_pid(const struct helper *h)
{
    return h->pid;
}

/* ---- the end of a run */

static void
end_all(struct helper *h, enum reason why)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++) {
        if (h->places[i].run != NULL)
            run_end(h->places[i].run, why);
        h->places[i] = (struct place_of_run){ .number = 0 };
    }
    while (!list_is_empty(&h->queue))
        run_end(LIST_OWNER(h->queue.next, struct helper_run, in_queue), why);
}

static void
close_socket(struct helper *h)
{
    if (h->readable != NULL)
        event_free(h->readable);
    h->readable = NULL;
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

/* Somebody has killed it, or the machine has no memory. */
static void
lose(struct helper *h)
{
    close_socket(h);
    if (waitpid(h->pid, NULL, WNOHANG) == h->pid)
        h->pid = 0;
    log_error("the helper process is gone: no credential that a program tells can be "
              "had until Holdfast is restarted");
    end_all(h, REASON_COMMAND_UNAVAILABLE);
}

static struct place_of_run *
place_of(struct helper *h, uint64_t number)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        if (h->places[i].number == number)
            return &h->places[i];
    return NULL;
}

/* ---- turns */

/* What the socket does not take now is taken with the next report, or is too late. */
void
helper_go_on(struct helper *h)
{
    struct place_of_run *p;

    while (!list_is_empty(&h->queue) && (p = place_of(h, 0)) != NULL)
        if (!run_begin(p, LIST_OWNER(h->queue.next, struct helper_run, in_queue)))
            return;
}

/* ---- reports */

static bool
hear(struct helper *h, size_t n)
{
    struct helper_report report;
    struct place_of_run *p;
    struct helper_run *r;

    if (n < sizeof report)
        return false;
    memcpy(&report, h->packet, sizeof report);
    if (report.n_output > COMMAND_OUTPUT_MAX || report.n_hint > HELPER_HINT_MAX ||
        n != sizeof report + report.n_output + report.n_hint || report.number == 0 ||
        (p = place_of(h, report.number)) == NULL)
        return false;
    r = p->run;
    *p = (struct place_of_run){ .number = 0 };
    if (r != NULL)
        run_take(r, &report, h->packet + sizeof report);
    return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct helper *h = arg;
    ssize_t n = recv(fd, h->packet, HELPER_REPORT_MAX, MSG_DONTWAIT);

    (void)what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !hear(h, (size_t)n))
        lose(h);
    else
        helper_go_on(h);
    explicit_bzero(h->packet, HELPER_REPORT_MAX);
}

/* ---- its life */

void
helper_begin(struct helper *h, struct loop *loop, const struct identity *who)
{
    const struct helper_order o = { .verb = HELPER_BECOME, .who = *who };

    h->loop = loop;
    h->packet = memory_new(HELPER_REPORT_MAX);
    if (helper_is_gone(h))
        return;
    h->readable = event_new(loop_base(loop), h->fd, EV_READ | EV_PERSIST, on_readable,
                            h);
    if (h->readable == NULL || event_add(h->readable, NULL) != 0 ||
        !helper_send(h, &o, text_of(NULL, 0)))
        lose(h);
}

/* One that does not end by itself leaves its programs to the signal that they are sent
 * when it dies. */
static void
bury(struct helper *h)
{
    int end = (int)syscall(SYS_pidfd_open, h->pid, 0);
    struct pollfd ended = { .fd = end, .events = POLLIN };

    if (end < 0 || poll(&ended, 1, FAREWELL_MS) <= 0)
        (void)kill(h->pid, SIGKILL);
    (void)waitpid(h->pid, NULL, 0);
    if (end >= 0)
        close(end);
}

void
helper_free(struct helper *h)
{
    if (h == NULL)
        return;
    assert(list_is_empty(&h->queue));
    close_socket(h);
    if (h->pid > 0)
        bury(h);
    free(h->packet);
    free(h);
}

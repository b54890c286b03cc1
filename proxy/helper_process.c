/* The helper's own life: orders come, programs run, reports go. It has one thread, no
 * secret but what programs print, and waits in one place. */
#include "proxy/helper_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET, PIPES }; /* places in the poll; of each job two pipes */

struct job {
    uint64_t number;
    struct program program; /* pid 0: the place is free */
    int64_t ends_ms;
    bool is_ending; /* it has been killed, for what `report` says */
    struct helper_report report;
    char *output, *hint;
};

static struct {
    int socket;
    struct job jobs[HELPER_AT_ONCE];
    struct pollfd polled[PIPES + 2 * HELPER_AT_ONCE];
    _Alignas(struct helper_order) char order[HELPER_ORDER_MAX];
} helper;

/* ---- the end */

/* Main is gone, or does not make sense any more. */
static _Noreturn void
leave(void)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        if (helper.jobs[i].program.pid > 0)
            program_kill(&helper.jobs[i].program);
    _exit(0);
}

/* ---- reports */

static void
report(const struct helper_report *r, const char *output, const char *hint)
{
    struct iovec parts[] = { { (void *)r, sizeof *r },
                             { (void *)output, r->n_output },
                             { (void *)hint, r->n_hint } };
    struct msghdr m = { .msg_iov = parts, .msg_iovlen = 3 };

    if (sendmsg(helper.socket, &m, MSG_NOSIGNAL) < 0)
        leave();
}

static void
report_not_run(uint64_t number)
{
    const struct helper_report r = { .number = number,
                                     .end = HELPER_NOT_RUN,
                                     .status = errno };

    report(&r, NULL, NULL);
}

/* ---- jobs */

static void
end_early(struct job *j, enum helper_end why)
{
    if (j->is_ending)
        return;
    j->is_ending = true;
    j->report.end = why;
    program_kill(&j->program);
}

static void
close_pipe(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* False: there is nothing to read just now, or ever. What has no room is passed over.
 */
static bool
read_some(int *fd, char *into, uint32_t *n, size_t max)
{
    char rest[512];
    bool has_room = *n < max;
    ssize_t got;

    if (*fd < 0)
        return false;
    got = read(*fd, has_room ? into + *n : rest, has_room ? max - *n : sizeof rest);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            close_pipe(fd);
        return false;
    }
    if (has_room)
        *n += (uint32_t)got;
    else
        explicit_bzero(rest, sizeof rest);
    return true;
}

/* A byte more than may be says that there were more. */
static void
read_output(struct job *j)
{
    while (!j->is_ending && read_some(&j->program.output, j->output,
                                      &j->report.n_output, COMMAND_OUTPUT_MAX + 1))
        if (j->report.n_output > COMMAND_OUTPUT_MAX)
            end_early(j, HELPER_TOO_LARGE);
}

/* As much as there is room for at a time: who writes without an end is not waited for.
 */
static void
read_errors(struct job *j)
{
    (void)read_some(&j->program.errors, j->hint, &j->report.n_hint, HELPER_HINT_MAX);
}

static void
wipe(struct job *j)
{
    explicit_bzero(j->output, COMMAND_OUTPUT_MAX + 1);
    explicit_bzero(j->hint, HELPER_HINT_MAX);
    free(j->output);
    free(j->hint);
    close_pipe(&j->program.output);
    close_pipe(&j->program.errors);
    *j = (struct job){ .number = 0 };
}

/* It is dead, and not reaped: its group is still its own. What it left there goes with
 * it; what it had printed is in the pipe. */
static void
conclude(struct job *j, const siginfo_t *how)
{
    program_kill(&j->program);
    if (!j->is_ending) {
        j->report.end = how->si_code == CLD_EXITED ? HELPER_EXITED : HELPER_KILLED;
        j->report.status = how->si_status;
        read_output(j); /* which may find that it is too much */
    }
    read_errors(j);
    (void)waitpid(j->program.pid, NULL, 0);
    if (j->report.end != HELPER_EXITED || j->report.status != 0)
        j->report.n_output = 0;
    report(&j->report, j->output, j->hint);
    wipe(j);
}

static struct job *
job_of_process(pid_t pid)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        if (helper.jobs[i].program.pid == pid)
            return &helper.jobs[i];
    return NULL;
}

/* What programs have left behind is our child too, since somebody has to bury it. */
static void
reap(void)
{
    siginfo_t how;

    for (;;) {
        struct job *j;

        how.si_pid = 0;
        if (waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid == 0)
            return;
        if ((j = job_of_process(how.si_pid)) != NULL)
            conclude(j, &how);
        else
            (void)waitpid(how.si_pid, NULL, 0);
    }
}

/* ---- orders */

static struct job *
job_of(uint64_t number)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        if (helper.jobs[i].program.pid > 0 && helper.jobs[i].number == number)
            return &helper.jobs[i];
    return NULL;
}

static char *
take_words(char *at, const char *end, size_t n, char **words)
{
    for (size_t i = 0; i < n; i++) {
        char *stop = memchr(at, '\0', (size_t)(end - at));

        assert(stop != NULL);
        words[i] = at;
        at = stop + 1;
    }
    words[n] = NULL;
    return at;
}

static void
run(const struct helper_order *o, char *behind, const char *end)
{
    char *words[HELPER_WORDS_MAX + 1], *variables[HELPER_WORDS_MAX + 1];
    struct job *j = job_of_process(0);

    assert(j != NULL && o->n_words > 0 && o->n_words <= HELPER_WORDS_MAX &&
           o->n_variables <= HELPER_WORDS_MAX);
    behind = take_words(behind, end, o->n_words, words);
    (void)take_words(behind, end, o->n_variables, variables);
    if (!program_start(words, variables, &j->program)) {
        report_not_run(o->number);
        *j = (struct job){ .number = 0 };
        return;
    }
    j->number = j->report.number = o->number;
    j->ends_ms = clock_monotonic_ms() + o->timeout_ms;
    j->output = memory_new_raw(COMMAND_OUTPUT_MAX + 1);
    j->hint = memory_new_raw(HELPER_HINT_MAX);
}

static void
become(const struct identity *who)
{
    int none = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (none < 0 || identity_drop(who) != REASON_OK)
        _exit(1);
    (void)dup2(none, STDERR_FILENO); /* until now it was told what fails */
    close(none);
}

static void
obey(const struct helper_order *o, char *behind, const char *end)
{
    struct job *j;

    if (o->verb == HELPER_BECOME)
        become(&o->who);
    else if (o->verb == HELPER_RUN)
        run(o, behind, end);
    else if ((j = job_of(o->number)) != NULL)
        end_early(j, HELPER_STOPPED);
}

static void
take_order(void)
{
    struct helper_order o;
    ssize_t n = recv(helper.socket, helper.order, sizeof helper.order, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < (ssize_t)sizeof o)
        leave();
    memcpy(&o, helper.order, sizeof o);
    obey(&o, helper.order + sizeof o, helper.order + n);
}

/* ---- waiting */

static void
on_child(int signal_number)
{
    (void)signal_number;
}

/* A drain, or whoever holds the terminal, signals the whole group: main says when. */
static void
hold_signals(sigset_t *while_waiting)
{
    static const int ignored[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                   SIGUSR1, SIGUSR2, SIGPIPE };
    const struct sigaction child = { .sa_handler = on_child };
    sigset_t held;

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigaction(SIGCHLD, &child, NULL);
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &held, while_waiting);
    (void)sigdelset(while_waiting, SIGCHLD);
}

static int64_t
next_end_ms(void)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < HELPER_AT_ONCE; i++) {
        const struct job *j = &helper.jobs[i];

        if (j->program.pid > 0 && !j->is_ending && j->ends_ms < first_ms)
            first_ms = j->ends_ms;
    }
    return first_ms;
}

static void
wait_for_something(const sigset_t *while_waiting)
{
    int64_t first_ms = next_end_ms(), now_ms = clock_monotonic_ms();
    int64_t left_ms = first_ms > now_ms ? first_ms - now_ms : 0;
    const struct timespec left = { .tv_sec = left_ms / 1000,
                                   .tv_nsec = left_ms % 1000 * 1000000 };

    helper.polled[SOCKET] = (struct pollfd){ helper.socket, POLLIN, 0 };
    for (size_t i = 0; i < HELPER_AT_ONCE; i++) {
        const struct job *j = &helper.jobs[i];
        bool is_read = j->program.pid > 0 && !j->is_ending;

        helper.polled[PIPES + 2 * i] = (struct pollfd){ is_read ? j->program.output
                                                                : -1,
                                                        POLLIN, 0 };
        helper.polled[PIPES + 2 * i + 1] = (struct pollfd){ is_read ? j->program.errors
                                                                    : -1,
                                                            POLLIN, 0 };
    }
    if (ppoll(helper.polled, PIPES + 2 * HELPER_AT_ONCE,
              first_ms == INT64_MAX ? NULL : &left, while_waiting) < 0)
        for (size_t i = 0; i < PIPES + 2 * HELPER_AT_ONCE; i++)
            helper.polled[i].revents = 0;
}

static void
look_after(struct job *j)
{
    if (j->program.pid == 0)
        return;
    read_output(j);
    read_errors(j);
    if (clock_monotonic_ms() >= j->ends_ms)
        end_early(j, HELPER_LATE);
}

_Noreturn void
helper_serve(int fd)
{
    sigset_t while_waiting;

    helper.socket = fd;
    hold_signals(&while_waiting);
    (void)prctl(PR_SET_NAME, "holdfast-helper", 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (;;) {
        wait_for_something(&while_waiting);
        for (size_t i = 0; i < HELPER_AT_ONCE; i++)
            look_after(&helper.jobs[i]);
        reap();
        if (helper.polled[SOCKET].revents != 0)
            take_order();
    }
}

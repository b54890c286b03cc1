#include "proxy/tend.h"

#include "proxy/ctl_line.h"
#include "proxy/run.h"
#include "proxy/terminal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_FOUND = 127, NOT_RUN = 126, SIGNALLED = 128 };

static const int passed_on[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
                                 SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };

/* ---- the command's side */

/* Whoever ends us by force ends the command as well: it would run on without a task.
 * The kernel forgets this wish when the uid changes, so it is made after that. */
static bool
die_with(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

/* A directory of the path that may not be entered is no command that may not be run. */
static bool
is_found(const char *name)
{
    struct text rest = text_z(getenv("PATH")), directory;
    char path[PATH_MAX];

    if (strchr(name, '/') != NULL)
        return true;
    while (text_split(&rest, ':', &directory)) {
        int n = snprintf(path, sizeof path, "%.*s/%s", TEXT_ARG(directory), name);

        if (n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static _Noreturn void
become(const struct person *as, char **command, pid_t parent, const sigset_t *mask)
{
    int failure;

    if (!terminal_protect())
        _exit(ctl_complain(false, EXIT_NO_TASK,
                           "the terminal cannot be kept from the command: %s: run it "
                           "without one (setsid)",
                           strerror(errno)));
    if (!person_become(as) || !die_with(parent))
        _exit(EXIT_NO_TASK);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)execvp(command[0], command);
    failure = errno == EACCES && !is_found(command[0]) ? ENOENT : errno;
    fprintf(stderr, "holdfast: %s: %s\n", command[0], strerror(failure));
    _exit(failure == ENOENT ? NOT_FOUND : NOT_RUN);
}

/* ---- ours */

/* What a terminal sends goes to its whole foreground group: the command has it already.
 * A hangup may be ours alone, when we lead the session. */
static void
pass_on(pid_t command, const siginfo_t *told)
{
    if (told->si_code != SI_KERNEL || told->si_signo == SIGHUP)
        (void)kill(command, told->si_signo);
}

/* Stopped with it, so that whoever waits for us sees a job that has stopped; and it
 * goes on when we do. */
static void
stop_as_well(pid_t command)
{
    (void)raise(SIGSTOP);
    (void)kill(command, SIGCONT);
}

/* False: it is over, with this exit code. */
static bool
goes_on(pid_t command, int *code)
{
    int status;
    pid_t seen;

    while ((seen = waitpid(command, &status, WNOHANG | WUNTRACED)) == command) {
        if (WIFSTOPPED(status)) {
            stop_as_well(command);
            continue;
        }
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
        return false;
    }
    *code = EXIT_RUNTIME;
    return seen == 0 || errno == EINTR;
}

static int
wait_for(pid_t command, const sigset_t *signals)
{
    siginfo_t told;
    int code = EXIT_RUNTIME;

    for (;;) {
        int number = sigwaitinfo(signals, &told);

        if (number == SIGCHLD && !goes_on(command, &code))
            return code;
        if (number > 0 && number != SIGCHLD)
            pass_on(command, &told);
    }
}

static void
block(sigset_t *signals, sigset_t *before)
{
    sigemptyset(signals);
    sigaddset(signals, SIGCHLD);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaddset(signals, passed_on[i]);
    (void)sigprocmask(SIG_BLOCK, signals, before);
}

int
tend(const struct person *as, char **command)
{
    /* Whoever started us may not have wanted to hear of children. */
    const struct sigaction plain = { .sa_handler = SIG_DFL };
    pid_t own = getpid(), child;
    sigset_t signals, before;
    int code;

    (void)sigaction(SIGCHLD, &plain, NULL);
    block(&signals, &before);
    child = fork();
    if (child == 0)
        become(as, command, own, &before);
    if (child < 0)
        code = ctl_complain(false, EXIT_NO_TASK, "fork: %s", strerror(errno));
    else
        code = wait_for(child, &signals);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

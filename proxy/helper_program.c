/* A program, from the fork to its exec: what it is left with of ours is written here,
 * and nothing else. */
#include "proxy/helper_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CANNOT_BE_RUN = 127, FIRST_OF_OURS = 3 };

static void
forget_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* of some it cannot be set: those are */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Standard input is empty already: it is the helper's own. */
static bool
leave_all_behind(int output, int errors, pid_t helper)
{
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
        getppid() != helper)
        return false;
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0 ||
        close_range(FIRST_OF_OURS, ~0U, 0) != 0 || chdir("/") != 0)
        return false;
    umask(077);
    forget_signals();
    return true;
}

static _Noreturn void
become(char *const *words, char *const *variables, int output, int errors, pid_t helper)
{
    if (leave_all_behind(output, errors, helper))
        (void)execve(words[0], words, variables);
    dprintf(STDERR_FILENO, "cannot be run: %s", strerror(errno));
    _exit(CANNOT_BE_RUN);
}

static void
close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* The end that we read does not wait; the program's own does. */
static bool
make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return true;
    close_both(ends);
    return false;
}

bool
program_start(char *const *words, char *const *variables, struct program *p)
{
    int output[2], errors[2];
    pid_t helper = getpid();

    if (!make_pipe(output))
        return false;
    if (!make_pipe(errors)) {
        close_both(output);
        return false;
    }
    *p = (struct program){ fork(), output[0], errors[0] };
    if (p->pid == 0)
        become(words, variables, output[1], errors[1], helper);
    close(output[1]);
    close(errors[1]);
    if (p->pid > 0)
        return true;
    close(output[0]);
    close(errors[0]);
    return false;
}

/* A process that forks while its group is killed is killed with it. Before setsid there
 * is no group yet, and nobody else. */
void
program_kill(const struct program *p)
{
    (void)kill(-p->pid, SIGKILL);
    (void)kill(p->pid, SIGKILL);
}

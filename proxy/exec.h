/* `holdfast exec`: a command as the life of a task. The task is begun for the command's
 * uid, held as a lease on the control socket for as long as we live, and ended when the
 * command is over. What the command is given stands in its environment alone. */
#ifndef PROXY_EXEC_H
#define PROXY_EXEC_H

#include "proxy/ctl.h"

struct exec {
    const struct ctl *ctl;
    struct ctl_terms terms; /* its uid is the one below */
    long uid;               /* -1: the user's, or the workload's */
    const char *user;       /* by name or number; NULL: not said */
    char **command;         /* NULL-terminated, one word at least */
};
/* The command's exit status; 128 and the signal's number when one ended it; 127: there
 * is no such command, 126: it cannot be run; EXIT_NO_TASK and others of ours when
 * nothing was run. */
int holdfast_exec(const struct exec *e);

#endif

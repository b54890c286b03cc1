#include "proxy/usage.h"

#include "base/text.h"

#include <string.h>

const char holdfast_usage[] =
    "usage: holdfast run     [-c FILE]\n"
    "       holdfast check   [-c FILE] [--lint [--strict]] [--json]   every error at "
    "once; --lint: what is legal but questionable\n"
    "       holdfast check   --defaults | --reference | --reasons\n"
    "       holdfast explain [-c FILE] [--uid N | --as uid=N,door=NAME,…] [--door forward|transparent|unix|gate] [--header "
    "FIELD]… [--json] METHOD URL\n"
    "       holdfast env     [-c FILE] [--uid N] [--format sh|docker|k8s|json]   what the "
    "workload's environment must hold\n"
    "       holdfast steer   [-c FILE] [--mode explicit|drop|redirect] [--user NAME] "
    "[--load]   the kernel's rules that leave no other way out\n"
    "       holdfast steer   --remove\n"
    "       holdfast steer   [-c FILE] [--mode MODE] --check [--uid N] [--json]   tries from inside "
    "whether they hold\n"
    "       holdfast doctor  [-c FILE] [--uid N] [--json]   inside the workload: the "
    "CA, the variables, the door, the clock, ways past it\n"
    "       holdfast audit verify [-c FILE | --ledger DIR] [--key JWK] [--checkpoint "
    "FILE] [--json]\n"
    "       holdfast audit show   [-c FILE | --ledger DIR] [--task ID] [--grant NAME] "
    "[--denied] [--since TIME|10m|2d] [--json]\n"
    "       holdfast audit report [-c FILE | --ledger DIR] [--grant NAME] [--json]\n"
    "       holdfast version\n"
    "\n"
    "of the one that runs, found by control.socket of FILE or by --socket PATH:\n"
    "       holdfast status  [--json]\n"
    "       holdfast reload  [--wait]                --wait: every error, or the "
    "generation now in force\n"
    "       holdfast tail    [--denied] [--grant NAME] [--host HOST] [--json]\n"
    "       holdfast drain   [--wait]\n"
    "       holdfast task start --grant NAME [--purpose P] [--ttl 15m] [--max-requests "
    "N] [--caller uid=N] [--json]\n"
    "       holdfast task end   ID [--json]\n"
    "       holdfast task list  [--grant NAME] [--json]\n"
    "       holdfast task show  ID [--json]\n"
    "       holdfast task revoke --grant NAME | --all [--json]    its tasks, or every "
    "task, end now\n"
    "       holdfast exec    --grant NAME [--purpose P] [--ttl 15m] [--max-requests N] "
    "[--uid N | --user NAME] -- CMD ARG…\n"
    "                                                a command as a task's life; exits "
    "as it does\n"
    "\n"
    "FILE is /etc/holdfast/holdfast.conf unless given; beside it, conf.d/*.conf is "
    "read as well.\n"
    "Signals: HUP reload, TERM drain, INT and QUIT stop now, USR1 reopen the log, USR2 "
    "write the state to the log.\n"
    "Exit: 0 well, 1 failed, 2 usage, 3 refused (explain), 69 not run (exec), 75 "
    "cannot bind, 78 bad "
    "config.\n";

/* Of a line "usage: holdfast VERB …" or one below it: what begins with the verb. */
static struct text
verb_of(struct text line)
{
    static const char beginnings[2][sizeof "usage: holdfast "] = { "usage: holdfast ",
                                                                   "       holdfast " };
    enum { LENGTH = sizeof "usage: holdfast " - 1 };

    for (size_t i = 0; i < 2; i++)
        if (line.n > LENGTH && memcmp(line.at, beginnings[i], LENGTH) == 0)
            return text_of(line.at + LENGTH, line.n - LENGTH);
    return text_of("", 0);
}

static bool
is_of(struct text line, const char *verb)
{
    struct text of = verb_of(line);
    size_t n = strlen(verb);

    return of.n > n && memcmp(of.at, verb, n) == 0 && of.at[n] == ' ';
}

void
usage_tell(FILE *to, const char *verb)
{
    struct text rest = text_z(holdfast_usage), line;
    const char *before = "usage: ";

    while (text_split(&rest, '\n', &line)) {
        if (!is_of(line, verb))
            continue;
        fprintf(to, "%sholdfast %.*s\n", before, TEXT_ARG(verb_of(line)));
        before = "       ";
    }
    if (*before != ' ')
        fprintf(to, "usage: holdfast VERB …, as `holdfast --help` tells\n");
}

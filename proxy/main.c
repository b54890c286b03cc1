/* The verbs. */
#include "base/text.h"
#include "proxy/audit_verb.h"
#include "proxy/ctl.h"
#include "proxy/environment.h"
#include "proxy/exec.h"
#include "proxy/explain.h"
#include "proxy/run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast run     [-c FILE]\n"
    "       holdfast check   [-c FILE] [--lint [--strict]] [--json]   every error at "
    "once; --lint: what is legal but questionable\n"
    "       holdfast check   --defaults | --reference | --reasons\n"
    "       holdfast explain [-c FILE] [--uid N] [--door forward|gate] [--header "
    "FIELD]… [--json] METHOD URL\n"
    "       holdfast env     [-c FILE] [--uid N] [--format sh|docker|json]   what the "
    "workload's environment must hold\n"
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
    "       holdfast task end   ID\n"
    "       holdfast task list  [--grant NAME] [--json]\n"
    "       holdfast task show  ID [--json]\n"
    "       holdfast task revoke --grant NAME | --all    its tasks, or every task, end "
    "now\n"
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

struct wish {
    struct ctl ctl;
    struct audit_wish audit;
    struct ctl_terms terms;
    const char *grant, *host, *format, *door, *user;
    const char *fields[EXPLAIN_FIELDS];
    size_t n_fields;
    long uid;
    bool lint, strict, defaults, reference, reasons, help, wait, denied, json;
    bool all, has_dashes;
    char given[32]; /* the options that were, by their letter */
};

static int
complain(const char *what)
{
    fprintf(stderr, "holdfast: %s\n\n%s", what, usage);
    return EXIT_USAGE;
}

/* ---- options */

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "socket", required_argument, NULL, 's' },
    { "uid", required_argument, NULL, 'u' },
    { "format", required_argument, NULL, 'f' },
    { "door", required_argument, NULL, 'o' },
    { "header", required_argument, NULL, 'e' },
    { "grant", required_argument, NULL, 'g' },
    { "host", required_argument, NULL, 't' },
    { "ledger", required_argument, NULL, 'L' },
    { "key", required_argument, NULL, 'k' },
    { "checkpoint", required_argument, NULL, 'p' },
    { "task", required_argument, NULL, 'i' },
    { "since", required_argument, NULL, 'S' },
    { "purpose", required_argument, NULL, 'P' },
    { "ttl", required_argument, NULL, 'T' },
    { "max-requests", required_argument, NULL, 'M' },
    { "caller", required_argument, NULL, 'C' },
    { "user", required_argument, NULL, 'U' },
    { "all", no_argument, NULL, 'A' },
    { "lint", no_argument, NULL, 'l' },
    { "strict", no_argument, NULL, 'x' },
    { "defaults", no_argument, NULL, 'd' },
    { "reference", no_argument, NULL, 'r' },
    { "reasons", no_argument, NULL, 'w' },
    { "wait", no_argument, NULL, 'a' },
    { "denied", no_argument, NULL, 'n' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static bool
read_uid(const char *z, long *uid)
{
    uint64_t n;

    if (!text_to_u64(text_z(z), UINT32_MAX - 1, &n))
        return false;
    *uid = (long)n;
    return true;
}

/* "uid=1000" */
static bool
read_caller(const char *z, int64_t *uid)
{
    long number;

    if (strncmp(z, "uid=", 4) != 0 || !read_uid(z + 4, &number))
        return false;
    *uid = number;
    return true;
}

static bool
read_budget(const char *z, int64_t *n)
{
    uint64_t number;

    if (!text_to_u64(text_z(z), INT32_MAX, &number) || number == 0)
        return false;
    *n = (int64_t)number;
    return true;
}

/* Where this option's text, or its being there, is kept. */
static bool
take_option(struct wish *w, int c)
{
    const struct {
        int letter;
        const char **text;
        bool *flag;
    } places[] = {
        { 'c', &w->ctl.config, NULL },
        { 's', &w->ctl.socket, NULL },
        { 'f', &w->format, NULL },
        { 'o', &w->door, NULL },
        { 'g', &w->grant, NULL },
        { 't', &w->host, NULL },
        { 'L', &w->audit.ledger, NULL },
        { 'k', &w->audit.key, NULL },
        { 'p', &w->audit.checkpoint, NULL },
        { 'i', &w->audit.task, NULL },
        { 'S', &w->audit.since, NULL },
        { 'P', &w->terms.purpose, NULL },
        { 'T', &w->terms.ttl, NULL },
        { 'U', &w->user, NULL },
        { 'A', NULL, &w->all },
        { 'l', NULL, &w->lint },
        { 'x', NULL, &w->strict },
        { 'd', NULL, &w->defaults },
        { 'r', NULL, &w->reference },
        { 'w', NULL, &w->reasons },
        { 'a', NULL, &w->wait },
        { 'n', NULL, &w->denied },
        { 'j', NULL, &w->json },
        { 'h', NULL, &w->help },
    };

    if (c == 'u')
        return read_uid(optarg, &w->uid);
    if (c == 'C')
        return read_caller(optarg, &w->terms.uid);
    if (c == 'M')
        return read_budget(optarg, &w->terms.max_requests);
    if (c == 'e' && w->n_fields < EXPLAIN_FIELDS) {
        w->fields[w->n_fields++] = optarg;
        return true;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].letter != c)
            continue;
        if (places[i].text != NULL)
            *places[i].text = optarg;
        else
            *places[i].flag = true;
        return true;
    }
    return false;
}

static bool
read_options(int argc, char **argv, struct wish *w)
{
    size_t n = 0;
    int c;

    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (!take_option(w, c))
            return false;
        if (strchr(w->given, c) == NULL && n < sizeof w->given - 1)
            w->given[n++] = (char)c;
    }
    return true;
}

/* ---- verbs */

static int
run(const struct wish *w, char **words)
{
    (void)words;
    return holdfast_run(w->ctl.config);
}

static int
check(const struct wish *w, char **words)
{
    const struct check_wish wish = { .path = w->ctl.config,
                                     .lint = w->lint || w->strict,
                                     .strict = w->strict,
                                     .json = w->json };

    (void)words;
    if (w->defaults)
        return holdfast_print(conf_print_defaults);
    if (w->reference)
        return holdfast_print(conf_print_reference);
    if (w->reasons)
        return holdfast_print_reasons();
    return holdfast_check(&wish);
}

static int
explain(const struct wish *w, char **words)
{
    struct explain e = { .config = w->ctl.config,
                         .door = w->door,
                         .uid = w->uid,
                         .json = w->json,
                         .method = words[0],
                         .url = words[1],
                         .n_fields = w->n_fields };

    memcpy(e.fields, w->fields, sizeof e.fields);
    return holdfast_explain(&e);
}

static int
env(const struct wish *w, char **words)
{
    (void)words;
    return holdfast_env(&w->ctl, w->uid, w->format != NULL ? w->format : "sh");
}

static int
version(const struct wish *w, char **words)
{
    (void)w;
    (void)words;
    return holdfast_version();
}

static int
status(const struct wish *w, char **words)
{
    (void)words;
    return ctl_status(&w->ctl, w->json);
}

static int
reload(const struct wish *w, char **words)
{
    (void)words;
    return ctl_reload(&w->ctl, w->wait);
}

static int
tail(const struct wish *w, char **words)
{
    (void)words;
    return ctl_tail(&w->ctl, w->denied, w->grant, w->host, w->json);
}

static int
drain(const struct wish *w, char **words)
{
    (void)words;
    return ctl_drain(&w->ctl, w->wait);
}

static int
task_start_verb(const struct wish *w, char **words)
{
    struct ctl_terms terms = w->terms;

    (void)words;
    if ((terms.grant = w->grant) == NULL)
        return complain("task start takes --grant");
    return ctl_task_start(&w->ctl, &terms, w->json);
}

static int
task_end_verb(const struct wish *w, char **words)
{
    return ctl_task_end(&w->ctl, words[0]);
}

static int
task_list_verb(const struct wish *w, char **words)
{
    (void)words;
    return ctl_task_list(&w->ctl, w->grant, w->json);
}

static int
task_show_verb(const struct wish *w, char **words)
{
    return ctl_task_show(&w->ctl, words[0], w->json);
}

static int
task_revoke_verb(const struct wish *w, char **words)
{
    (void)words;
    if ((w->grant != NULL) == w->all)
        return complain("task revoke takes either --grant or --all");
    return ctl_task_revoke(&w->ctl, w->grant);
}

static int
exec(const struct wish *w, char **words)
{
    struct exec e = { .ctl = &w->ctl,
                      .terms = w->terms,
                      .uid = w->uid,
                      .user = w->user,
                      .command = words };

    if ((e.terms.grant = w->grant) == NULL || words[0] == NULL || !w->has_dashes)
        return complain("exec takes --grant, and the command behind --");
    if (w->user != NULL && w->uid >= 0)
        return complain("exec takes either --uid or --user");
    return holdfast_exec(&e);
}

static struct audit_wish
audit_wish_of(const struct wish *w)
{
    struct audit_wish a = w->audit;

    a.config = w->ctl.config;
    a.grant = w->grant;
    a.denied = w->denied;
    a.json = w->json;
    return a;
}

static int
audit_verify_verb(const struct wish *w, char **words)
{
    struct audit_wish a = audit_wish_of(w);

    (void)words;
    return audit_verb_verify(&a);
}

static int
audit_show_verb(const struct wish *w, char **words)
{
    struct audit_wish a = audit_wish_of(w);

    (void)words;
    return audit_verb_show(&a);
}

static int
audit_report_verb(const struct wish *w, char **words)
{
    struct audit_wish a = audit_wish_of(w);

    (void)words;
    return audit_verb_report(&a);
}

enum { ANY = -1 };

/* By how many words there should have been. */
static const char *const misfits[] = { "too many words",
                                       "this verb takes the ID of a task",
                                       "explain takes METHOD and URL" };

static const struct {
    const char *name;  /* of one word or two */
    const char *takes; /* options, by their letter */
    int words;         /* behind it; ANY: as many as there are */
    int (*obey)(const struct wish *w, char **words);
} verbs[] = {
    { "run", "c", 0, run },
    { "check", "clxjdrw", 0, check },
    { "explain", "cuoej", 2, explain },
    { "env", "csuf", 0, env },
    { "version", "", 0, version },
    { "status", "csj", 0, status },
    { "reload", "csa", 0, reload },
    { "tail", "csngtj", 0, tail },
    { "drain", "csa", 0, drain },
    { "task start", "csgPTMCj", 0, task_start_verb },
    { "task end", "cs", 1, task_end_verb },
    { "task list", "csgj", 0, task_list_verb },
    { "task show", "csj", 1, task_show_verb },
    { "task revoke", "csgA", 0, task_revoke_verb },
    { "exec", "csgPTMuU", ANY, exec },
    { "audit verify", "cLkpj", 0, audit_verify_verb },
    { "audit show", "cLignSj", 0, audit_show_verb },
    { "audit report", "cLgj", 0, audit_report_verb },
};

/* How many of the words are this verb's name; 0: they are not. */
static int
words_of_name(const char *name, const char *verb, int argc, char **argv)
{
    const char *space = strchr(name, ' ');
    size_t n = space == NULL ? strlen(name) : (size_t)(space - name);

    if (strlen(verb) != n || strncmp(verb, name, n) != 0)
        return 0;
    if (space == NULL)
        return 1;
    return argc > 0 && strcmp(space + 1, argv[0]) == 0 ? 2 : 0;
}

static int
obey(const char *verb, const struct wish *w, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        int used = words_of_name(verbs[i].name, verb, argc, argv);

        if (used == 0)
            continue;
        if (strspn(w->given, verbs[i].takes) != strlen(w->given))
            return complain("this verb has no such option");
        if (verbs[i].words != ANY && argc - (used - 1) != verbs[i].words)
            return complain(misfits[verbs[i].words]);
        return verbs[i].obey(w, argv + used - 1);
    }
    fprintf(stderr, "holdfast: no such verb: %s\n\n%s", verb, usage);
    return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    struct wish w = { .ctl.config = "/etc/holdfast/holdfast.conf",
                      .uid = -1,
                      .terms = { .max_requests = -1, .uid = -1 } };

    if (!read_options(argc, argv, &w))
        return complain("no such option, or a bad value");
    if (w.help) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    w.has_dashes = strcmp(argv[optind - 1], "--") == 0;
    if (optind >= argc)
        return complain("a verb is missing");
    return obey(argv[optind], &w, argc - optind - 1, argv + optind + 1);
}

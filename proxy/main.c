/* The verbs. */
#include "proxy/doctor.h"
#include "proxy/environment.h"
#include "proxy/exec.h"
#include "proxy/run.h"
#include "proxy/steer.h"
#include "proxy/usage.h"
#include "proxy/wish.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int
complain(const char *verb, const char *what)
{
    fprintf(stderr, "holdfast: %s\n", what);
    usage_tell(stderr, verb);
    return EXIT_USAGE;
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
                         .as = w->as,
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
steer(const struct wish *w, char **words)
{
    const struct steer_wish wish = { .config = w->ctl.config,
                                     .mode = w->mode,
                                     .user = w->user,
                                     .uid = w->uid,
                                     .load = w->load,
                                     .remove = w->remove,
                                     .check = w->check,
                                     .json = w->json };

    (void)words;
    return holdfast_steer(&wish);
}

static int
doctor(const struct wish *w, char **words)
{
    bool has_config = strchr(w->given, 'c') != NULL;
    const struct doctor_wish wish = { .config = has_config ? w->ctl.config : NULL,
                                      .uid = w->uid,
                                      .json = w->json };

    (void)words;
    return holdfast_doctor(&wish);
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
        return complain("task start", "task start takes --grant");
    return ctl_task_start(&w->ctl, &terms, w->json);
}

static int
task_end_verb(const struct wish *w, char **words)
{
    return ctl_task_end(&w->ctl, words[0], w->json);
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
        return complain("task revoke", "task revoke takes either --grant or --all");
    return ctl_task_revoke(&w->ctl, w->grant, w->json);
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
        return complain("exec", "exec takes --grant, and the command behind --");
    if (w->user != NULL && w->uid >= 0)
        return complain("exec", "exec takes either --uid or --user");
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
    { "explain", "cuoejy", 2, explain },
    { "env", "csuf", 0, env },
    { "steer", "cmUuDRKj", 0, steer },
    { "doctor", "cuj", 0, doctor },
    { "version", "", 0, version },
    { "status", "csj", 0, status },
    { "reload", "csa", 0, reload },
    { "tail", "csngtj", 0, tail },
    { "drain", "csa", 0, drain },
    { "task start", "csgPTMCj", 0, task_start_verb },
    { "task end", "csj", 1, task_end_verb },
    { "task list", "csgj", 0, task_list_verb },
    { "task show", "csj", 1, task_show_verb },
    { "task revoke", "csgAj", 0, task_revoke_verb },
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
            return complain(verbs[i].name, "this verb has no such option");
        if (verbs[i].words != ANY && argc - (used - 1) != verbs[i].words)
            return complain(verbs[i].name, misfits[verbs[i].words]);
        return verbs[i].obey(w, argv + used - 1);
    }
    fprintf(stderr, "holdfast: no such verb: %s%s%s\n", verb, argc > 0 ? " " : "",
            argc > 0 ? argv[0] : "");
    usage_tell(stderr, verb);
    return EXIT_USAGE;
}

static int
complain_of_option(const struct wish *w, const char *verb)
{
    if (w->bad == NULL) /* getopt has said which */
        return complain(verb, "no such option, or one without its value");
    fprintf(stderr, "holdfast: %s: %s\n", w->bad, w->wanted);
    usage_tell(stderr, verb);
    return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : ""; /* before getopt sorts them */
    struct wish w;

    if (!wish_read(argc, argv, &w))
        return complain_of_option(&w, first);
    if (w.help) {
        fputs(holdfast_usage, stdout);
        return EXIT_OK;
    }
    if (w.version)
        return holdfast_version();
    if (optind >= argc) {
        fprintf(stderr, "holdfast: a verb is missing\n\n%s", holdfast_usage);
        return EXIT_USAGE;
    }
    return obey(argv[optind], &w, argc - optind - 1, argv + optind + 1);
}

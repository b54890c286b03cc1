/* The verbs. */
#include "base/text.h"
#include "proxy/run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: holdfast run     [-c FILE]\n"
    "       holdfast check   [-c FILE] [--lint]      every "
    "error at once; --lint: what is legal but questionable\n"
    "       holdfast check   --defaults | --reference | --reasons\n"
    "       holdfast explain [-c FILE] [--uid N] METHOD URL\n"
    "       holdfast version\n"
    "\n"
    "FILE is /etc/holdfast/holdfast.conf unless given; beside "
    "it, conf.d/*.conf is read as well.\n"
    "Signals: HUP reload, TERM drain, INT and QUIT stop now, "
    "USR1 reopen the log, USR2 write the state to the log.\n"
    "Exit: 0 well, 1 failed, 2 usage, 3 refused (explain), 75 "
    "cannot bind, 78 bad config.\n";

struct wish {
    const char *config;
    long uid;
    bool lint, defaults, reference, reasons, help;
};

static int
complain(const char *what)
{
    fprintf(stderr, "holdfast: %s\n\n%s", what, usage);
    return EXIT_USAGE;
}

static bool
read_uid(const char *z, long *uid)
{
    uint64_t n;

    if (!text_to_u64(text_z(z), UINT32_MAX - 1, &n))
        return false;
    *uid = (long)n;
    return true;
}

static bool
read_options(int argc, char **argv, struct wish *w)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "uid", required_argument, NULL, 'u' },
        { "lint", no_argument, NULL, 'l' },
        { "defaults", no_argument, NULL, 'd' },
        { "reference", no_argument, NULL, 'r' },
        { "reasons", no_argument, NULL, 'w' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            w->config = optarg;
            break;
        case 'l':
            w->lint = true;
            break;
        case 'd':
            w->defaults = true;
            break;
        case 'r':
            w->reference = true;
            break;
        case 'w':
            w->reasons = true;
            break;
        case 'h':
            w->help = true;
            break;
        case 'u':
            if (read_uid(optarg, &w->uid))
                break;
            return false;
        default:
            return false;
        }
    }
    return true;
}

static int
check(const struct wish *w)
{
    if (w->defaults)
        return holdfast_print(conf_print_defaults);
    if (w->reference)
        return holdfast_print(conf_print_reference);
    if (w->reasons)
        return holdfast_print_reasons();
    return holdfast_check(w->config, w->lint);
}

static int
obey(const char *verb, const struct wish *w, int argc, char **argv)
{
    bool explain = strcmp(verb, "explain") == 0;

    if (argc != (explain ? 2 : 0))
        return complain(explain ? "explain takes METHOD and URL" : "too many words");
    if (explain)
        return holdfast_explain(w->config, w->uid, argv[0], argv[1]);
    if (strcmp(verb, "run") == 0)
        return holdfast_run(w->config);
    if (strcmp(verb, "check") == 0)
        return check(w);
    if (strcmp(verb, "version") == 0)
        return holdfast_version();
    return complain("no such verb");
}

int
main(int argc, char **argv)
{
    struct wish w = { .config = "/etc/holdfast/holdfast.conf", .uid = -1 };

    if (!read_options(argc, argv, &w))
        return complain("no such option, or a bad value");
    if (w.help) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    if (optind >= argc)
        return complain("a verb is missing");
    return obey(argv[optind], &w, argc - optind - 1, argv + optind + 1);
}

#include "proxy/wish.h"

#include "base/text.h"
#include "conf/value.h"

#include <getopt.h>
#include <string.h>

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
    { "mode", required_argument, NULL, 'm' },
    { "as", required_argument, NULL, 'y' },
    { "load", no_argument, NULL, 'D' },
    { "remove", no_argument, NULL, 'R' },
    { "check", no_argument, NULL, 'K' },
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
    { "version", no_argument, NULL, 'V' },
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

/* What the grant allows is not known here. */
static bool
read_ttl(const char *z, const char **ttl)
{
    int64_t ms;

    *ttl = z;
    return value_duration(z, &ms) && ms > 0;
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
        { 'U', &w->user, NULL },
        { 'm', &w->mode, NULL },
        { 'y', &w->as, NULL },
        { 'D', NULL, &w->load },
        { 'R', NULL, &w->remove },
        { 'K', NULL, &w->check },
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
        { 'V', NULL, &w->version },
    };

    if (c == 'u')
        return read_uid(optarg, &w->uid);
    if (c == 'C')
        return read_caller(optarg, &w->terms.uid);
    if (c == 'M')
        return read_budget(optarg, &w->terms.max_requests);
    if (c == 'T')
        return read_ttl(optarg, &w->terms.ttl);
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

/* Of an option whose value was none. */
static const char *
wanted_by(int c)
{
    switch (c) {
    case 'u':
        return "--uid takes a number";
    case 'C':
        return "--caller takes uid=N";
    case 'M':
        return "--max-requests takes a number above nought";
    case 'T':
        return "--ttl takes a duration above nought: 90s, 15m, 2h";
    default:
        return "that is too many --header";
    }
}

bool
wish_read(int argc, char **argv, struct wish *w)
{
    const struct wish none = { .ctl.config = "/etc/holdfast/holdfast.conf",
                               .uid = -1,
                               .terms = { .max_requests = -1, .uid = -1 } };
    size_t n = 0;
    int c;

    *w = none;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (!take_option(w, c)) {
            w->bad = optarg;
            w->wanted = optarg != NULL ? wanted_by(c) : NULL;
            return false;
        }
        if (strchr(w->given, c) == NULL && n < sizeof w->given - 1)
            w->given[n++] = (char)c;
    }
    w->has_dashes = strcmp(argv[optind - 1], "--") == 0;
    return true;
}

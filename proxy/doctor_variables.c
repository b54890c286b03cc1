/* The variables: whether they are set, whether the files they name hold the CA that
 * Holdfast's certificates are by, and whether what is meant to be a handle is one. */
#include "base/file.h"
#include "proxy/doctor.h"
#include "proxy/doctor_parts.h"
#include "proxy/environment.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HANDLES_MAX = 1 << 20 };

#define TRUST_STORE "-Djavax.net.ssl.trustStore="

static bool
is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* ---- files */

static void
judge_file(struct doctor *d, const char *name, const char *path)
{
    struct trust *t = NULL;

    if (access(path, R_OK) != 0)
        checkup_say(&d->up, false, name, "%s names %s: %s: mount what ca.publish has",
                    name, path, strerror(errno));
    else if (trust_load(path, &t) != REASON_OK)
        checkup_say(&d->up, false, name,
                    "%s names %s, which is no list of certificates", name, path);
    else if (d->shown.leaf == NULL)
        checkup_say(&d->up, true, name, "%s names %s, which can be read", name, path);
    else if (trust_vouches(t, d->shown.leaf, d->shown.chain))
        checkup_say(&d->up, true, name, "%s names %s, and Holdfast is trusted by it",
                    name, path);
    else
        checkup_say(&d->up, false, name,
                    "%s names %s, which does not hold Holdfast's CA: mount what "
                    "ca.publish has now",
                    name, path);
    if (t != NULL && d->n_trusts < DOCTOR_FILES_MAX)
        d->trusts[d->n_trusts++] = t;
    else if (t != NULL)
        trust_unref(t);
}

static void
judge_directory(struct doctor *d, const char *name, const char *path)
{
    DIR *at = opendir(path);

    if (at != NULL)
        closedir(at);
    checkup_say(&d->up, at != NULL, name, "%s names %s%s%s", name, path,
                at != NULL ? ", which can be read" : ": mount what ca.publish has: ",
                at != NULL ? "" : strerror(errno));
}

/* Java's are options among others. */
static void
judge_options(struct doctor *d, const char *name, const char *value)
{
    const char *mark = strstr(value, TRUST_STORE);
    char path[4096];

    if (mark == NULL) {
        checkup_say(&d->up, false, name,
                    "%s names no trustStore: Java will not trust Holdfast: set what "
                    "holdfast env prints",
                    name);
        return;
    }
    snprintf(path, sizeof path, "%.*s", (int)strcspn(mark + strlen(TRUST_STORE), " \t"),
             mark + strlen(TRUST_STORE));
    checkup_say(&d->up, access(path, R_OK) == 0, name, "%s names %s, which %s", name,
                path,
                access(path, R_OK) == 0 ? "can be read"
                                        : "cannot be read: mount what ca.publish has");
}

/* ---- those that name the proxy */

static bool
is_direct(const char *name)
{
    return strcasecmp(name, "no_proxy") == 0;
}

static bool
is_loopback(struct text host)
{
    return text_is_empty(host) || text_equals(host, TEXT("localhost")) ||
           text_equals(host, TEXT("::1")) || text_starts(host, TEXT("127."));
}

/* What stands there besides is asked for without Holdfast. */
static void
judge_direct(struct doctor *d, const char *name, const char *value)
{
    struct text rest = text_z(value), host;

    while (text_split(&rest, ',', &host)) {
        host = text_trim(host);
        if (is_loopback(host))
            continue;
        checkup_say(&d->up, false, name,
                    "%s holds %.*s: programs will ask it past Holdfast: take it out",
                    name, TEXT_ARG(host));
        return;
    }
    checkup_say(&d->up, true, name, "%s names this machine alone", name);
}

/* Without the values: a password may stand in them. */
static void
judge_proxy(struct doctor *d, const char *name, const char *value)
{
    const char *asked = d->proxy != NULL ? getenv(d->proxy) : NULL;

    if (is_direct(name))
        judge_direct(d, name, value);
    else if (strcmp(name, "NODE_USE_ENV_PROXY") != 0 && asked != NULL &&
             strcmp(asked, value) != 0)
        checkup_say(&d->up, false, name,
                    "%s names another proxy than %s, and some programs read the one, "
                    "some the other: set what holdfast env prints",
                    name, d->proxy);
    else
        checkup_say(&d->up, true, name, "%s is set", name);
}

/* ---- one by one */

static void
miss(struct doctor *d, const char *name, enum environment_kind kind)
{
    if (kind == ENVIRONMENT_PROXY && d->is_turned)
        return; /* nobody has to know of a proxy */
    checkup_say(&d->up, false, name,
                "%s is not set: programs that read it %s: set what holdfast env prints",
                name,
                kind == ENVIRONMENT_PROXY ? "will not find Holdfast"
                                          : "will not trust Holdfast");
}

static void
judge(struct doctor *d, const char *name, enum environment_kind kind)
{
    static void (*const judges[])(struct doctor * d, const char *name,
                                  const char *value) = {
        [ENVIRONMENT_PROXY] = judge_proxy,
        [ENVIRONMENT_FILE] = judge_file,
        [ENVIRONMENT_DIRECTORY] = judge_directory,
        [ENVIRONMENT_OPTIONS] = judge_options,
    };
    const char *value = getenv(name);

    if (is_set(value))
        judges[kind](d, name, value);
    else
        miss(d, name, kind);
}

void
doctor_read_variables(struct doctor *d)
{
    enum environment_kind kind;
    const char *name;

    for (size_t i = 0; (name = environment_name(i, &kind)) != NULL; i++)
        judge(d, name, kind);
}

/* ---- as the config has them */

/* What is missing, and what is wrong in itself, has been told. */
static void
compare(void *to, const char *name, struct text value)
{
    struct doctor *d = to;
    const char *own = getenv(name);
    enum environment_kind kind;
    const char *known;

    for (size_t i = 0; (known = environment_name(i, &kind)) != NULL; i++)
        if (strcmp(known, name) == 0)
            break;
    if (known == NULL || !is_set(own) || text_equals(text_z(own), value))
        return;
    if (kind == ENVIRONMENT_PROXY) /* a password may stand in it */
        checkup_say(&d->up, false, name,
                    "%s is otherwise than the config has it, and by the config it is "
                    "\"%.*s\"",
                    name, TEXT_ARG(value));
    else
        checkup_say(&d->up, false, name,
                    "%s is \"%s\", and by the config it is \"%.*s\"", name, own,
                    TEXT_ARG(value));
}

void
doctor_compare_variables(struct doctor *d, const struct doctor_wish *wish)
{
    struct ctl ctl = { .config = wish->config };
    struct environment e = { .ctl = &ctl, .conf = d->conf, .uid = wish->uid };

    (void)environment_tell(&e, compare, d); /* what it lacks it tells itself */
}

/* ---- handles */

static bool
judge_handle(struct doctor *d, struct text name, struct text value)
{
    char z[256];
    const char *own;

    snprintf(z, sizeof z, "%.*s", TEXT_ARG(name));
    own = getenv(z);
    if (own != NULL && text_equals(text_z(own), value))
        return true;
    checkup_say(&d->up, false, "handles",
                "%s %s: start the workload with what handles.env says now", z,
                own == NULL ? "is not set, and a credential has a handle of that name"
                            : "is not the handle that is in force");
    return false;
}

static void
judge_handles(struct doctor *d, const char *path)
{
    struct buf bytes = { 0 };
    struct text rest, line, name;
    bool all = true;

    if (access(path, F_OK) != 0) {
        checkup_say(&d->up, true, "handles",
                    "no credential has a handle: there is no %s", path);
        return;
    }
    if (file_read(path, HANDLES_MAX, &bytes) != REASON_OK) {
        checkup_say(&d->up, false, "handles", "%s cannot be read as uid %u", path,
                    (unsigned)geteuid());
    } else {
        rest = buf_text(&bytes);
        while (text_split(&rest, '\n', &line))
            if (text_split(&line, '=', &name) && line.at != NULL && name.n > 0)
                all = judge_handle(d, name, line) && all;
        if (all)
            checkup_say(&d->up, true, "handles", "the handles of %s are set", path);
    }
    buf_wipe(&bytes);
}

/* They are published beside the CA. */
void
doctor_read_handles(struct doctor *d)
{
    const char *beside = getenv("NODE_EXTRA_CA_CERTS"), *slash;
    char path[4096];

    if (!is_set(beside))
        beside = getenv("SSL_CERT_FILE");
    slash = is_set(beside) ? strrchr(beside, '/') : NULL;
    if (d->conf == NULL && slash == NULL)
        return; /* told: the variables are missing */
    if (d->conf != NULL)
        snprintf(path, sizeof path, "%s/handles.env", d->conf->ca.publish);
    else
        snprintf(path, sizeof path, "%.*s/handles.env", (int)(slash - beside), beside);
    judge_handles(d, path);
}

/* Questionable but legal. Nothing here is refused: the operator is told once more what
 * was signed for. */
#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 60 * 60 * 1000 };

struct lint {
    const struct conf *conf;
    int64_t now_s;
    struct buf *report;
    size_t n;
};

__attribute__((format(printf, 3, 4))) static void
warn(struct lint *l, struct place at, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_printf(l->report, "%s:%u: %s\n", at.file, at.line, message);
    l->n++;
}

static bool
is_used_by(const struct conf_grant *g, const char *credential)
{
    const struct conf_rule *rules = g->rules.at;

    for (size_t i = 0; i < g->rules.n; i++)
        if (rules[i].credential != NULL && strcmp(rules[i].credential, credential) == 0)
            return true;
    return false;
}

static bool
is_used(const struct conf *c, const char *credential)
{
    const struct conf_grant *grants = c->grants.at;

    for (size_t i = 0; i < c->grants.n; i++)
        if (is_used_by(&grants[i], credential))
            return true;
    return false;
}

static void
lint_credential(struct lint *l, const struct conf_credential *c)
{
    if (strcmp(c->owner, c->approved_by) == 0)
        warn(l, c->place, "credentials.%s: %s approved what they own", c->name,
             c->owner);
    if (c->source.kind == SOURCE_FILE && !is_used(l->conf, c->name))
        warn(l, c->place,
             "credentials.%s: no rule uses it: its secret is held for nothing",
             c->name);
}

static void
lint_rule(struct lint *l, const struct conf_grant *g, const struct conf_rule *r)
{
    const struct conf_credential *c = r->credential == NULL
                                          ? NULL
                                          : conf_credential(l->conf, r->credential);

    if (r->host[0] == '*')
        warn(l, r->place, "grant %s: \"%s\" is every host below that name", g->name,
             r->host);
    if (r->methods.any)
        warn(l, r->place, "grant %s: all methods are allowed at %s", g->name, r->host);
    if (r->unbound_because != NULL)
        warn(l, r->place, "grant %s: %s: %s", g->name, r->bind.at[0],
             r->unbound_because);
    if (c != NULL && strcmp(c->approved_by, g->approved_by) == 0)
        warn(l, r->place,
             "grant %s: %s approved both this grant and credential %s; the two "
             "approvals are meant to be separate",
             g->name, g->approved_by, c->name);
}

static void
lint_grant(struct lint *l, const struct conf_grant *g)
{
    const struct conf_rule *rules = g->rules.at;

    if (g->task == TASK_STANDING)
        warn(l, g->place, "grant %s: a standing task has no end of its own", g->name);
    if (g->ttl_ms > HOUR_MS)
        warn(l, g->place, "grant %s: a task lives longer than an hour", g->name);
    if (strcmp(g->owner, g->approved_by) == 0)
        warn(l, g->place, "grant %s: %s approved what they own", g->name, g->owner);
    if (g->expires_at < l->now_s)
        warn(l, g->place, "grant %s: expired, it refuses everything", g->name);
    if (g->approved_at > l->now_s)
        warn(l, g->place, "grant %s: approved_at is in the future", g->name);
    for (size_t i = 0; i < g->rules.n; i++)
        lint_rule(l, g, &rules[i]);
}

size_t
conf_lint(const struct conf *c, int64_t now_s, struct buf *report)
{
    struct lint l = { .conf = c, .now_s = now_s, .report = report };
    const struct conf_credential *credentials = c->credentials.at;
    const struct conf_grant *grants = c->grants.at;

    for (size_t i = 0; i < c->credentials.n; i++)
        lint_credential(&l, &credentials[i]);
    for (size_t i = 0; i < c->grants.n; i++)
        lint_grant(&l, &grants[i]);
    return l.n;
}

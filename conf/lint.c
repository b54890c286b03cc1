/* Questionable but legal. Nothing here is refused: the operator is told once more what
 * was signed for. */
#include "conf/conf.h"
#include "conf/finding.h"

#include <string.h>

enum { HOUR_MS = 60 * 60 * 1000 };

struct lint {
    const struct conf *conf;
    int64_t now_s;
    struct findings *out;
};

#define NOTE(l, kind, place, ...)                                                      \
    findings_add((l)->out, FINDING_NOTE, kind, place, __VA_ARGS__)
#define WARN(l, kind, place, ...)                                                      \
    findings_add((l)->out, FINDING_WARNING, kind, place, __VA_ARGS__)

/* ---- credentials */

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
lint_credential(const struct lint *l, const struct conf_credential *c)
{
    if (strcmp(c->owner, c->approved_by) == 0)
        WARN(l, "own_approval", c->place, "credentials.%s: %s approved what they own",
             c->name, c->owner);
    if (c->source.kind == SOURCE_OAUTH && c->source.client_auth == CLIENT_NONE)
        NOTE(l, "no_client_auth", c->place,
             "credentials.%s: its authorization server is not shown who asks: whoever "
             "has what is exchanged there gets the token",
             c->name);
    /* A certificate may be another credential's to show. */
    if (c->source.kind != SOURCE_AUTHORITY && c->source.kind != SOURCE_CERTIFICATE &&
        !is_used(l->conf, c->name))
        WARN(l, "unused_credential", c->place,
             "credentials.%s: no rule uses it: its secret is held for nothing",
             c->name);
}

/* ---- grants */

static void
lint_rule(const struct lint *l, const struct conf_grant *g, const struct conf_rule *r)
{
    const struct conf_credential *c = r->credential == NULL
                                          ? NULL
                                          : conf_credential(l->conf, r->credential);

    if (r->host[0] == '*')
        WARN(l, "wide_host", r->place, "grant %s: \"%s\" is every host below that name",
             g->name, r->host);
    if (r->opaque)
        NOTE(l, "opaque", r->place,
             "grant %s: opaque: nothing is seen or stripped at %s: who reaches it may "
             "send there what they like",
             g->name, r->host);
    if (r->methods.any)
        WARN(l, "all_methods", r->place, "grant %s: all methods are allowed at %s",
             g->name, r->host);
    if (r->unbound_because != NULL)
        NOTE(l, "unbound", r->place, "grant %s: %s: %s", g->name, r->bind.at[0],
             r->unbound_because);
    if (r->own_proof == CONF_PASS)
        NOTE(
            l, "own_proof", r->place,
            "grant %s: the workload's own token and proof pass to %s: no end of a task "
            "takes them back",
            g->name, r->host);
    if (c != NULL && strcmp(c->approved_by, g->approved_by) == 0)
        WARN(l, "one_approval", r->place,
             "grant %s: %s approved both this grant and credential %s; the two "
             "approvals are meant to be separate",
             g->name, g->approved_by, c->name);
}

static void
lint_approval(const struct lint *l, const struct conf_grant *g)
{
    if (strcmp(g->owner, g->approved_by) == 0)
        WARN(l, "own_approval", g->place, "grant %s: %s approved what they own",
             g->name, g->owner);
    if (g->expires_at <= l->now_s)
        WARN(l, "expired", g->place, "grant %s: expired, it refuses everything",
             g->name);
    if (g->approved_at > l->now_s)
        WARN(l, "approved_later", g->place, "grant %s: approved_at is in the future",
             g->name);
}

/* Whom the door itself keeps out. */
static bool
is_open(const struct conf_door *d)
{
    return d->kind != DOOR_UNIX || (conf_door_mode(d) & 02) != 0;
}

static void
lint_caller(const struct lint *l, const struct conf_grant *g)
{
    const struct conf_door *doors = l->conf->doors.at;
    const struct conf_caller *c = &g->caller;
    const struct conf_door *d = c->door_at > 0 ? &doors[c->door_at - 1] : NULL;

    if (d != NULL && is_open(d) && c->uid < 0 && !c->has_gid && c->cgroup == NULL &&
        c->container == NULL && c->pod == NULL)
        WARN(l, "open_door", c->place,
             "grant %s: whoever reaches the door \"%s\" may use it: it keeps nobody "
             "out",
             g->name, c->door);
    if (c->has_gid &&
        (d != NULL ? d->kind != DOOR_UNIX : !conf_has_door(l->conf, DOOR_UNIX)))
        WARN(l, "never_met", c->place,
             "grant %s: a gid is known at unix doors alone: nobody may use it",
             g->name);
}

static void
lint_grant(const struct lint *l, const struct conf_grant *g)
{
    const struct conf_rule *rules = g->rules.at;

    if (g->task == TASK_STANDING)
        NOTE(l, "standing", g->place, "grant %s: a standing task has no end of its own",
             g->name);
    if (g->ttl_ms > HOUR_MS)
        WARN(l, "long_ttl", g->place, "grant %s: a task lives longer than an hour",
             g->name);
    lint_approval(l, g);
    lint_caller(l, g);
    for (size_t i = 0; i < g->rules.n; i++)
        lint_rule(l, g, &rules[i]);
}

/* ---- doors */

/* Names that somebody else than a workload's authority gives: an issuer, the gate's
 * operator, a CA. What one of them calls "builder" another may call so as well. */
static unsigned
kinds_of_names(const struct conf_door *d)
{
    return (unsigned)conf_names_bind(&d->accept, BIND_DPOP) +
           (unsigned)conf_names_bind(&d->accept, BIND_MTLS) +
           (conf_names_bind(&d->accept, BIND_HTTPSIG) &&
            d->signature.jwks_file != NULL);
}

/* The first that is no workload's identifier: those are given by one authority, and
 * believed of no other. */
static const char *
first_other_name(const struct strings *subjects)
{
    for (size_t i = 0; i < subjects->n; i++)
        if (strncmp(subjects->at[i], "spiffe://", 9) != 0 &&
            strncmp(subjects->at[i], "wimse://", 8) != 0)
            return subjects->at[i];
    return NULL;
}

static void
lint_gate_rule(const struct lint *l, const struct conf_gate_rule *r)
{
    const char *name = first_other_name(&r->subjects);

    if (name != NULL && r->bindings.n == 0)
        WARN(l, "mixed_names", r->place,
             "the gate takes several kinds of proof here, and \"%s\" may be the sub of "
             "an access token, the id of a key or the name of a certificate: write "
             "bindings beside subjects, such as bindings = [\"dpop\"];",
             name);
}

static void
lint_door(const struct lint *l, const struct conf_door *d)
{
    const struct conf_gate_rule *rules = d->rules.at;

    for (size_t i = 0; i < d->rules.n && kinds_of_names(d) > 1; i++)
        lint_gate_rule(l, &rules[i]);
    if (d->kind == DOOR_GATE && d->accept.n == 1 &&
        conf_names_bind(&d->accept, BIND_MTLS))
        NOTE(l, "uncovered", d->place,
             "the gate accepts client certificates alone: they cover the connection, "
             "and no method, path or body of what is sent on it");
    if (d->kind == DOOR_DNS && !conf_is_loopback(&d->listen.address))
        NOTE(
            l, "open_dns", d->place,
            "the dns door does not listen on loopback: whoever else can send to it is "
            "no caller that is known, and is told the addresses of any caller's names");
}

void
conf_lint(const struct conf *c, int64_t now_s, struct findings *out)
{
    struct lint l = { .conf = c, .now_s = now_s, .out = out };
    const struct conf_credential *credentials = c->credentials.at;
    const struct conf_grant *grants = c->grants.at;
    const struct conf_door *doors = c->doors.at;

    if (c->ledger.off_because != NULL)
        WARN(&l, "ledger_off", c->ledger.place,
             "ledger: nothing that is decided is recorded: %s", c->ledger.off_because);
    else if (c->ledger.keep != NULL && c->ledger.witness.url == NULL)
        NOTE(&l, "no_witness", c->ledger.place,
             "ledger: no witness is sent its checkpoints: who can write to its disk "
             "can cut its end unseen, unless the log is kept elsewhere");
    for (size_t i = 0; i < c->doors.n; i++)
        lint_door(&l, &doors[i]);
    for (size_t i = 0; i < c->credentials.n; i++)
        lint_credential(&l, &credentials[i]);
    for (size_t i = 0; i < c->grants.n; i++)
        lint_grant(&l, &grants[i]);
}

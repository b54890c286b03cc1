/* Grants and their rules: what a rule with a credential must say, and what one without
 * must not. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/suggest.h"

#include <stdlib.h>
#include <string.h>

static const char *
bind_error(struct arena *a, const char *z)
{
    struct suggestion near = { 0 };

    for (size_t i = 0; conf_bind_words[i] != NULL; i++) {
        if (strcmp(z, conf_bind_words[i]) == 0)
            return NULL;
        suggest(&near, z, conf_bind_words[i]);
    }
    if (is_later_word("bind", z))
        return "is not built yet: write \"header\" or \"bearer\"";
    if (near.word == NULL)
        return "is no binding: write \"httpsig\", \"dpop\", \"wimse\", \"mtls\", "
               "\"header\" or \"bearer\"";
    return arena_copy_z(
        a, arena_printf(a, "is no binding, did you mean \"%s\"?", near.word));
}

static void
check_credential_name(const struct check *k, const struct conf_rule *r)
{
    const struct conf_credential *all = k->conf->credentials.at;
    struct suggestion near = { 0 };

    for (size_t i = 0; i < k->conf->credentials.n; i++)
        suggest(&near, r->credential, all[i].name);
    if (near.word != NULL)
        check_complain(k, r, "credential",
                       "no credential is named \"%.80s\", did you mean \"%s\"?",
                       r->credential, near.word);
    else
        check_complain(k, r, "credential",
                       "no credential is named \"%.80s\": write it under credentials",
                       r->credential);
}

/* ---- bindings */

static bool
binds(const struct conf_rule *r, enum conf_bind bind)
{
    for (size_t i = 0; i < r->bind.n; i++)
        if (strcmp(r->bind.at[i], conf_bind_words[bind]) == 0)
            return true;
    return false;
}

/* The secret itself leaves. */
static bool
binds_nothing(const struct conf_rule *r)
{
    return binds(r, BIND_HEADER) || binds(r, BIND_BEARER);
}

/* What is no binding has been complained of, and whatever else it says is moot. */
static bool
has_known_binds(const struct conf_rule *r)
{
    size_t known = 0;

    for (size_t i = 0; i < r->bind.n; i++)
        for (size_t j = 0; conf_bind_words[j] != NULL; j++)
            known += strcmp(r->bind.at[i], conf_bind_words[j]) == 0;
    return known > 0 && known == r->bind.n;
}

static void
check_bind_of_secret(const struct check *k, const struct conf_rule *r,
                     const struct conf_credential *c)
{
    if (binds(r, BIND_WIMSE))
        check_complain_element(k, r, "bind", conf_bind_words[BIND_WIMSE],
                               "a secret from a file cannot be bound: write \"bearer\" "
                               "or \"header\", or a credential of the authority");
    else if (r->bind.n > 1)
        check_complain(k, r, "bind",
                       "one of them would be presented and the others never: write "
                       "one");
    if (binds(r, BIND_HEADER) && !check_has_key(k, c, "header"))
        check_complain_element(k, r, "bind", conf_bind_words[BIND_HEADER],
                               "its credential does not say in which: write header = "
                               "\"X-Api-Key\"; there");
}

static void
check_bind_of_authority(const struct check *k, const struct conf_rule *r)
{
    if (binds_nothing(r))
        check_complain_element(
            k, r, "bind",
            conf_bind_words[binds(r, BIND_HEADER) ? BIND_HEADER : BIND_BEARER],
            "the authority yields no secret: write \"wimse\"");
    else if (r->bind.n > 1)
        check_complain(k, r, "bind", "says one thing twice: write it once");
}

static void
check_inject(const struct check *k, const struct conf_rule *r,
             const struct conf_credential *c)
{
    if (c->source.kind == SOURCE_AUTHORITY && r->inject == INJECT_ON_HANDLE)
        check_complain(k, r, "inject",
                       "the authority has no handle that could be shown, and "
                       "\"on_handle\" is the default: write inject = \"always\";");
}

/* Whoever lets a secret out as it is says why, and nobody else does. */
static void
check_unbound_because(const struct check *k, const struct conf_rule *r)
{
    bool said = check_has_key(k, r, "unbound_because");

    if (binds_nothing(r) && !said)
        check_complain(k, r, "unbound_because",
                       "is missing where the secret itself leaves: write "
                       "unbound_because = \"why nothing better is taken\";");
    if (!binds_nothing(r) && said)
        check_complain(k, r, "unbound_because",
                       "nothing leaves unbound here: remove it");
}

static void
check_bind(const struct check *k, const struct conf_rule *r,
           const struct conf_credential *c)
{
    bool secret = c != NULL && c->source.kind == SOURCE_FILE;

    if (!check_has_key(k, r, "bind"))
        check_complain(k, r, "bind",
                       "is missing beside a credential: write bind = [\"%s\"];",
                       secret ? "bearer" : "wimse");
    if (!has_known_binds(r))
        return;
    if (secret)
        check_bind_of_secret(k, r, c);
    else if (c != NULL && c->source.kind == SOURCE_AUTHORITY)
        check_bind_of_authority(k, r);
    check_unbound_because(k, r);
}

static void
check_rule_with_credential(const struct check *k, const struct conf_rule *r)
{
    const struct conf_credential *c = conf_credential(k->conf, r->credential);

    if (c == NULL)
        check_credential_name(k, r);
    else
        check_inject(k, r, c);
    check_bind(k, r, c);
    if (r->scheme == SCHEME_HTTP)
        check_complain(k, r, "credential",
                       "a credential is never presented over plain http: remove it, or "
                       "write scheme = \"https\"");
    if (r->signed_urls == CONF_PASS)
        check_complain(k, r, "signed_urls",
                       "signed URLs pass only in a rule without credential: remove one "
                       "of the two");
}

static void
check_rule_without_credential(const struct check *k, const struct conf_rule *r)
{
    if (check_has_key(k, r, "bind"))
        check_complain(
            k, r, "bind",
            "there is nothing to bind: write credential = \"...\"; or remove it");
    if (check_has_key(k, r, "inject"))
        check_complain(
            k, r, "inject",
            "there is nothing to inject: write credential = \"...\"; or remove it");
    if (check_has_key(k, r, "unbound_because"))
        check_complain(k, r, "unbound_because",
                       "nothing leaves unbound here: remove it");
}

static void
check_rule(const struct check *k, const struct conf_rule *r)
{
    if (r->host != NULL)
        check_value(k, r, "host", r->host,
                    pattern_host_error(k->fill->scratch, r->host));
    check_each(k, r, "methods", &r->methods, pattern_method_error);
    check_websocket(k, r, r->websocket, &r->methods);
    check_each(k, r, "paths", &r->paths, pattern_path_error);
    check_each(k, r, "bind", &r->bind, bind_error);
    if (r->scheme == SCHEME_HTTP && r->upstream_trust != NULL)
        check_complain(k, r, "upstream_trust",
                       "there is no certificate on plain http: remove it");
    if (r->credential != NULL)
        check_rule_with_credential(k, r);
    else if (!check_has_key(k, r, "credential"))
        check_rule_without_credential(k, r);
}

/* ---- purposes and tasks */

/* Nobody starts these tasks who could say which purpose it is for. */
static void
check_purposes(const struct check *k, const struct conf_grant *g)
{
    if ((g->task == TASK_STANDING || g->task == TASK_POD) && g->purposes.n > 1)
        check_complain(k, g, "purposes",
                       "a standing or pod task has exactly one purpose, which is what "
                       "its tokens state: write one, and a grant for each other");
}

static void
check_purpose(const struct check *k, const struct conf_grant *g,
              const struct conf_rule *r, const char *purpose)
{
    struct suggestion near = { 0 };
    struct arena *a = k->fill->scratch;

    for (size_t i = 0; i < g->purposes.n; i++) {
        if (strcmp(g->purposes.at[i], purpose) == 0)
            return;
        suggest(&near, purpose, g->purposes.at[i]);
    }
    check_complain_element(
        k, r, "purposes", purpose,
        near.word == NULL
            ? "is no purpose of its grant: write one of them, or add it there"
            : arena_copy_z(
                  a, arena_printf(a, "is no purpose of its grant, did you mean \"%s\"?",
                                  near.word)));
}

/* A grant whose purposes were refused has none to compare with. */
static void
check_rule_purposes(const struct check *k, const struct conf_grant *g,
                    const struct conf_rule *r)
{
    if (g->purposes.n == 0)
        return;
    for (size_t i = 0; i < r->purposes.n; i++)
        check_purpose(k, g, r, r->purposes.at[i]);
}

static void
check_task(const struct check *k, const struct conf_grant *g)
{
    if (g->task == TASK_POD && !check_has_key(k, &k->conf->workload, "pod"))
        check_complain(k, g, "task",
                       "such a task is named by the pod's uid: write workload.pod = "
                       "\"7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11\";");
}

static void
check_grant(const struct check *k, const struct conf_grant *g)
{
    const struct conf_rule *rules = g->rules.at;

    if (g->name != NULL)
        check_value(k, g, "name", g->name, pattern_name_error(g->name));
    /* Zero is a date that was refused. */
    if (g->approved_at > 0 && g->expires_at > 0 && g->approved_at > g->expires_at)
        check_complain(k, g, "expires_at", "is before approved_at: write a later date");
    check_purposes(k, g);
    check_task(k, g);
    for (size_t i = 0; i < g->rules.n; i++) {
        check_rule(k, &rules[i]);
        check_rule_purposes(k, g, &rules[i]);
    }
}

static int
compare_names(const void *left, const void *right)
{
    const struct conf_grant *a = *(const struct conf_grant *const *)left;
    const struct conf_grant *b = *(const struct conf_grant *const *)right;
    int names = strcmp(a->name, b->name);

    return names != 0 ? names : a < b ? -1 : a > b;
}

/* Sorted rather than compared each with each: there may be very many. */
static void
check_grant_names(const struct check *k)
{
    const struct conf_grant **named = arena_alloc(k->fill->scratch,
                                                  k->conf->grants.n * sizeof *named);
    const struct conf_grant *grants = k->conf->grants.at;
    size_t n = 0;

    for (size_t i = 0; i < k->conf->grants.n; i++)
        if (grants[i].name != NULL)
            named[n++] = &grants[i];
    if (n > 1)
        qsort(named, n, sizeof *named, compare_names);
    for (size_t i = 1; i < n; i++)
        if (strcmp(named[i - 1]->name, named[i]->name) == 0)
            check_complain(
                k, named[i], "name",
                "\"%.80s\" is the grant at %s:%u as well: write another name",
                named[i]->name, named[i - 1]->place.file, named[i - 1]->place.line);
}

void
check_grants(const struct check *k)
{
    const struct conf_grant *grants = k->conf->grants.at;

    for (size_t i = 0; i < k->conf->grants.n; i++)
        check_grant(k, &grants[i]);
    check_grant_names(k);
}

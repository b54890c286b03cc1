/* Grants and their rules: whom and what they name, and for which purposes. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/suggest.h"

#include <stdlib.h>
#include <string.h>

static void
check_rule(const struct check *k, const struct conf_rule *r)
{
    if (r->host != NULL)
        check_value(k, r, "host", r->host,
                    pattern_host_error(k->fill->scratch, r->host));
    check_each(k, r, "methods", &r->methods, pattern_method_error);
    check_websocket(k, r, r->websocket, &r->methods);
    check_each(k, r, "paths", &r->paths, pattern_path_error);
    if (r->scheme == SCHEME_HTTP && r->upstream_trust != NULL)
        check_complain(k, r, "upstream_trust",
                       "there is no certificate on plain http: remove it");
    check_bindings(k, r);
}

static void
check_any_rule(const struct check *k, const struct conf_rule *r)
{
    if (r->opaque)
        check_opaque(k, r);
    else
        check_rule(k, r);
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
    const struct conf_workload *w = &k->conf->workload;

    if (g->task == TASK_POD && !check_has_key(k, w, "pod") &&
        !check_has_key(k, w, "pod_file") && !check_has_key(k, w, "claim_file"))
        check_complain(k, g, "task",
                       "such a task is named by the pod's uid: write workload.pod = "
                       "\"7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11\"; or pod_file, or "
                       "claim_file");
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
    check_caller(k, &g->caller);
    for (size_t i = 0; i < g->rules.n; i++) {
        check_any_rule(k, &rules[i]);
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

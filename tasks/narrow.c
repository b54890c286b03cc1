/* Rules that stand where they stood are compared at once; only when one has moved or
 * changed is a table made of the new grant's. */
#include "tasks/narrow.h"

#include "base/memory.h"
#include "base/table.h"
#include "tasks/demand.h"

#include <stdlib.h>
#include <string.h>

static bool
same_z(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

static bool
same_strings(const struct strings *a, const struct strings *b)
{
    if (a->n != b->n || a->any != b->any)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->at[i], b->at[i]) != 0)
            return false;
    return true;
}

static bool
same_cidrs(const struct cidrs *a, const struct cidrs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].bits != b->at[i].bits ||
            !address_equals(&a->at[i].base, &b->at[i].base))
            return false;
    return true;
}

/* ---- rules */

static bool
same_trust(const struct groups *a, const struct groups *b)
{
    const struct conf_trust *x = a->at, *y = b->at;

    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_z(x[i].domain, y[i].domain) ||
            !same_z(x[i].jwks_file, y[i].jwks_file) ||
            !same_strings(&x[i].subjects, &y[i].subjects) ||
            !same_strings(&x[i].issuers, &y[i].issuers))
            return false;
    return true;
}

static bool
same_signature(const struct conf_signature *a, const struct conf_signature *b)
{
    if (a == b || a == NULL || b == NULL)
        return a == b;
    return a->profile == b->profile && a->expires_ms == b->expires_ms &&
           a->nonce == b->nonce && a->created == b->created && a->alg == b->alg &&
           a->response == b->response && same_z(a->tag, b->tag) &&
           same_z(a->label, b->label) && same_z(a->audience, b->audience) &&
           same_z(a->response_jwks_file, b->response_jwks_file) &&
           same_strings(&a->components, &b->components) &&
           same_trust(&a->response_trust, &b->response_trust);
}

bool
rules_treat_alike(const struct conf_rule *a, const struct conf_rule *b)
{
    return a->scheme == b->scheme && a->opaque == b->opaque && a->http == b->http &&
           a->inject == b->inject && a->cookies == b->cookies &&
           a->encoded_slashes == b->encoded_slashes &&
           a->signed_urls == b->signed_urls && a->websocket == b->websocket &&
           a->own_proof == b->own_proof && same_signature(a->signature, b->signature) &&
           same_z(a->credential, b->credential) &&
           same_z(a->upstream_trust, b->upstream_trust) &&
           same_strings(&a->bind, &b->bind) && same_cidrs(&a->addresses, &b->addresses);
}

/* All but its place and the sentence that excuses it: neither lets anything through. */
static bool
same_rule(const struct conf_rule *a, const struct conf_rule *b)
{
    return rules_treat_alike(a, b) && a->port == b->port && same_z(a->host, b->host) &&
           same_strings(&a->methods, &b->methods) &&
           same_strings(&a->paths, &b->paths) &&
           same_strings(&a->purposes, &b->purposes);
}

/* Of what rules mostly differ in. */
static uint64_t
hash_rule(const struct conf_rule *r)
{
    uint64_t h = table_hash(text_z(r->host)) + (uint64_t)r->port;

    for (size_t i = 0; i < r->paths.n; i++)
        h = h * 31 + table_hash(text_z(r->paths.at[i]));
    for (size_t i = 0; i < r->methods.n; i++)
        h = h * 31 + table_hash(text_z(r->methods.at[i]));
    return h;
}

struct known {
    struct table_node node;
    const struct conf_rule *rule;
};

static bool
is_known(const struct table *t, const struct conf_rule *r)
{
    const struct table_node *m = table_first(t, hash_rule(r));

    while (m != NULL && !same_rule(TABLE_OWNER(m, struct known, node)->rule, r))
        m = table_next(m);
    return m != NULL;
}

/* `from` on, every rule has an equal somewhere. */
static bool
are_all_known(const struct groups *was, size_t from, const struct groups *is)
{
    struct known *known = memory_new_array(is->n, sizeof *known);
    const struct conf_rule *old = was->at, *new = is->at;
    struct table table;
    bool all = true;

    table_init(&table);
    for (size_t i = 0; i < is->n; i++) {
        known[i].rule = &new[i];
        table_add(&table, &known[i].node, hash_rule(&new[i]));
    }
    for (size_t i = from; i < was->n && all; i++)
        all = is_known(&table, &old[i]);
    table_clear(&table);
    free(known);
    return all;
}

static enum narrowing
compare_rules(const struct groups *was, const struct groups *is)
{
    const struct conf_rule *old = was->at, *new = is->at;
    size_t i = 0;

    while (i < was->n && i < is->n && same_rule(&old[i], &new[i]))
        i++;
    if (i == was->n)
        return i == is->n ? GRANT_SAME : GRANT_CHANGED;
    return are_all_known(was, i, is) ? GRANT_CHANGED : GRANT_NARROWER;
}

/* ---- the grant */

static bool
has_all(const struct strings *is, const struct strings *was)
{
    for (size_t i = 0; i < was->n; i++) {
        size_t at = 0;

        while (at < is->n && strcmp(is->at[at], was->at[i]) != 0)
            at++;
        if (at == is->n)
            return false;
    }
    return true;
}

/* A pod's task is known by the pod. */
static bool
same_workload(const struct conf *a, const struct conf *b, const struct conf_grant *g)
{
    const struct conf_workload *x = &a->workload, *y = &b->workload;

    if (!same_z(x->id, y->id))
        return false;
    return g->task != TASK_POD ||
           (same_z(x->pod, y->pod) && same_z(x->pod_file, y->pod_file) &&
            same_z(x->claim_file, y->claim_file) &&
            same_z(x->claim_label, y->claim_label));
}

static bool
same_papers(const struct conf_grant *a, const struct conf_grant *b)
{
    return same_z(a->approved_by, b->approved_by) && same_z(a->ticket, b->ticket) &&
           a->approved_at == b->approved_at && a->expires_at == b->expires_at &&
           a->ttl_ms == b->ttl_ms && a->drain_ms == b->drain_ms &&
           same_strings(&a->purposes, &b->purposes);
}

enum narrowing
grant_compare(const struct conf *before, const struct conf_grant *was,
              const struct conf *after, const struct conf_grant *is)
{
    enum narrowing rules;

    if (!same_workload(before, after, was) || was->task != is->task ||
        !same_z(was->owner, is->owner) || !demand_equals(&was->caller, &is->caller) ||
        !has_all(&is->purposes, &was->purposes))
        return GRANT_NARROWER;
    rules = compare_rules(&was->rules, &is->rules);
    if (rules == GRANT_SAME && !same_papers(was, is))
        return GRANT_CHANGED;
    return rules;
}

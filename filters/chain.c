/* The chains: what judges a request, in which order, at which kind of door. */
#include "filters/chain.h"

#include "base/memory.h"
#include "filters/guard.h"
#include "filters/handle.h"
#include "filters/policy.h"
#include "filters/present.h"
#include "filters/prove.h"
#include "filters/strip.h"
#include "filters/verify.h"
#include "filters/vouch.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    HANDLE,
    PROVE,
    POLICY,
    GUARD,
    DEMAND,
    USE,
    STRIP,
    PRESENT,
    VERIFY,
    VOUCH,
    ANSWER,
    FILTERS,
    END = FILTERS
};

static const struct filter *const filters[FILTERS] = {
    [HANDLE] = &handle_filter, /* a copied handle is a tripwire: first of all */
    [PROVE] = &prove_filter,   /* which task asks? */
    [POLICY] = &policy_filter, /* which rule? */
    [GUARD] = &guard_filter,   /* nothing prohibited, but by its exceptions … */
    [DEMAND] = &policy_demand_filter, /* … and nothing that no rule allows */
    [USE] = &handle_use_filter,       /* … and no handle that it has no use for */
    [STRIP] = &strip_filter,          /* nothing of the workload's own … */
    [PRESENT] = &present_filter,      /* … only ours, over what is left */
    [VERIFY] = &verify_filter,        /* the other side: prove it */
    [VOUCH] = &vouch_filter,          /* and only what is proved is told */
    [ANSWER] = &answer_filter,        /* of no phase: asked when an answer comes */
};

enum side { WAY_OUT, WAY_OUT_UNOPENED, WAY_IN, SIDES };

/* By side and enum chain_phase. */
static const unsigned char orders[SIDES][3][8] = {
    [WAY_OUT] = { [CHAIN_TUNNEL] = { HANDLE, PROVE, END },
                  [CHAIN_JUDGE] = { HANDLE, PROVE, POLICY, GUARD, DEMAND, USE, END },
                  [CHAIN_PRESENT] = { USE, STRIP, PRESENT, END } },
    /* Nobody sees what there is to strip, and nothing of ours may lie upon it. */
    [WAY_OUT_UNOPENED] = { [CHAIN_TUNNEL] = { HANDLE, PROVE, END },
                           [CHAIN_JUDGE] = { POLICY, GUARD, DEMAND, END },
                           [CHAIN_PRESENT] = { END } },
    [WAY_IN] = { [CHAIN_TUNNEL] = { END },
                 [CHAIN_JUDGE] = { VERIFY, END },
                 [CHAIN_PRESENT] = { VOUCH, END } },
};

static const unsigned char *
order_of(const struct view *v, enum chain_phase phase)
{
    /* Through any other nothing passes that could be judged. */
    assert(v->door->kind <= DOOR_GATE);
    if (v->door->kind == DOOR_GATE)
        return orders[WAY_IN][phase];
    if (!v->opaque)
        return orders[WAY_OUT][phase];
    assert(v->rule == NULL || (v->rule->opaque && v->rule->credential == NULL));
    return orders[WAY_OUT_UNOPENED][phase];
}

struct chain {
    void *states[FILTERS];
    bool is_open[FILTERS];
};

void
chain_close(struct chain *c)
{
    if (c == NULL)
        return;
    for (size_t i = FILTERS; i-- > 0;) {
        if (c->is_open[i] && filters[i]->close != NULL)
            filters[i]->close(c->states[i]);
    }
    free(c);
}

/* Every filter is opened even after one failed, so that the operator reads all errors
 * at once. */
enum reason
chain_open(const struct conf *conf, struct buf *report, struct chain **out)
{
    struct chain *c = memory_new(sizeof *c);
    enum reason result = REASON_OK;

    *out = NULL;
    for (size_t i = 0; i < FILTERS; i++) {
        enum reason why = REASON_OK;

        if (filters[i]->open != NULL)
            why = filters[i]->open(conf, conf_filter(conf, filters[i]->name), report,
                                   &c->states[i]);
        c->is_open[i] = why == REASON_OK;
        if (result == REASON_OK)
            result = why;
    }
    if (result != REASON_OK) {
        chain_close(c);
        return result;
    }
    *out = c;
    return REASON_OK;
}

/* What no rule allows has no rule: the one that came near stays in rule_place and its
 * grant in nearest, for log and ledger alone. */
static struct verdict
refuse(struct view *v, enum chain_phase phase, struct verdict verdict)
{
    if (phase != CHAIN_PRESENT) {
        v->nearest = v->grant;
        v->grant = NULL;
        v->rule = NULL;
        v->gate_rule = NULL;
        v->entry = NULL;
    }
    if (verdict.reason == REASON_OK)
        verdict.reason = REASON_INTERNAL;
    return verdict;
}

struct verdict
chain_run(struct chain *c, enum chain_phase phase, struct view *v, const char **by)
{
    const unsigned char *order;

    order = order_of(v, phase);
    *by = NULL;
    if (phase == CHAIN_PRESENT)
        present_forget(v);
    for (; *order != END; order++) {
        struct verdict verdict = filters[*order]->on_request(c->states[*order], v);

        if (verdict.answer == PASS)
            continue;
        *by = filters[*order]->name;
        return refuse(v, phase, verdict);
    }
    return pass();
}

const char *
chain_name(const struct view *v, enum chain_phase phase, size_t i)
{
    unsigned char at = order_of(v, phase)[i];

    return at == END ? NULL : filters[at]->name;
}

struct verdict
chain_ask(struct chain *c, enum chain_phase phase, struct view *v, size_t i)
{
    unsigned char at = order_of(v, phase)[i];

    assert(at != END);
    return filters[at]->on_request(c->states[at], v);
}

struct verdict
chain_run_trailers(struct chain *c, struct view *v, struct headers *trailers,
                   const char **by)
{
    const unsigned char *order = order_of(v, CHAIN_PRESENT);

    for (; *order != END; order++) {
        const struct filter *f = filters[*order];
        struct verdict verdict = pass();

        if (f->on_trailers != NULL)
            verdict = f->on_trailers(c->states[*order], v, trailers);
        if (verdict.answer == PASS)
            continue;
        *by = f->name;
        return verdict;
    }
    return pass();
}

static struct conf_filter_table tables[FILTERS];
static size_t n_tables;

/* A second half has no table of its own, nor has what is told by rules. */
static void
gather_tables(void)
{
    for (size_t i = 0; i < FILTERS; i++) {
        if (i != DEMAND && i != USE && i != ANSWER)
            tables[n_tables++] = (struct conf_filter_table){
                filters[i]->name, filters[i]->settings, filters[i]->settings_size
            };
    }
}

const struct conf_filter_table *
chain_tables(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, gather_tables);
    *n = n_tables;
    return tables;
}

const struct conf_issuer *
chain_inquires(const struct chain *c, struct view *v, struct text *token)
{
    return v->door->kind == DOOR_GATE ? verify_inquires(c->states[VERIFY], v, token)
                                      : NULL;
}

const struct grants *
chain_grants(const struct chain *c)
{
    return policy_grants(c->states[POLICY]);
}

const struct httpsig_policy *
chain_answer_policy(const struct chain *c, const struct view *v)
{
    return answer_policy(c->states[ANSWER], v);
}

enum reason
chain_judge_addresses(struct chain *c, struct view *v, const struct address *addresses,
                      size_t n)
{
    return guard_judge_addresses(c->states[GUARD], v, addresses, n);
}

enum reason
chain_judge_name(struct chain *c, struct view *v)
{
    struct verdict verdict = filters[GUARD]->on_request(c->states[GUARD], v);

    return verdict.answer == PASS ? REASON_OK : verdict.reason;
}

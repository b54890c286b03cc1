/* policy: the judgement itself is in tasks/grant.c. */
#include "filters/policy.h"

#include "base/path.h"

static enum reason
policy_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    struct grants *g;
    enum reason why = grants_new(conf, report, &g);

    (void)settings;
    *state = g;
    return why;
}

static void
policy_close(void *state)
{
    grants_free(state);
}

static struct verdict
policy_find(void *state, struct view *v)
{
    const struct ask ask = { .caller = v->caller,
                             .target = &v->target,
                             .scheme = v->scheme,
                             .method = v->request->method,
                             .path = v->path,
                             .opaque = v->opaque,
                             .now_s = v->now_s,
                             .roll = v->roll,
                             .proven = v->proven != NULL ? v->proven : v->handle_task,
                             .now_ms = v->now_ms };
    struct decision d;

    v->policy = grants_judge(state, &ask, &d);
    v->grant = d.grant;
    v->rule = d.rule;
    v->entry = d.entry;
    if (d.rule != NULL)
        v->rule_place = d.rule->place;
    return pass();
}

static enum reason
demand_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    (void)conf;
    (void)settings;
    (void)report;
    *state = NULL;
    return REASON_OK;
}

static struct verdict
policy_demand(void *state, struct view *v)
{
    (void)state;
    if (v->policy == REASON_OK && v->rule != NULL) {
        if (v->opaque)
            return pass(); /* there is no path to look at, nor what it asks for */
        if (v->rule->encoded_slashes == SLASHES_REFUSE &&
            path_has_encoded_slash(v->path))
            return deny(REASON_ENCODED_SLASH);
        if (v->request->upgrade == UPGRADE_WEBSOCKET && !v->rule->websocket)
            return deny(REASON_WEBSOCKET_NOT_ALLOWED);
        return pass();
    }
    if (v->rule != NULL)
        note(v, "nearest: grant %s, %s:%u", v->grant->name, v->rule_place.file,
             v->rule_place.line);
    return deny(v->policy != REASON_OK ? v->policy : REASON_HOST_NOT_ALLOWED);
}

static void
demand_close(void *state)
{
    (void)state;
}

const struct grants *
policy_grants(const void *state)
{
    return state;
}

const struct filter policy_filter = {
    .name = "policy",
    .open = policy_open,
    .on_request = policy_find,
    .close = policy_close,
};

const struct filter policy_demand_filter = {
    .name = "policy",
    .open = demand_open,
    .on_request = policy_demand,
    .close = demand_close,
};

#include "proxy/task_verbs.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "conf/value.h"
#include "proxy/control.h"
#include "proxy/custody.h"

#include <stdio.h>
#include <string.h>

static enum reply
fail(struct buf *out, const char *sentence)
{
    json_put_z(out, "error", sentence);
    return REPLY_FAILED;
}

static enum reply
fail_for(struct buf *out, enum reason why)
{
    json_put_z(out, "reason", reason_token(why));
    return fail(out, reason_sentence(why));
}

/* ---- start */

static const struct conf_grant *
find_grant(const struct conf *conf, struct text name)
{
    const struct conf_grant *grants = conf->grants.at;

    for (size_t i = 0; i < conf->grants.n; i++) {
        if (text_equals(text_z(grants[i].name), name))
            return &grants[i];
    }
    return NULL;
}

static bool
read_duration(struct text t, int64_t *ms)
{
    char z[32];

    if (text_is_empty(t)) {
        *ms = 0;
        return true;
    }
    if (t.n >= sizeof z)
        return false;
    snprintf(z, sizeof z, "%.*s", TEXT_ARG(t));
    return value_duration(z, ms) && *ms > 0;
}

static enum reason
read_terms(const struct conf *conf, const struct json *request, struct task_terms *out)
{
    int64_t uid = verb_number(request, "uid", -1);

    *out = (struct task_terms){ .conf = conf,
                                .grant = find_grant(conf, verb_text(request, "grant")),
                                .purpose = verb_text(request, "purpose"),
                                .max_requests = verb_number(request, "max_requests",
                                                            0) };
    if (out->grant == NULL)
        return REASON_GRANT_UNKNOWN;
    if (!read_duration(verb_text(request, "ttl"), &out->ttl_ms) ||
        out->max_requests < 0)
        return REASON_TASK_TERMS;
    out->caller = out->grant->caller;
    if (uid >= 0) {
        out->caller.any = false;
        out->caller.uid = uid;
    }
    return REASON_OK;
}

enum reply
verb_task_start(void *owner, struct session *s, const struct json *request,
                struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    struct task_terms terms;
    struct task *k;
    uint64_t ticket;
    enum reason why;

    if (r == NULL || h->stopping)
        return fail(out, r == NULL
                             ? "there is no forward door, and so there are no tasks"
                             : "Holdfast is stopping: nothing is begun anew");
    if ((why = read_terms(generation_conf(h->generation), request, &terms)) !=
            REASON_OK ||
        (why = registry_start(r, &terms, &k, &ticket)) != REASON_OK)
        return fail_for(out, why);
    session_wait(s, WAIT_TASK, ticket);
    return REPLY_LATER;
}

/* ---- end */

enum reply
verb_task_end(void *owner, struct session *s, const struct json *request,
              struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    uint64_t ticket = 0;

    if (r != NULL)
        ticket = registry_end(r, verb_text(request, "id"), TASK_FINISHED);
    if (ticket == 0)
        return fail(out, "no such task lives");
    session_wait(s, WAIT_TASK, ticket);
    return REPLY_LATER;
}

enum reply
verb_task_revoke(void *owner, struct session *s, const struct json *request,
                 struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    struct text grant = verb_text(request, "grant");
    const struct conf_grant *one = find_grant(generation_conf(h->generation), grant);
    uint64_t ticket = 0;
    size_t n = 0;

    if (text_is_empty(grant) == !verb_flag(request, "all"))
        return fail(out, "either a \"grant\" or \"all\"");
    if (!text_is_empty(grant) && one == NULL)
        return fail_for(out, REASON_GRANT_UNKNOWN);
    if (r != NULL)
        n = registry_revoke(r, one != NULL ? one->name : NULL, &ticket);
    if (n == 0) {
        json_put_number(out, "ended", 0);
        return REPLY_DONE;
    }
    session_wait(s, WAIT_TASK, ticket);
    return REPLY_LATER;
}

/* ---- list */

static bool
list_one(void *owner, const struct task *k)
{
    struct buf *out = owner;
    struct task_counts counts;

    task_counts(k, &counts);
    json_open(out, NULL, '{');
    json_put_text(out, "id", task_id(k));
    json_put_z(out, "grant", task_grant(k));
    json_put_z(out, "purpose", task_purpose(k));
    json_put_number(out, "left_ms", task_deadline_ms(k) - clock_monotonic_ms());
    json_put_number(out, "allowed", (int64_t)counts.allowed);
    json_put_number(out, "refused", (int64_t)counts.refused);
    json_close(out, '}');
    return true;
}

enum reply
verb_task_list(void *owner, struct session *s, const struct json *request,
               struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);

    (void)s;
    (void)request;
    json_open(out, "tasks", '[');
    if (r != NULL)
        registry_walk(r, list_one, out);
    json_close(out, ']');
    return REPLY_DONE;
}

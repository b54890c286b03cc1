#include "proxy/task_verbs.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "conf/value.h"
#include "proxy/control.h"
#include "proxy/custody.h"
#include "tasks/demand.h"

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

/* What the grant would have allowed: whoever asks may read the config. */
static void
say_purposes(struct buf *out, const struct conf_grant *g)
{
    const char *const *purposes = g->purposes.at;

    buf_add_z(out, " It has:");
    for (size_t i = 0; i < g->purposes.n; i++)
        buf_printf(out, "%s %s", i > 0 ? "," : "", purposes[i]);
}

static void
say_bounds(struct buf *out, const struct conf_grant *g)
{
    buf_printf(out, " It allows %lld s at most", (long long)(g->ttl_ms / 1000));
    if (g->caller.any)
        return;
    buf_add_z(out, ", and the caller ");
    demand_print(&g->caller, '=', out);
}

static enum reply
fail_start(struct buf *out, enum reason why, const struct conf_grant *g)
{
    struct buf sentence = { 0 };

    buf_add_z(&sentence, reason_sentence(why));
    if (why == REASON_TASK_PURPOSE)
        say_purposes(&sentence, g);
    else if (why == REASON_TASK_TERMS)
        say_bounds(&sentence, g);
    json_put_z(out, "reason", reason_token(why));
    json_put_text(out, "error", buf_text(&sentence));
    buf_free(&sentence);
    return REPLY_FAILED;
}

/* NULL: well; else what is wrong with it. */
static const char *
read_ttl(struct text t, int64_t *ms)
{
    char z[32];

    *ms = 0;
    if (text_is_empty(t))
        return NULL;
    if (t.n < sizeof z) {
        snprintf(z, sizeof z, "%.*s", TEXT_ARG(t));
        if (value_duration(z, ms) && *ms > 0)
            return NULL;
    }
    return "the ttl is no duration above nought: \"90s\", \"15m\", \"2h\"";
}

static const char *
read_caller(const struct json *request, struct conf_caller *caller)
{
    int64_t uid = verb_number(request, "uid", 0);

    if (json_get(request, "uid") == NULL)
        return NULL;
    if (uid < 0 || uid >= UINT32_MAX)
        return "the uid is none";
    if (caller->any)
        *caller = (struct conf_caller){ .uid = uid };
    caller->uid = uid;
    return NULL;
}

/* NULL: they can be judged; else a sentence. */
static const char *
read_terms(const struct json *request, struct task_terms *t)
{
    const char *wrong = read_ttl(verb_text(request, "ttl"), &t->ttl_ms);

    t->purpose = verb_text(request, "purpose");
    t->max_requests = verb_number(request, "max_requests", 0);
    if (json_get(request, "max_requests") != NULL && t->max_requests <= 0)
        return "a budget of requests is above nought";
    t->caller = t->grant->caller;
    return wrong != NULL ? wrong : read_caller(request, &t->caller);
}

/* Nobody knows of it any more, or its lease is over. */
static void
end_quietly(void *owner, struct text id)
{
    struct registry *r = custody_registry(((struct holdfast *)owner)->custody);

    if (r != NULL)
        (void)registry_end(r, id, TASK_FINISHED, NULL);
}

static enum reply
start(struct registry *r, struct session *s, const struct task_terms *terms,
      bool is_lease, struct buf *out)
{
    struct task *k;
    uint64_t ticket;
    enum reason why = registry_start(r, terms, &k, &ticket);

    if (why != REASON_OK)
        return fail_start(out, why, terms->grant);
    session_record(s, "task_start", "task", task_id(k));
    session_hold(s, is_lease, end_quietly, task_id(k));
    session_wait(s, WAIT_TASK, ticket);
    return REPLY_LATER;
}

enum reply
verb_task_start(void *owner, struct session *s, const struct json *request,
                struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    const struct conf *conf = generation_conf(h->generation);
    uid_t by = session_uid(s);
    struct task_terms terms = { .conf = conf, .by = &by };
    const char *wrong = session_refuses_hold(s, verb_flag(request, "lease"));

    if (wrong == NULL && r == NULL)
        wrong = "there is no way out, and so there are no tasks";
    if (wrong == NULL && h->stopping)
        wrong = "Holdfast is stopping: nothing is begun anew";
    if (wrong != NULL)
        return fail(out, wrong);
    terms.grant = find_grant(conf, verb_text(request, "grant"));
    if (terms.grant == NULL)
        return fail_for(out, REASON_GRANT_UNKNOWN);
    if ((wrong = read_terms(request, &terms)) != NULL) {
        json_put_z(out, "reason", reason_token(REASON_TASK_TERMS));
        return fail(out, wrong);
    }
    return start(r, s, &terms, verb_flag(request, "lease"), out);
}

/* ---- end */

enum reply
verb_task_end(void *owner, struct session *s, const struct json *request,
              struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    struct text id = verb_text(request, "id");
    uid_t by = session_uid(s);
    uint64_t ticket = 0;

    if (r != NULL && registry_find(r, id) != NULL) {
        session_record(s, "task_end", "task", id);
        ticket = registry_end(r, id, TASK_FINISHED, &by);
    }
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
    struct text name = verb_text(request, "grant");
    const struct conf_grant *one = find_grant(generation_conf(h->generation), name);
    uid_t by = session_uid(s);
    uint64_t number;
    size_t n;

    if (text_is_empty(name) != verb_flag(request, "all"))
        return fail(out, "either a \"grant\" or \"all\"");
    if (!text_is_empty(name) && one == NULL)
        return fail_for(out, REASON_GRANT_UNKNOWN);
    session_record(s, "task_revoke", one != NULL ? "grant" : "all",
                   one != NULL ? name : TEXT("true"));
    n = custody_revoke(h->custody, one != NULL ? one->name : NULL, &by, &number);
    json_put_number(out, "ended", (int64_t)n);
    if (number == 0)
        return REPLY_DONE;
    session_wait(s, WAIT_REVOKED, number);
    return REPLY_LATER;
}

/* ---- list, show */

static void
put_caller(struct buf *out, const struct conf_caller *caller)
{
    struct buf said = { 0 };

    demand_print(caller, ':', &said);
    json_put_text(out, "caller", buf_text(&said));
    buf_free(&said);
}

static void
put_task(struct buf *out, const struct task *k)
{
    int64_t left_ms = task_deadline_ms(k) - clock_monotonic_ms();
    struct task_counts counts;
    char stamp[25];

    task_counts(k, &counts);
    clock_format(clock_wall_ms() + left_ms, stamp);
    json_put_text(out, "id", task_id(k));
    json_put_z(out, "grant", task_grant(k));
    json_put_z(out, "purpose", task_purpose(k));
    put_caller(out, task_caller(k));
    json_put_z(out, "deadline", stamp);
    json_put_number(out, "left_ms", left_ms);
    json_put_number(out, "allowed", (int64_t)counts.allowed);
    json_put_number(out, "refused", (int64_t)counts.refused);
    if (counts.left >= 0)
        json_put_number(out, "requests_left", counts.left);
}

struct listing {
    struct text grant; /* empty: any */
    struct buf *out;
};

static bool
list_one(void *owner, const struct task *k)
{
    const struct listing *l = owner;

    if (!text_is_empty(l->grant) && !text_equals(l->grant, text_z(task_grant(k))))
        return true;
    json_open(l->out, NULL, '{');
    put_task(l->out, k);
    json_close(l->out, '}');
    return true;
}

enum reply
verb_task_list(void *owner, struct session *s, const struct json *request,
               struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    struct listing l = { verb_text(request, "grant"), out };

    (void)s;
    if (!text_is_empty(l.grant) &&
        find_grant(generation_conf(h->generation), l.grant) == NULL)
        return fail_for(out, REASON_GRANT_UNKNOWN);
    json_open(out, "tasks", '[');
    if (r != NULL)
        registry_walk(r, list_one, &l);
    json_close(out, ']');
    return REPLY_DONE;
}

enum reply
verb_task_show(void *owner, struct session *s, const struct json *request,
               struct buf *out)
{
    struct holdfast *h = owner;
    struct registry *r = custody_registry(h->custody);
    const struct task *k = r != NULL ? registry_find(r, verb_text(request, "id"))
                                     : NULL;
    char stamp[25];

    (void)s;
    if (k == NULL)
        return fail(out, "no such task lives");
    put_task(out, k);
    clock_format(task_begun_s(k) * 1000, stamp);
    json_put_z(out, "started", stamp);
    json_put_z(out, "owner", task_owner(k));
    json_put_z(out, "approved_by", task_approver(k));
    if (task_max_requests(k) > 0)
        json_put_number(out, "max_requests", task_max_requests(k));
    json_put_text(out, "key", identity_thumbprint(task_identity(k)));
    return REPLY_DONE;
}

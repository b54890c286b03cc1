#include "proxy/verbs.h"

#include "base/json_write.h"
#include "base/log.h"
#include "proxy/control.h"
#include "proxy/status.h"
#include "proxy/task_verbs.h"

/* Who changed what: the log has a line for each mutation. */
static void
record(const char *verb, const struct session *s)
{
    struct log_line *l = log_line_begin(LOG_INFO, "control");

    log_line_z(l, "verb", verb);
    log_line_number(l, "uid", session_uid(s));
    log_line_number(l, "pid", session_pid(s));
    log_line_end(l);
}

static enum reply
status(void *owner, struct session *s, const struct json *request, struct buf *out)
{
    (void)s;
    (void)request;
    status_write(owner, out);
    return REPLY_DONE;
}

static enum reply
reload(void *owner, struct session *s, const struct json *request, struct buf *out)
{
    struct holdfast *h = owner;
    uint64_t ticket;

    if (h->stopping) {
        json_put_z(out, "error", "Holdfast is stopping: nothing is read anew");
        return REPLY_FAILED;
    }
    record("reload", s);
    ticket = reload_ticket(h);
    if (!verb_flag(request, "wait")) {
        reload_ask(h);
        return REPLY_DONE;
    }
    session_wait(s, WAIT_RELOAD, ticket);
    reload_ask(h);
    return REPLY_LATER;
}

static enum reply
tail(void *owner, struct session *s, const struct json *request, struct buf *out)
{
    struct tail filter;

    (void)owner;
    (void)out;
    record("tail", s);
    tail_begin(&filter, verb_flag(request, "denied"), verb_text(request, "grant"),
               verb_text(request, "host"));
    session_follow(s, &filter);
    return REPLY_LATER;
}

/* A second one does not hurry the first, as a second TERM would. */
static enum reply
drain(void *owner, struct session *s, const struct json *request, struct buf *out)
{
    struct holdfast *h = owner;

    (void)out;
    record("drain", s);
    if (!h->stopping)
        holdfast_drain(h);
    if (!verb_flag(request, "wait"))
        return REPLY_DONE;
    session_wait(s, WAIT_END, 0);
    return REPLY_LATER;
}

static const struct verb verbs[] = {
    { "status", { NULL }, { NULL }, status, { NULL } },
    { "reload", { "wait" }, { NULL }, reload, { NULL } },
    { "tail", { "denied" }, { "grant", "host" }, tail, { NULL } },
    { "drain", { "wait" }, { NULL }, drain, { NULL } },
    { "task_start",
      { NULL },
      { "grant", "purpose", "ttl" },
      verb_task_start,
      { "max_requests", "uid" } },
    { "task_end", { NULL }, { "id" }, verb_task_end, { NULL } },
    { "task_revoke", { "all" }, { "grant" }, verb_task_revoke, { NULL } },
    { "task_list", { NULL }, { NULL }, verb_task_list, { NULL } },
};

const struct verb *
holdfast_verbs(size_t *n)
{
    *n = sizeof verbs / sizeof verbs[0];
    return verbs;
}

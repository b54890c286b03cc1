#include "proxy/verbs.h"

#include "base/json_write.h"
#include "proxy/control.h"
#include "proxy/status.h"
#include "proxy/task_verbs.h"

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
    session_record(s, "reload", NULL, text_of("", 0));
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
    session_record(s, "tail", NULL, text_of("", 0));
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
    session_record(s, "drain", NULL, text_of("", 0));
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
      { "lease" },
      { "grant", "purpose", "ttl" },
      verb_task_start,
      { "max_requests", "uid" } },
    { "task_end", { NULL }, { "id" }, verb_task_end, { NULL } },
    { "task_list", { NULL }, { "grant" }, verb_task_list, { NULL } },
    { "task_show", { NULL }, { "id" }, verb_task_show, { NULL } },
    { "task_revoke", { "all" }, { "grant" }, verb_task_revoke, { NULL } },
};

const struct verb *
holdfast_verbs(size_t *n)
{
    *n = sizeof verbs / sizeof verbs[0];
    return verbs;
}

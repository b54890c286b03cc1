/* One token on its way back: it waits for its turn, or for later, is asked for up to
 * three times, and is told of in the log. */
#include "proxy/revocation_parts.h"

#include "base/log.h"
#include "base/memory.h"
#include "proxy/token_record.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_ONCE = 64, /* asked for at a time, … */
    OF_ONE = 16,  /* … and of one server: one that says nothing delays no other's */
    TRY_MS = 5 * 1000
};
static const int64_t pauses_ms[] = { 1000, 4000 }; /* between the tries */

static void start(struct item *i);

void
item_free(struct item *i)
{
    plea_end(&i->plea);
    wake_cancel(&i->over);
    alarm_clear(&i->alarm);
    list_remove(&i->in_account);
    list_remove(&i->in_queue);
    list_remove(&i->in_asking);
    token_unref(i->token);
    outpost_unref(i->from);
    free(i);
}

void
item_tell_outcome(const struct item *i, enum reason why)
{
    const struct account *a = i->account;
    char outcome[OUTCOME_SIZE] = "revoked";

    if (why != REASON_OK)
        (void)snprintf(outcome, sizeof outcome, "failed:%s", reason_token(why));
    token_record_over(a->owner->needs.ledger, a->task, i->credential->name, i->token,
                      outcome);
}

static struct log_line *
begin_line(const struct item *i, enum log_level level, const char *msg)
{
    struct log_line *l = log_line_begin(level, msg);

    log_line_z(l, "credential", i->credential->name);
    log_line_text(l, "task", task_id(i->account->task));
    log_line_z(l, "grant", task_grant(i->account->task));
    log_line_text(l, "token", token_id(i->token));
    log_line_number(l, "tries", i->tries);
    return l;
}

static void
conclude(struct item *i, enum reason why)
{
    struct account *a = i->account;
    struct revocation *r = a->owner;
    struct log_line *l = begin_line(i, why == REASON_OK ? LOG_INFO : LOG_WARN,
                                    why == REASON_OK ? "token revoked"
                                                     : "token not revoked");

    if (why != REASON_OK)
        log_line_z(l, "reason", reason_token(why));
    log_line_end(l);
    item_tell_outcome(i, why);
    a->n_revoked += why == REASON_OK;
    if (why != REASON_OK)
        a->why = why;
    r->figures.revoked += why == REASON_OK;
    r->figures.failed += why != REASON_OK;
    item_free(i);
    account_settle(a);
    if (r->is_finishing && list_is_empty(&r->all))
        event_base_loopbreak(loop_base(r->needs.loop));
}

static bool
may_start(const struct item *i)
{
    const struct revocation *r = i->account->owner;
    const char *server = i->credential->source.revocation_endpoint;
    size_t n = 0;

    for (const struct list *m = r->asking.next; m != &r->asking; m = m->next) {
        const struct item *other = LIST_OWNER(m, struct item, in_asking);

        n += strcmp(other->credential->source.revocation_endpoint, server) == 0;
    }
    return n < OF_ONE;
}

/* A long queue is mostly one server's: what was found to have no turn is not looked for
 * again. */
static struct item *
find_next(const struct revocation *r)
{
    const struct conf_credential *full = NULL;

    if (r->n_asking >= AT_ONCE)
        return NULL;
    for (const struct list *m = r->queue.next; m != &r->queue; m = m->next) {
        struct item *i = LIST_OWNER(m, struct item, in_queue);

        if (i->credential == full)
            continue;
        if (may_start(i))
            return i;
        full = i->credential;
    }
    return NULL;
}

void
items_go_on(struct revocation *r)
{
    for (struct item *i; (i = find_next(r)) != NULL;) {
        list_remove(&i->in_queue);
        start(i);
    }
}

static void
line_up(struct item *i)
{
    struct revocation *r = i->account->owner;

    i->is_later = false;
    list_add_last(&r->queue, &i->in_queue);
    items_go_on(r);
}

static void
on_due(void *owner)
{
    line_up(owner);
}

static void
fail(struct item *i, enum reason why)
{
    size_t n = sizeof pauses_ms / sizeof *pauses_ms;

    if (i->tries > n || why == REASON_AS_REFUSED || why == REASON_SIGN)
        conclude(i, why);
    else
        alarm_set(i->account->owner->needs.loop, &i->alarm, pauses_ms[i->tries - 1]);
}

static void
start(struct item *i)
{
    const struct conf_source *s = &i->credential->source;
    const struct plea_terms terms = { .credential = i->credential,
                                      .revokes = token_value(i->token),
                                      .timeout_ms = s->timeout_ms < TRY_MS
                                                        ? s->timeout_ms
                                                        : TRY_MS,
                                      .is_retry = i->tries > 0 };
    enum reason why = plea_begin(&i->plea, i->from, &terms, &i->over);

    i->tries++;
    if (why != REASON_OK) {
        fail(i, why);
        return;
    }
    list_add_last(&i->account->owner->asking, &i->in_asking);
    i->account->owner->n_asking++;
}

/* RFC 7009 section 2.2: 200, whether the token was known or not. */
static enum reason
read_answer(const struct item *i)
{
    enum reason why = plea_why(&i->plea);
    int status;

    if (why != REASON_OK)
        return why;
    status = errand_status(i->plea.errand);
    if (status >= 200 && status < 300)
        return REASON_OK;
    if (status >= 500 || status == 429)
        return REASON_AS_UNREACHABLE;
    return status >= 400 ? REASON_AS_REFUSED : REASON_AS_MALFORMED;
}

static void
on_over(void *owner)
{
    struct item *i = owner;
    struct revocation *r = i->account->owner;
    enum reason why = read_answer(i);

    plea_end(&i->plea);
    list_remove(&i->in_asking);
    r->n_asking--;
    if (why == REASON_OK)
        conclude(i, REASON_OK);
    else
        fail(i, why);
    items_go_on(r);
}

void
revocation_add(struct revocation *r, const struct revocable *what)
{
    struct item *i;

    if (what->credential->source.revocation_endpoint == NULL) {
        token_record_over(r->needs.ledger, what->task, what->credential->name,
                          what->token, "none");
        return;
    }
    i = memory_new(sizeof *i);
    outpost_ref(what->from);
    i->from = what->from;
    i->token = token_ref(what->token);
    i->credential = what->credential;
    i->account = account_get(r, what->task);
    i->account->is_late |= what->is_late;
    i->over = (struct wake){ .answer = on_over, .owner = i };
    i->alarm = (struct alarm){ .on_due = on_due, .owner = i };
    i->is_later = what->in_ms > 0 && !r->is_finishing;
    list_add_last(&i->account->items, &i->in_account);
    if (i->is_later)
        alarm_set(r->needs.loop, &i->alarm, what->in_ms);
    else
        line_up(i);
}

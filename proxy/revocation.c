/* An account for each task that had something to take back: its tokens, each an item
 * that is tried up to three times, and what came of them. */
#include "proxy/revocation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/table.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 64, /* servers asked at a time */
    TRY_MS = 5 * 1000,
    PATIENCE_MS = 2 * 1000, /* how long an end waits to be told of */
    FINISH_MS = 10 * 1000   /* … and Holdfast's */
};
static const int64_t pauses_ms[] = { 1000, 4000 }; /* between the tries */

struct account {
    struct table_node by_task;
    struct list in_all;
    struct revocation *owner;
    struct task *task; /* a reference */
    struct list items;
    unsigned n_revoked;
    enum reason why;        /* of the last that could not be */
    bool has_parted;        /* `parting` waits to be told */
    bool is_late;           /* … or was told as pending */
    struct parting parting; /* without a reference of its own */
    struct alarm patience;
};

struct item {
    struct list in_account, in_queue;
    struct account *account;
    struct outpost *from; /* references … */
    struct token *token;  /* … to both */
    const struct conf_credential *credential;
    struct plea plea;
    struct wake over;
    struct alarm alarm; /* it begins, or is tried again */
    unsigned tries;
    bool is_later;
};

struct revocation {
    struct revocation_needs needs;
    struct table accounts; /* by task */
    struct list all;       /* … and of them all */
    struct list queue;     /* of items */
    size_t n_asking;
    struct alarm impatience; /* while Holdfast ends */
    bool is_finishing;
    struct revocation_figures figures;
};

struct revocation *
revocation_new(const struct revocation_needs *needs)
{
    struct revocation *r = memory_new(sizeof *r);

    r->needs = *needs;
    table_init(&r->accounts);
    list_init(&r->all);
    list_init(&r->queue);
    return r;
}

/* ---- accounts */

static struct account *
find(const struct revocation *r, const struct task *k)
{
    struct table_node *at = table_first(&r->accounts, table_hash(task_id(k)));

    while (at != NULL && TABLE_OWNER(at, struct account, by_task)->task != k)
        at = table_next(at);
    return TABLE_OWNER(at, struct account, by_task);
}

static void on_impatient(void *owner);

static struct account *
account_get(struct revocation *r, struct task *k)
{
    struct account *a = find(r, k);

    if (a != NULL)
        return a;
    a = memory_new(sizeof *a);
    task_ref(k);
    a->task = k;
    a->owner = r;
    a->patience = (struct alarm){ .on_due = on_impatient, .owner = a };
    list_init(&a->items);
    table_add(&r->accounts, &a->by_task, table_hash(task_id(k)));
    list_add_last(&r->all, &a->in_all);
    return a;
}

static void
account_free(struct account *a)
{
    alarm_clear(&a->patience);
    table_remove(&a->owner->accounts, &a->by_task);
    list_remove(&a->in_all);
    task_unref(a->task);
    free(a);
}

static void
write_outcome(const struct account *a, char out[OUTCOME_SIZE])
{
    if (a->why != REASON_OK)
        (void)snprintf(out, OUTCOME_SIZE, "failed:%s", reason_token(a->why));
    else
        (void)snprintf(out, OUTCOME_SIZE, "%s", a->n_revoked > 0 ? "revoked" : "none");
}

/* Nothing of it is left to do. One whose task has not parted yet keeps what came of
 * it. */
static void
settle(struct account *a)
{
    const struct revocation_needs *n = &a->owner->needs;
    char outcome[OUTCOME_SIZE];

    if (!list_is_empty(&a->items) || (!a->has_parted && !a->is_late))
        return;
    write_outcome(a, outcome);
    if (a->has_parted)
        n->over(n->owner, &a->parting, outcome);
    else
        n->late(n->owner, a->task, outcome);
    account_free(a);
}

/* The end is told now; what comes of this is told when it has come. */
static void
tell_pending(struct account *a)
{
    const struct revocation_needs *n = &a->owner->needs;

    alarm_clear(&a->patience);
    a->has_parted = false;
    a->is_late = true;
    n->over(n->owner, &a->parting, "pending");
}

static void
on_impatient(void *owner)
{
    tell_pending(owner);
}

/* ---- items */

static void
item_free(struct item *i)
{
    plea_end(&i->plea);
    wake_cancel(&i->over);
    alarm_clear(&i->alarm);
    list_remove(&i->in_account);
    list_remove(&i->in_queue);
    token_unref(i->token);
    outpost_unref(i->from);
    free(i);
}

static struct log_line *
begin_line(const struct item *i, enum log_level level, const char *msg)
{
    struct log_line *l = log_line_begin(level, msg);

    log_line_z(l, "credential", i->credential->name);
    log_line_text(l, "task", task_id(i->account->task));
    log_line_z(l, "grant", task_grant(i->account->task));
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
    a->n_revoked += why == REASON_OK;
    if (why != REASON_OK)
        a->why = why;
    r->figures.revoked += why == REASON_OK;
    r->figures.failed += why != REASON_OK;
    item_free(i);
    settle(a);
    if (r->is_finishing && list_is_empty(&r->all))
        event_base_loopbreak(loop_base(r->needs.loop));
}

static void start(struct item *i);

static void
go_on(struct revocation *r)
{
    while (r->n_asking < AT_ONCE && !list_is_empty(&r->queue)) {
        struct item *i = LIST_OWNER(r->queue.next, struct item, in_queue);

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
    go_on(r);
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
    if (why == REASON_OK)
        i->account->owner->n_asking++;
    else
        fail(i, why);
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
    r->n_asking--;
    if (why == REASON_OK)
        conclude(i, REASON_OK);
    else
        fail(i, why);
    go_on(r);
}

void
revocation_add(struct revocation *r, const struct revocable *what)
{
    struct item *i;

    if (what->credential->source.revocation_endpoint == NULL)
        return;
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

/* ---- a task's end */

static bool
has_begun(const struct account *a)
{
    for (const struct list *m = a->items.next; m != &a->items; m = m->next)
        if (!LIST_OWNER(m, struct item, in_account)->is_later)
            return true;
    return false;
}

void
revocation_part(struct revocation *r, const struct parting *p)
{
    struct account *a = find(r, p->task);

    if (a == NULL) {
        r->needs.over(r->needs.owner, p, "none");
        return;
    }
    a->parting = *p;
    a->has_parted = true;
    if (list_is_empty(&a->items))
        settle(a);
    else if (!has_begun(a))
        tell_pending(a);
    else
        alarm_set(r->needs.loop, &a->patience, PATIENCE_MS);
}

/* ---- Holdfast's end */

static void
on_finish_due(void *owner)
{
    struct revocation *r = owner;

    event_base_loopbreak(loop_base(r->needs.loop));
}

/* Begun by whoever walks the accounts, when he is through. */
static void
hurry(struct account *a)
{
    for (struct list *m = a->items.next; m != &a->items; m = m->next) {
        struct item *i = LIST_OWNER(m, struct item, in_account);

        if (!i->is_later)
            continue;
        alarm_clear(&i->alarm);
        i->is_later = false;
        list_add_last(&a->owner->queue, &i->in_queue);
    }
}

/* What is left had its time. */
static void
give_up(struct account *a)
{
    while (!list_is_empty(&a->items)) {
        item_free(LIST_OWNER(a->items.next, struct item, in_account));
        a->owner->figures.failed++;
        a->why = REASON_AS_TIMEOUT;
    }
    a->is_late |= !a->has_parted;
    settle(a);
}

void
revocation_finish(struct revocation *r)
{
    r->is_finishing = true;
    r->impatience = (struct alarm){ .on_due = on_finish_due, .owner = r };
    alarm_set(r->needs.loop, &r->impatience, FINISH_MS);
    for (struct list *m = r->all.next; m != &r->all; m = m->next)
        hurry(LIST_OWNER(m, struct account, in_all));
    go_on(r);
    if (!list_is_empty(&r->all))
        event_base_dispatch(loop_base(r->needs.loop));
    alarm_clear(&r->impatience);
    while (!list_is_empty(&r->all))
        give_up(LIST_OWNER(r->all.next, struct account, in_all));
}

void
revocation_free(struct revocation *r)
{
    if (r == NULL)
        return;
    while (!list_is_empty(&r->all)) {
        struct account *a = LIST_OWNER(r->all.next, struct account, in_all);

        while (!list_is_empty(&a->items))
            item_free(LIST_OWNER(a->items.next, struct item, in_account));
        account_free(a);
    }
    table_clear(&r->accounts);
    free(r);
}

void
revocation_look(const struct revocation *r, struct revocation_figures *out)
{
    *out = r->figures;
    for (const struct list *m = r->all.next; m != &r->all; m = m->next)
        out->waiting += list_count(&LIST_OWNER(m, struct account, in_all)->items);
}

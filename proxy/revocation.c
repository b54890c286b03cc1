/* The accounts of tasks: what came of their items, and who is told of it. */
#include "proxy/revocation_parts.h"

#include "base/memory.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATIENCE_MS = 2 * 1000, /* how long an end waits to be told of */
    FINISH_MS = 10 * 1000   /* … and Holdfast's */
};

struct revocation *
revocation_new(const struct revocation_needs *needs)
{
    struct revocation *r = memory_new(sizeof *r);

    r->needs = *needs;
    table_init(&r->accounts);
    list_init(&r->all);
    list_init(&r->queue);
    list_init(&r->asking);
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

struct account *
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

void
account_settle(struct account *a)
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
        account_settle(a);
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
        struct item *i = LIST_OWNER(a->items.next, struct item, in_account);

        item_tell_outcome(i, REASON_AS_TIMEOUT);
        item_free(i);
        a->owner->figures.failed++;
        a->why = REASON_AS_TIMEOUT;
    }
    a->is_late |= !a->has_parted;
    account_settle(a);
}

void
revocation_finish(struct revocation *r)
{
    r->is_finishing = true;
    r->impatience = (struct alarm){ .on_due = on_finish_due, .owner = r };
    alarm_set(r->needs.loop, &r->impatience, FINISH_MS);
    for (struct list *m = r->all.next; m != &r->all; m = m->next)
        hurry(LIST_OWNER(m, struct account, in_all));
    items_go_on(r);
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

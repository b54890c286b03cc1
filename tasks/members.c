/* The registry's tables, and what the workers are told. */
#include "tasks/members.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- groups */

struct group *
group_find(const struct registry *r, const char *name)
{
    struct table_node *m = table_first(&r->groups, table_hash(text_z(name)));

    while (m != NULL && strcmp(TABLE_OWNER(m, struct group, by_name)->name, name) != 0)
        m = table_next(m);
    return TABLE_OWNER(m, struct group, by_name);
}

struct group *
group_get(struct registry *r, const char *name)
{
    struct group *g = group_find(r, name);

    if (g != NULL)
        return g;
    g = memory_new(sizeof *g);
    g->name = memory_copy_z(name);
    list_init(&g->live);
    list_init(&g->leaving);
    table_add(&r->groups, &g->by_name, table_hash(text_z(name)));
    list_add_last(&r->all_groups, &g->in_groups);
    return g;
}

bool
group_is_unstarted(const struct group *g)
{
    return g->prospect != NULL && g->prospect->grant->task != TASK_REQUIRED;
}

void
group_note_revoked(struct group *g)
{
    g->revoked = g->revoked_lately = group_is_unstarted(g);
}

void
group_set_vacant(struct registry *r, struct group *g, bool vacant)
{
    list_remove(&g->in_vacant);
    if (vacant)
        list_add_last(&r->vacant, &g->in_vacant);
}

void
group_settle(struct registry *r, struct group *g)
{
    if (!list_is_empty(&g->live) || !list_is_empty(&g->leaving) ||
        group_is_unstarted(g))
        return;
    group_set_vacant(r, g, false);
    table_remove(&r->groups, &g->by_name);
    list_remove(&g->in_groups);
    free(g->name);
    free(g);
}

/* ---- members */

struct member *
member_find(const struct registry *r, struct text id)
{
    struct table_node *m = table_first(&r->ids, table_hash(id));

    while (m != NULL &&
           !text_equals(task_id(TABLE_OWNER(m, struct member, by_id)->task), id))
        m = table_next(m);
    return TABLE_OWNER(m, struct member, by_id);
}

void
member_add(struct registry *r, struct group *g, struct task *k)
{
    struct member *m = memory_new(sizeof *m);

    m->task = k;
    m->group = g;
    list_add_last(&g->live, &m->in_group);
    list_add_last(&r->all, &m->in_all);
    table_add(&r->ids, &m->by_id, table_hash(task_id(k)));
    agenda_set(&r->agenda, &m->due,
               task_kind(k) == TASK_REQUIRED ? task_deadline_ms(k) : task_renew_ms(k));
    group_set_vacant(r, g, false);
}

static void
leave(struct registry *r, struct member *m)
{
    list_remove(&m->in_group);
    list_remove(&m->in_all);
    table_remove(&r->ids, &m->by_id);
    agenda_remove(&r->agenda, &m->due);
    list_add_last(&m->group->leaving, &m->in_group);
    list_remove(&m->in_off);
    r->n_leaving++;
}

static void
go(struct registry *r, struct member *m)
{
    struct group *g = m->group;

    list_remove(&m->in_group);
    r->n_leaving--;
    task_unref(m->task);
    free(m);
    group_settle(r, g);
}

/* ---- what the workers are told */

/* How long Holdfast's own end leaves is not the registry's to say. */
static int64_t
patience(const struct member *m, enum task_cause cause)
{
    const struct prospect *prospect = m->group->prospect;

    switch (cause) {
    case TASK_RENEWED:
        return -1;
    case TASK_FINISHED:
    case TASK_EXPIRED:
    case TASK_SPENT:
        return prospect != NULL ? prospect->grant->drain_ms : 0;
    case TASK_LIVE:
    case TASK_REVOKED:
    case TASK_WITHDRAWN:
    case TASK_STOPPED:
    case TASK_UNCLAIMED:
    default:
        return 0;
    }
}

static struct ticket *
ticket_new(struct registry *r)
{
    struct ticket *t = memory_new(sizeof *t);

    t->number = ++r->last_ticket;
    t->told_ms = clock_monotonic_ms();
    table_add(&r->tickets, &t->by_number, t->number);
    return t;
}

static void
ticket_free(struct registry *r, struct ticket *t)
{
    table_remove(&r->tickets, &t->by_number);
    identity_unref(t->before);
    task_unref(t->begun);
    free(t);
}

/* Everything is in order before the owner hears of it: it may ask for more. */
static void
conclude(struct registry *r, struct ticket *t)
{
    struct task *k = t->ended != NULL ? t->ended->task : t->begun;
    enum task_cause cause = t->ended != NULL ? t->cause : TASK_LIVE;
    int64_t took_ms = clock_monotonic_ms() - t->told_ms;
    uint64_t number = t->number;

    if (t->before != NULL) { /* nothing has begun, and no worker uses it any more */
        ticket_free(r, t);
        return;
    }
    task_ref(k);
    if (t->ended != NULL) {
        task_end(k, cause); /* of one that is replaced only now */
        go(r, t->ended);
    }
    ticket_free(r, t);
    r->needs.done(r->needs.owner, number, k, cause, took_ms);
    task_unref(k);
}

static uint64_t
tell(struct registry *r, struct ticket *t, enum task_cause cause, int64_t drain_ms)
{
    const struct task_change change = { .ticket = t->number,
                                        .begun = t->begun,
                                        .lives = t->before != NULL,
                                        .ended = t->ended != NULL ? t->ended->task
                                                                  : NULL,
                                        .cause = cause,
                                        .drain_ms = drain_ms };

    t->left += r->needs.n_workers;
    r->needs.tell(r->needs.owner, &change);
    return change.ticket;
}

uint64_t
members_change(struct registry *r, struct task *begun, struct member *ended,
               enum task_cause cause)
{
    struct ticket *t = ticket_new(r);
    int64_t drain_ms = 0;

    if (begun != NULL) {
        task_ref(begun);
        t->begun = begun;
    }
    if (ended != NULL) {
        drain_ms = patience(ended, cause);
        /* One that is replaced is good until every worker has the next. */
        if (begun == NULL || task_kind(ended->task) == TASK_REQUIRED)
            task_end(ended->task, cause);
        leave(r, ended);
        ended->ticket = t;
        ended->drains = drain_ms != 0 || cause == TASK_STOPPED;
        t->ended = ended;
        t->cause = cause;
    }
    return tell(r, t, cause, drain_ms);
}

enum reason
member_reissue(struct registry *r, struct member *m)
{
    struct identity *before;
    struct ticket *t;
    enum reason why = task_reissue(m->task, r->needs.authority,
                                   m->group->prospect->grant->expires_at, &before);

    if (why != REASON_OK)
        return why;
    list_remove(&m->in_off);
    t = ticket_new(r);
    task_ref(m->task);
    t->begun = m->task;
    t->before = before;
    (void)tell(r, t, TASK_LIVE, 0);
    return REASON_OK;
}

uint64_t
member_cut(struct registry *r, struct member *m, enum task_cause cause)
{
    m->drains = false;
    if (m->ticket->begun != NULL) { /* told already, and may have ended since */
        task_unref(m->ticket->begun);
        m->ticket->begun = NULL;
    }
    task_end(m->task, cause);
    m->ticket->cause = task_cause(m->task);
    return tell(r, m->ticket, cause, 0);
}

void
registry_obeyed(struct registry *r, uint64_t ticket, uint64_t cut)
{
    struct table_node *m = table_first(&r->tickets, ticket);
    struct ticket *t = TABLE_OWNER(m, struct ticket, by_number);

    if (t == NULL)
        return;
    if (t->ended != NULL)
        task_count_cut(t->ended->task, cut);
    if (--t->left == 0)
        conclude(r, t);
}

void
registry_conclude(struct registry *r)
{
    while (r->tickets.n > 0)
        conclude(r, TABLE_OWNER(table_any(&r->tickets), struct ticket, by_number));
}

/* ---- when */

void
registry_announce(struct registry *r)
{
    const struct appointment *first = agenda_first(&r->agenda);
    int64_t now_ms = clock_monotonic_ms(), due_ms = INT64_MAX;

    if (first != NULL)
        due_ms = first->due_ms;
    if (!list_is_empty(&r->off) && r->reissue_ms < due_ms)
        due_ms = r->reissue_ms;
    if (!list_is_empty(&r->vacant) && r->retry_ms < due_ms)
        due_ms = r->retry_ms;
    if (r->ids.n > 0 && r->look_ms < due_ms)
        due_ms = r->look_ms;
    if (due_ms == r->announced_ms)
        return;
    r->announced_ms = due_ms;
    if (due_ms == INT64_MAX)
        r->needs.due(r->needs.owner, -1);
    else
        r->needs.due(r->needs.owner, due_ms > now_ms ? due_ms - now_ms : 0);
}

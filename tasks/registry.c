/* Who asks: to start, to end, to revoke, to see. Starting and ending one of ten
 * thousand is a look into a table, a place on the agenda and a message to each worker.
 */
#include "tasks/members.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct registry *
registry_new(const struct registry_needs *needs)
{
    struct registry *r = memory_new(sizeof *r);

    assert(needs->n_workers > 0);
    r->needs = *needs;
    table_init(&r->groups);
    table_init(&r->ids);
    table_init(&r->tickets);
    list_init(&r->all_groups);
    list_init(&r->vacant);
    list_init(&r->all);
    list_init(&r->off);
    r->announced_ms = INT64_MAX;
    r->wall_ms = clock_wall_ms() - clock_monotonic_ms();
    return r;
}

static void
free_members(struct list *members)
{
    while (!list_is_empty(members)) {
        struct member *m = LIST_OWNER(members->next, struct member, in_group);

        list_remove(&m->in_group);
        task_end(m->task, TASK_STOPPED);
        task_unref(m->task);
        free(m);
    }
}

static void
free_groups(struct registry *r)
{
    while (!list_is_empty(&r->all_groups)) {
        struct group *g = LIST_OWNER(r->all_groups.next, struct group, in_groups);

        free_members(&g->live);
        free_members(&g->leaving);
        list_remove(&g->in_groups);
        free(g->name);
        free(g);
    }
}

void
registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    while (r->tickets.n > 0) {
        struct ticket *t = TABLE_OWNER(table_any(&r->tickets), struct ticket,
                                       by_number);

        table_remove(&r->tickets, &t->by_number);
        identity_unref(t->before);
        task_unref(t->begun);
        free(t);
    }
    free_groups(r);
    prepared_free(r->in_force);
    agenda_clear(&r->agenda);
    table_clear(&r->groups);
    table_clear(&r->ids);
    table_clear(&r->tickets);
    free(r);
}

/* ---- starting */

/* By where it stands: terms may come from a config that has gone. */
static const struct prospect *
prospect_of(const struct registry *r, const struct conf_grant *grant)
{
    const struct groups *grants = r->in_force != NULL ? &r->in_force->next->grants
                                                      : NULL;

    if (grants == NULL || (uintptr_t)grant < (uintptr_t)grants->at ||
        (uintptr_t)grant >= (uintptr_t)((struct conf_grant *)grants->at + grants->n))
        return NULL;
    return &r->in_force->prospects[grant - (const struct conf_grant *)grants->at];
}

static bool
is_full(const struct registry *r)
{
    return r->ids.n + r->n_leaving >= (size_t)r->in_force->next->limits.tasks;
}

enum reason
registry_start(struct registry *r, const struct task_terms *terms, struct task **out,
               uint64_t *ticket)
{
    const struct prospect *prospect = prospect_of(r, terms->grant);
    enum reason why;
    struct group *g;

    *out = NULL;
    if (r->needs.authority == NULL || prospect == NULL)
        return REASON_GRANT_UNKNOWN;
    if (terms->grant->task != TASK_REQUIRED)
        return REASON_TASK_NOT_STARTED;
    if (is_full(r))
        return REASON_TOO_MANY_TASKS;
    if (terms->id.n > 0 && member_find(r, terms->id) != NULL)
        return REASON_TASK_TERMS;
    if ((why = task_new(r->needs.authority, terms, out)) != REASON_OK)
        return why;
    g = group_get(r, terms->grant->name);
    g->prospect = prospect;
    member_add(r, g, *out);
    *ticket = members_change(r, *out, NULL, TASK_LIVE);
    registry_announce(r);
    return REASON_OK;
}

/* ---- ending */

static void
note_ender(struct member *m, const uid_t *by)
{
    if (by != NULL)
        task_note_ender(m->task, *by);
}

static uint64_t
end(struct registry *r, struct member *m, enum task_cause cause)
{
    group_note_revoked(m->group);
    return members_change(r, NULL, m, cause);
}

uint64_t
registry_end(struct registry *r, struct text id, enum task_cause cause, const uid_t *by)
{
    struct member *m = member_find(r, id);
    uint64_t ticket;

    if (m == NULL)
        return 0;
    note_ender(m, by);
    ticket = end(r, m, cause);
    registry_announce(r);
    return ticket;
}

void
registry_spent(struct registry *r, struct task *k)
{
    struct member *m = member_find(r, task_id(k));

    if (m == NULL || m->task != k)
        return;
    (void)end(r, m, TASK_SPENT);
    registry_announce(r);
}

/* Also of one that is being cut already: whoever revokes is told when nothing runs.
 * A group goes with its last member: it is not looked at behind that one. */
static size_t
revoke_group(struct registry *r, struct group *g, const uid_t *by, uint64_t *ticket)
{
    size_t n_live = list_count(&g->live), n = n_live;

    group_note_revoked(g);
    group_set_vacant(r, g, false);
    for (struct list *at = g->leaving.next; at != &g->leaving; at = at->next) {
        struct member *m = LIST_OWNER(at, struct member, in_group);

        if (m->drains) {
            note_ender(m, by);
            n++;
        }
        *ticket = member_cut(r, m, TASK_REVOKED);
    }
    for (; n_live > 0; n_live--) {
        struct member *m = LIST_OWNER(g->live.next, struct member, in_group);

        note_ender(m, by);
        *ticket = members_change(r, NULL, m, TASK_REVOKED);
    }
    return n;
}

size_t
registry_revoke(struct registry *r, const char *grant, const uid_t *by,
                uint64_t *ticket)
{
    struct group *one = grant != NULL ? group_find(r, grant) : NULL;
    size_t n = 0;

    *ticket = 0;
    if (one != NULL)
        n = revoke_group(r, one, by, ticket);
    for (struct list *at = r->all_groups.next; grant == NULL && at != &r->all_groups;
         at = at->next)
        n += revoke_group(r, LIST_OWNER(at, struct group, in_groups), by, ticket);
    registry_announce(r);
    return n;
}

/* ---- seeing */

struct task *
registry_find(const struct registry *r, struct text id)
{
    const struct member *m = member_find(r, id);

    return m != NULL ? m->task : NULL;
}

void
registry_walk(const struct registry *r, bool (*take)(void *owner, const struct task *k),
              void *owner)
{
    for (const struct list *at = r->all.next, *next; at != &r->all; at = next) {
        next = at->next;
        if (!take(owner, LIST_OWNER(at, struct member, in_all)->task))
            return;
    }
}

size_t
registry_count(const struct registry *r)
{
    return r->ids.n;
}

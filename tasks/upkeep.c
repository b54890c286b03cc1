/* What nobody asks for: deadlines, renewals, and what a reload changes. */
#include "tasks/members.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

enum {
    AT_ONCE = 16, /* keys made in one turn: main has others to serve */
    STEP_MS = 500 /* a step of the wall clock; less is its drift */
};

static bool
is_unstarted(const struct member *m)
{
    return task_kind(m->task) != TASK_REQUIRED;
}

/* ---- the clocks */

/* The wall clock was set: a token may look expired now, or from the future. */
static void
look_at_clock(struct registry *r, int64_t now_ms)
{
    int64_t wall_ms = clock_wall_ms() - now_ms, now_s = clock_wall_s();

    if (llabs(wall_ms - r->wall_ms) < STEP_MS)
        return;
    r->wall_ms = wall_ms;
    for (struct list *at = r->all.next; at != &r->all; at = at->next) {
        struct member *m = LIST_OWNER(at, struct member, in_all);

        if (is_unstarted(m) && !task_is_fresh(m->task, now_ms, now_s))
            agenda_set(&r->agenda, &m->due, now_ms);
        list_remove(&m->in_off);
        if (!is_unstarted(m) && task_token_is_off(m->task, now_ms, now_s))
            list_add_last(&r->off, &m->in_off);
    }
    r->reissue_ms = now_ms;
}

/* A task that somebody started is not renewed, so it is given another token. What fails
 * for one fails for all, but for an approval that is over; that may be prolonged. */
static void
reissue(struct registry *r, int64_t now_ms, int *keys)
{
    enum reason why = REASON_OK;

    if (now_ms < r->reissue_ms)
        return;
    for (struct list *at = r->off.next, *next; at != &r->off; at = next) {
        next = at->next;
        if (*keys == 0)
            return;
        why = member_reissue(r, LIST_OWNER(at, struct member, in_off));
        if (why != REASON_OK && why != REASON_GRANT_EXPIRED)
            break;
        *keys -= why == REASON_OK;
    }
    r->reissue_ms = now_ms + LOOK_MS;
}

/* ---- what nobody starts */

enum reason
group_begin(struct registry *r, struct group *g, struct member *before)
{
    struct task *k;
    enum reason why = prospect_begin(r->needs.authority, r->in_force->next, g->prospect,
                                     &k);

    if (why != REASON_OK)
        return why;
    (void)members_change(r, k, before, before != NULL ? TASK_RENEWED : TASK_LIVE);
    member_add(r, g, k);
    return REASON_OK;
}

/* One at a time, and none after one that could not be made: what fails for one grant
 * fails for all. */
static void
fill_vacancies(struct registry *r, int64_t now_ms, int *keys)
{
    int64_t now_s = clock_wall_s();

    if (list_is_empty(&r->vacant) || now_ms < r->retry_ms)
        return;
    r->retry_ms = now_ms + LOOK_MS;
    for (struct list *at = r->vacant.next, *next; at != &r->vacant; at = next) {
        struct group *g = LIST_OWNER(at, struct group, in_vacant);
        const struct conf_grant *grant = g->prospect->grant;

        next = at->next;
        if (now_s < grant->approved_at || now_s >= grant->expires_at)
            continue;
        if (*keys == 0)
            r->retry_ms = now_ms;
        if (*keys == 0 || group_begin(r, g, NULL) != REASON_OK)
            return;
        --*keys;
    }
}

static void
expire(struct registry *r, struct member *m)
{
    struct group *g = m->group;

    (void)members_change(r, NULL, m, TASK_EXPIRED);
    if (group_is_unstarted(g) && !g->revoked) {
        group_set_vacant(r, g, true);
        r->retry_ms = clock_monotonic_ms() + LOOK_MS;
    }
}

/* In its last tenth, or when the clock was set; at its deadline if its grant ended with
 * it and has been prolonged since. One that cannot be renewed now lives on. */
static void
renew(struct registry *r, struct member *m, int64_t now_ms)
{
    int64_t deadline_ms = task_deadline_ms(m->task);

    if (group_begin(r, m->group, m) == REASON_OK)
        return;
    if (now_ms >= deadline_ms)
        expire(r, m);
    else
        agenda_set(&r->agenda, &m->due,
                   now_ms + LOOK_MS < deadline_ms ? now_ms + LOOK_MS : deadline_ms);
}

void
registry_on_due(struct registry *r)
{
    int64_t now_ms = clock_monotonic_ms();
    struct appointment *first;
    int keys = AT_ONCE;

    look_at_clock(r, now_ms);
    r->look_ms = now_ms + LOOK_MS;
    while ((first = agenda_first(&r->agenda)) != NULL && first->due_ms <= now_ms) {
        struct member *m = LIST_OWNER(first, struct member, due);

        if (!is_unstarted(m))
            expire(r, m);
        else if (keys-- > 0)
            renew(r, m, now_ms);
        else
            break;
    }
    keys = keys > 0 ? keys : 0;
    fill_vacancies(r, now_ms, &keys);
    reissue(r, now_ms, &keys);
    r->announced_ms = INT64_MAX; /* the timer is spent */
    registry_announce(r);
}

/* ---- a reload */

static bool
is_cut_short(const struct member *m, const struct prospect *prospect)
{
    return prospect == NULL || prospect->narrower ||
           task_ttl_ms(m->task) > prospect->grant->ttl_ms ||
           task_expires_s(m->task) > prospect->grant->expires_at;
}

/* The new one in this place, if it is to be had. */
static struct task *
take_made(struct group *g, struct prospect *prospect)
{
    struct task *made = NULL;

    if (prospect != NULL && !g->revoked) {
        made = prospect->made;
        prospect->made = NULL;
    }
    return made;
}

static void
withdraw_leaving(struct registry *r, struct group *g)
{
    for (struct list *at = g->leaving.next; at != &g->leaving; at = at->next) {
        struct member *m = LIST_OWNER(at, struct member, in_group);

        if (m->drains)
            (void)member_cut(r, m, TASK_WITHDRAWN);
    }
}

/* The first that ends is followed by the one that was made; one that would end with its
 * grant, which now has a later end, is renewed by it. */
static void
withdraw(struct registry *r, struct group *g, struct prospect *prospect)
{
    struct list *at = g->live.next, *next;

    /* What begins meanwhile stands behind those that lived. */
    for (size_t n = list_count(&g->live); n > 0; n--, at = next) {
        struct member *m = LIST_OWNER(at, struct member, in_group);
        bool ends = is_cut_short(m, prospect);
        struct task *made = NULL;

        next = at->next;
        if (!ends &&
            (!is_unstarted(m) || task_renew_ms(m->task) != task_deadline_ms(m->task)))
            continue;
        made = take_made(g, prospect);
        if (!ends && made == NULL)
            continue;
        (void)members_change(r, made, m, ends ? TASK_WITHDRAWN : TASK_RENEWED);
        if (made != NULL)
            member_add(r, g, made);
    }
}

void
registry_expect(struct registry *r)
{
    for (struct list *at = r->all_groups.next; at != &r->all_groups; at = at->next)
        LIST_OWNER(at, struct group, in_groups)->revoked_lately = false;
}

/* A reload that was asked before somebody revoked does not undo that. */
static void
adopt_group(struct registry *r, struct group *g, struct prospect *prospect)
{
    if ((prospect == NULL || !prospect->same) && !g->revoked_lately)
        g->revoked = false;
    if (prospect == NULL || prospect->narrower)
        withdraw_leaving(r, g);
    withdraw(r, g, prospect);
    g->prospect = prospect;
    group_set_vacant(r, g, false);
    group_settle(r, g);
}

static void
fill(struct registry *r, struct prospect *prospect)
{
    struct group *g;
    struct task *made;

    if (prospect->grant->task == TASK_REQUIRED || r->needs.authority == NULL)
        return;
    g = group_get(r, prospect->grant->name);
    g->prospect = prospect;
    if (g->revoked || !list_is_empty(&g->live))
        return;
    if ((made = take_made(g, prospect)) == NULL) {
        group_set_vacant(r, g, !prospect->is_named_late);
        return;
    }
    (void)members_change(r, made, NULL, TASK_LIVE);
    member_add(r, g, made);
}

void
registry_adopt(struct registry *r, const struct conf *conf, struct prepared *p)
{
    struct prepared *before = r->in_force;

    assert(p->next == conf && p->now == (before != NULL ? before->next : NULL));
    r->in_force = p;
    for (struct list *at = r->all_groups.next, *next; at != &r->all_groups; at = next) {
        struct group *g = LIST_OWNER(at, struct group, in_groups);

        next = at->next;
        adopt_group(r, g, prepared_find(p, g->name));
    }
    for (size_t i = 0; i < p->n; i++) {
        fill(r, &p->prospects[i]);
        task_unref(p->prospects[i].made); /* another lives already, or must not */
        p->prospects[i].made = NULL;
    }
    prepared_free(before);
    members_settle_pods(r);
    r->retry_ms = clock_monotonic_ms() + LOOK_MS;
    registry_announce(r);
}

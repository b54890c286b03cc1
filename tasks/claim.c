/* Tasks of pods whose uid, or whose claim's, a file tells: they come and go with it. */
#include "tasks/members.h"

#include "base/clock.h"

#include <string.h>

enum { AT_ONCE = 16 }; /* keys made in one turn: main has others to serve */

/* Each end is told by itself, not as the next one's beginning: nothing of a claim is
 * handed on to another. */
static void
end_others(struct registry *r, struct group *g)
{
    struct list *at = g->live.next, *next;

    for (size_t n = list_count(&g->live); n > 0; n--, at = next) {
        struct member *m = LIST_OWNER(at, struct member, in_group);

        next = at->next;
        if (!text_equals(task_id(m->task), g->prospect->id))
            (void)members_change(r, NULL, m, TASK_UNCLAIMED);
    }
}

static void
settle(struct registry *r, const struct prospect *one, int *keys)
{
    struct group *g = group_get(r, one->grant->name);

    g->prospect = one;
    end_others(r, g);
    group_set_vacant(r, g, false);
    if (one->id.n == 0 || g->revoked || !list_is_empty(&g->live))
        return;
    if (*keys > 0 && group_begin(r, g, NULL) == REASON_OK)
        --*keys;
    else
        group_set_vacant(r, g, true);
}

void
members_settle_pods(struct registry *r)
{
    struct prepared *p = r->in_force;
    int keys = AT_ONCE;

    if (r->needs.authority == NULL)
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct prospect *one = &p->prospects[i];

        if (!one->is_named_late)
            continue;
        /* What pod.h takes for a uid has room in a name. */
        if (prospect_name(one, text_z(r->pod), p->has_one_pod) != REASON_OK)
            continue;
        settle(r, one, &keys);
    }
}

void
registry_name_pod(struct registry *r, struct text uid)
{
    if (text_equals(uid, text_z(r->pod)) || uid.n >= sizeof r->pod)
        return;
    memset(r->pod, 0, sizeof r->pod);
    if (uid.n > 0)
        memcpy(r->pod, uid.at, uid.n);
    if (r->in_force == NULL)
        return;
    members_settle_pods(r);
    r->retry_ms = clock_monotonic_ms() + LOOK_MS;
    registry_announce(r);
}

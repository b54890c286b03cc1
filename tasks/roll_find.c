/* Which task a caller uses a grant by, or whether there is any; and whose password it
 * is. */
#include "tasks/roll_parts.h"

#include <string.h>

/* Counts up to two. */
static unsigned
find_uses(struct roll *r, const char *grant, uint64_t hash, uint64_t who,
          const struct caller *caller, int64_t now_ms, struct entry **out)
{
    struct table_node *m = table_first(&r->uses, roll_hash_use(hash, who));
    unsigned found = 0;

    for (; m != NULL && found < 2; m = table_next(m)) {
        struct seat *s = TABLE_OWNER(m, struct seat, by_use);

        if (s->who == who && strcmp(task_grant(s->entry.task), grant) == 0 &&
            caller_matches(caller, task_caller(s->entry.task)) &&
            task_is_live(s->entry.task, now_ms)) {
            *out = &s->entry;
            found++;
        }
    }
    return found;
}

static enum reason
find_by_caller(struct roll *r, const struct conf_grant *grant,
               const struct caller *caller, int64_t now_ms, struct entry **out)
{
    uint64_t hash = table_hash(text_z(grant->name));
    unsigned found = 0;

    if (caller->has_uid)
        found = find_uses(r, grant->name, hash, caller->uid, caller, now_ms, out);
    if (r->n_anybodys > 0)
        found += find_uses(r, grant->name, hash, ROLL_ANYBODY, caller, now_ms, out);
    if (found == 1)
        return REASON_OK;
    *out = NULL;
    if (found > 1)
        return REASON_TASK_AMBIGUOUS;
    return grant->task == TASK_POD && r->awaits_pod ? REASON_CLAIM_MISSING
                                                    : REASON_TASK_REQUIRED;
}

enum reason
roll_find(struct roll *r, const struct conf_grant *grant, const struct caller *caller,
          const struct task *proven, int64_t now_ms, struct entry **out)
{
    struct seat *s;

    *out = NULL;
    if (proven == NULL)
        return find_by_caller(r, grant, caller, now_ms, out);
    s = roll_seat_of(r, proven);
    if (s == NULL || s->entry.ended || !task_is_live(proven, now_ms))
        return REASON_TASK_ENDED;
    if (strcmp(task_grant(proven), grant->name) != 0)
        return find_by_caller(r, grant, caller, now_ms, out);
    if (!caller_matches(caller, task_caller(proven)))
        return REASON_CALLER_NOT_ALLOWED;
    *out = &s->entry;
    return REASON_OK;
}

static bool
has_use(const struct roll *r, const struct conf_grant *grant, uint64_t who,
        const struct caller *caller, int64_t now_ms)
{
    uint64_t hash = roll_hash_use(table_hash(text_z(grant->name)), who);

    for (struct table_node *m = table_first(&r->uses, hash); m != NULL;
         m = table_next(m)) {
        const struct task *k = TABLE_OWNER(m, struct seat, by_use)->entry.task;

        if (strcmp(task_grant(k), grant->name) == 0 &&
            caller_may_match(caller, task_caller(k)) && task_is_live(k, now_ms))
            return true;
    }
    return false;
}

/* One who is not known may be whom the grant is for. */
bool
roll_may_use(const struct roll *r, const struct conf_grant *grant,
             const struct caller *caller, int64_t now_ms)
{
    uint64_t who = caller->has_uid ? caller->uid : roll_who_of(&grant->caller);

    return has_use(r, grant, who, caller, now_ms) ||
           (who != ROLL_ANYBODY && has_use(r, grant, ROLL_ANYBODY, caller, now_ms));
}

struct task *
roll_prove(const struct roll *r, struct text id, struct text password)
{
    const struct seat *s = roll_first_of_id(r, id);

    while (s != NULL && (s->entry.ended || !text_equals(task_id(s->entry.task), id)))
        s = roll_next_of_id(s);
    if (s == NULL || !text_equals_constant_time(task_password(s->entry.task), password))
        return NULL;
    return s->entry.task;
}

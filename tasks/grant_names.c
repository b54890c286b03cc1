/* Names, for who wants to know their addresses: no request is there yet, so a rule's
 * port, methods, paths and purposes say nothing. */
#include "tasks/grant_parts.h"

/* How far a question got with a grant: the first thing that did not fit. */
enum miss { MISS_HOST, MISS_CALLER, MISS_TIME, MISS_TASK, MISS_NOTHING };

static enum miss
miss_of(const struct name_ask *ask, const struct conf_grant *grant)
{
    if (!caller_may_match(ask->caller, &grant->caller))
        return MISS_CALLER;
    if (!grant_is_live(grant, ask->now_s))
        return MISS_TIME;
    if (ask->roll != NULL && !roll_may_use(ask->roll, grant, ask->caller, ask->now_ms))
        return MISS_TASK;
    return MISS_NOTHING;
}

static enum reason
miss_name(enum miss furthest)
{
    static const enum reason reasons[] = {
        [MISS_HOST] = REASON_HOST_NOT_ALLOWED,
        [MISS_CALLER] = REASON_CALLER_NOT_ALLOWED,
        [MISS_TIME] = REASON_GRANT_EXPIRED,
        [MISS_TASK] = REASON_TASK_REQUIRED,
    };

    return reasons[furthest];
}

enum reason
grants_ask_name(const struct grants *g, const struct name_ask *ask,
                enum reason (*judge)(void *of, const struct conf_grant *g,
                                     const struct conf_rule *r),
                void *of)
{
    uint32_t sets[RULEBOOK_SETS_MAX];
    size_t n = rulebook_sets(&g->book, ask->host, sets);
    enum miss furthest = MISS_HOST;
    enum reason said = REASON_OK;

    while (n-- > 0 && ask->host->address.family == 0) {
        uint32_t line = set_at(&g->book, sets[n])->first;

        for (; line != 0; line = line_at(&g->book, line)->next) {
            const struct line *l = line_at(&g->book, line);
            enum miss at = miss_of(ask, l->grant);

            if (at == MISS_NOTHING &&
                (said = judge(of, l->grant, l->rule)) == REASON_OK)
                return REASON_OK;
            if (furthest < at)
                furthest = at;
        }
    }
    return said != REASON_OK ? said : miss_name(furthest);
}

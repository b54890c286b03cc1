/* Whose TLS passes unopened. It is asked before a byte of a connection is answered, and
 * where it is so nothing of the connection is ever terminated: so one kind of rule
 * decides for a host, port and caller, and in doubt it is opened. */
#include "tasks/grant_parts.h"

enum kind { KIND_NONE, KIND_OPENED, KIND_UNOPENED };

/* Of one host pattern all that name this caller and port are of one kind: a config in
 * which they are not is refused. */
static enum kind
kind_of(const struct rulebook *book, const struct set *set, const struct caller *caller,
        uint16_t port, int64_t now_s)
{
    enum kind kind = KIND_NONE;

    for (uint32_t line = set->first; line != 0; line = line_at(book, line)->next) {
        const struct line *l = line_at(book, line);

        if (l->port != port || !grant_is_live(l->grant, now_s) ||
            !caller_matches(caller, &l->grant->caller))
            continue;
        if (!l->rule->opaque)
            return KIND_OPENED;
        kind = KIND_UNOPENED;
    }
    return kind;
}

bool
grants_pass_unopened(const struct grants *g, const struct caller *caller,
                     const struct authority *target, int64_t now_s)
{
    uint32_t sets[RULEBOOK_SETS_MAX];
    enum kind kind = KIND_NONE;
    size_t n;

    if (!g->book.has_opaque)
        return false;
    for (n = rulebook_sets(&g->book, &target->host, sets); n > 0 && kind == KIND_NONE;
         n--)
        kind = kind_of(&g->book, set_at(&g->book, sets[n - 1]), caller, target->port,
                       now_s);
    return kind == KIND_UNOPENED;
}

bool
grants_have_opaque(const struct grants *g)
{
    return g->book.has_opaque;
}

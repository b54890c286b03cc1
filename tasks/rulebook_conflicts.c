/* Rules that cannot stand beside each other, found where they can be at load: two that
 * name different credentials for one request, and two of which one lets TLS through
 * unread and the other does not. */
#include "tasks/rulebook_parts.h"

#include "tasks/demand.h"

/* There may be a caller, and a time, for whom both are. */
static bool
grants_overlap(const struct conf_grant *a, const struct conf_grant *b)
{
    return a->approved_at < b->expires_at && b->approved_at < a->expires_at &&
           demand_overlaps(&a->caller, &b->caller);
}

/* Would these two fit one request and name two credentials, given that host and path
 * are the same? */
static bool
is_certain_conflict(const struct line *a, const struct line *b)
{
    return a->grant != b->grant && a->credential != b->credential &&
           a->credential != 0 && b->credential != 0 && a->port == b->port &&
           a->https == b->https && (a->methods & b->methods) != 0 &&
           grants_overlap(a->grant, b->grant);
}

static void
tell_conflict(struct building *b, const struct line *mine, const struct line *other)
{
    const struct conf_rule *r = mine->rule;

    b->failed = true;
    if (b->conflict_told)
        return;
    b->conflict_told = true;
    buf_printf(b->report,
               "%s:%u: grants[%zu].rules[%zu].credential: \"%s\": grant \"%s\" names "
               "\"%s\" for the same requests (%s:%u)\n",
               r->place.file, r->place.line, b->grant, b->rule, r->credential,
               other->grant->name, other->rule->credential, other->rule->place.file,
               other->rule->place.line);
}

bool
rulebook_compare_lines(struct building *b, uint32_t mine, uint32_t other)
{
    const struct line *line = line_at(b->book, mine);

    if (mine != other && is_certain_conflict(line, line_at(b->book, other)))
        tell_conflict(b, line, line_at(b->book, other));
    return mine != other;
}

/* What comes for this host and port would be opened by one of them, and not by the
 * other. */
static bool
are_two_ways(const struct line *a, const struct line *b)
{
    return a->rule->opaque != b->rule->opaque && a->port == b->port &&
           grants_overlap(a->grant, b->grant);
}

void
rulebook_compare_ways(struct building *b, uint32_t set, uint32_t mine)
{
    const struct rulebook *book = b->book;
    const struct line *line = line_at(book, mine);
    struct set *s = set_at(book, set);

    s->has_opaque |= line->rule->opaque;
    b->book->has_opaque |= line->rule->opaque;
    s->has_read |= !line->rule->opaque;
    if (!s->has_opaque || !s->has_read)
        return;
    for (uint32_t other = s->first; other != 0; other = line_at(book, other)->next) {
        const struct line *l = line_at(book, other);

        if (!are_two_ways(line, l))
            continue;
        buf_printf(b->report,
                   "%s:%u: grants[%zu].rules[%zu].opaque: a host is either passed on "
                   "unopened or not, and grant \"%s\" has it otherwise (%s:%u)\n",
                   line->rule->place.file, line->rule->place.line, b->grant, b->rule,
                   l->grant->name, l->rule->place.file, l->rule->place.line);
        b->failed = true;
        return;
    }
}

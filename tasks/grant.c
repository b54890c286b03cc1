/* Grants: what of the rulebook fits a request, and when nothing does, what came
 * nearest. A judgement looks at rules of this host and this path alone, and allocates
 * nothing.
 *
 * Several rules may fit. An exact host wins over a wildcard, a longer wildcard over a
 * shorter one, a literal path over a pattern or "any", and then the rule that stands
 * earlier in the config. Before that: rules of two grants that fit one request and name
 * different credentials are a refusal, whichever would have won. */
#include "base/memory.h"
#include "tasks/grant_parts.h"
#include "tasks/pattern.h"

#include <stdlib.h>
#include <string.h>

/* Above what host and path give. */
enum { PROVEN_RANK = 1 << 16 };

enum reason
grants_new(const struct conf *conf, struct buf *report, struct grants **out)
{
    struct grants *g = memory_new(sizeof *g);
    enum reason why = rulebook_fill(&g->book, conf, report);

    *out = NULL;
    if (why == REASON_OK)
        *out = g;
    else
        grants_free(g);
    return why;
}

void
grants_free(struct grants *g)
{
    if (g == NULL)
        return;
    rulebook_clear(&g->book);
    free(g);
}

/* How far a request got with a rule: the first thing that did not fit. */
enum reach {
    REACH_HOST,
    REACH_PORT,
    REACH_CALLER,
    REACH_KIND,
    REACH_SCHEME,
    REACH_TIME,
    REACH_TASK,
    REACH_METHOD,
    REACH_PURPOSE,
    REACH_PATH
};

struct search {
    const struct rulebook *book;
    const struct ask *ask;
    uint64_t method;
    bool https;

    /* The task of the grant that was looked at last: a grant's rules stand together. */
    const struct conf_grant *looked_up;
    struct entry *entry;
    enum reason no_task;

    uint32_t set_rank;
    uint32_t best, best_rank;
    struct entry *best_entry;
    uint32_t lacking; /* all but a task, or its purpose, would have fitted */
    enum reach lacked;
    enum reason lacked_task;
    uint32_t credited; /* the first fit that names a credential, and what others said
                          since */
    bool other_grant, other_credential;
    bool conflict;
};

static bool
port_fits(const struct search *s, const struct line *l)
{
    uint16_t usual = s->https ? HTTPS_PORT : HTTP_PORT;

    if (l->port == s->ask->target->port)
        return true;
    /* http://x/ against a rule for https://x/: the scheme was missed, not the port. */
    return l->rule->port == 0 && s->ask->target->port == usual && l->https != s->https;
}

/* The task under which this caller uses the grant. */
static bool
has_task(struct search *s, const struct conf_grant *grant)
{
    const struct ask *ask = s->ask;

    if (s->looked_up != grant) {
        s->looked_up = grant;
        s->no_task = roll_find(ask->roll, grant, ask->caller, ask->proven, ask->now_ms,
                               &s->entry);
    }
    return s->no_task == REASON_OK;
}

static bool
purpose_fits(const struct search *s, const struct conf_rule *rule)
{
    const char *purpose;

    if (rule->purposes.n == 0)
        return true;
    purpose = task_purpose(s->entry->task);
    for (size_t i = 0; i < rule->purposes.n; i++) {
        if (strcmp(rule->purposes.at[i], purpose) == 0)
            return true;
    }
    return false;
}

static enum reach
reach(struct search *s, const struct line *l)
{
    if (!port_fits(s, l))
        return REACH_PORT;
    if (!caller_matches(s->ask->caller, &l->grant->caller))
        return REACH_CALLER;
    if (l->rule->opaque != s->ask->opaque)
        return REACH_KIND;
    if (l->https != s->https)
        return REACH_SCHEME;
    if (!grant_is_live(l->grant, s->ask->now_s))
        return REACH_TIME;
    if (s->ask->roll != NULL && !has_task(s, l->grant))
        return REACH_TASK;
    if ((l->methods & s->method) == 0)
        return REACH_METHOD;
    if (s->ask->roll != NULL && !purpose_fits(s, l->rule))
        return REACH_PURPOSE;
    return REACH_PATH;
}

/* Two credentials from two grants, among all that fit. */
static void
weigh_credential(struct search *s, uint32_t line)
{
    const struct line *first, *l = line_at(s->book, line);

    if (l->credential == 0)
        return;
    if (s->credited == 0) {
        s->credited = line;
        return;
    }
    first = line_at(s->book, s->credited);
    s->other_grant |= l->grant != first->grant;
    s->other_credential |= l->credential != first->credential;
    s->conflict = s->other_grant && s->other_credential;
}

/* A rule of the task that the request belongs to goes before any other. */
static uint32_t
rank_of(const struct search *s, bool literal)
{
    bool own = s->ask->proven != NULL && s->entry != NULL &&
               s->entry->task == s->ask->proven;

    return own * PROVEN_RANK + s->set_rank * 2 + literal;
}

static void
note_lack(struct search *s, uint32_t line, enum reach at)
{
    if ((at != REACH_TASK && at != REACH_PURPOSE) ||
        (s->lacking != 0 && at <= s->lacked))
        return;
    s->lacking = line;
    s->lacked = at;
    s->lacked_task = s->no_task;
}

static void
take(struct search *s, uint32_t line, bool literal)
{
    enum reach at = reach(s, line_at(s->book, line));
    uint32_t rank;

    if (at != REACH_PATH) {
        note_lack(s, line, at);
        return;
    }
    weigh_credential(s, line);
    rank = rank_of(s, literal);
    if (s->best == 0 || rank > s->best_rank ||
        (rank == s->best_rank && line < s->best)) {
        s->best = line;
        s->best_rank = rank;
        s->best_entry = s->entry;
    }
}

static void
take_fits(struct search *s, uint32_t fit, bool literal)
{
    for (; fit != 0; fit = fit_at(s->book, fit)->next)
        take(s, fit_at(s->book, fit)->line, literal);
}

static void
try_few(struct search *s, uint32_t few)
{
    for (; few != 0; few = few_at(s->book, few)->next) {
        const struct few *f = few_at(s->book, few);

        if (pattern_fits(f->pattern, s->ask->path))
            take(s, f->line, pattern_is_literal(f->pattern));
    }
}

/* As deep as a pattern is long (PATTERN_SEGMENTS_MAX), and into each node at most once.
 */
static void
search_paths(struct search *s, uint32_t node, struct text rest, bool literal)
{
    const struct node *here = node_at(s->book, node);
    struct text segment;
    uint32_t child;

    take_fits(s, here->below, false);
    if (!pattern_segment(&rest, &segment)) {
        take_fits(s, here->here, literal);
        return;
    }
    child = trie_child(s->book->trie, node, segment);
    if (child != TRIE_NONE)
        search_paths(s, child, rest, literal);
    if (here->star != 0 && pattern_star_fits(segment))
        search_paths(s, here->star, rest, false);
}

static void
search_set(struct search *s, uint32_t set)
{
    const struct set *in = set_at(s->book, set);
    struct text path = s->ask->path;

    s->set_rank = in->rank;
    take_fits(s, in->any, false);
    try_few(s, in->few);
    if (in->paths != 0 && path.n > 0 && path.at[0] == '/')
        search_paths(s, in->paths, text_of(path.at + 1, path.n - 1), true);
}

static enum reason
miss_reason(const struct search *s, const struct conf_grant *nearest, enum reach at,
            enum reason no_task)
{
    switch (at) {
    case REACH_PATH:
        return REASON_PATH_NOT_ALLOWED;
    case REACH_METHOD:
        return REASON_METHOD_NOT_ALLOWED;
    case REACH_PURPOSE:
        return REASON_PURPOSE_NOT_ALLOWED;
    case REACH_TASK:
        return no_task;
    case REACH_TIME:
        return REASON_GRANT_EXPIRED;
    case REACH_SCHEME:
        return REASON_SCHEME_NOT_ALLOWED;
    case REACH_KIND:
        return s->ask->opaque ? REASON_HOST_NOT_ALLOWED : REASON_OPAQUE_ONLY;
    case REACH_CALLER:
        return caller_judge(s->ask->caller, &nearest->caller);
    case REACH_PORT:
    case REACH_HOST:
    default:
        return REASON_HOST_NOT_ALLOWED;
    }
}

/* Nothing fits: which rule came nearest? One that wants nothing but a task, else
 * whichever got furthest; of equals the more specific, then the earlier one. */
static enum reason
nearest_miss(struct search *s, const uint32_t *sets, size_t n, struct decision *out)
{
    enum reach furthest = REACH_HOST;
    enum reason no_task = REASON_OK;

    if (s->lacking != 0) {
        const struct line *l = line_at(s->book, s->lacking);

        *out = (struct decision){ l->grant, l->rule, NULL };
        return miss_reason(s, l->grant, s->lacked, s->lacked_task);
    }
    while (n-- > 0) {
        uint32_t line = set_at(s->book, sets[n])->first;

        for (; line != 0; line = line_at(s->book, line)->next) {
            const struct line *l = line_at(s->book, line);
            enum reach at = reach(s, l);

            if (at <= furthest)
                continue;
            furthest = at;
            no_task = s->no_task;
            *out = (struct decision){ l->grant, l->rule, NULL };
        }
    }
    return miss_reason(s, out->grant, furthest, no_task);
}

enum reason
grants_judge(const struct grants *g, const struct ask *ask, struct decision *out)
{
    struct search s = { .book = &g->book, .ask = ask };
    uint32_t sets[RULEBOOK_SETS_MAX];
    size_t n = rulebook_sets(&g->book, &ask->target->host, sets);

    *out = (struct decision){ 0 };
    s.method = rulebook_method(&g->book, ask->method);
    s.https = text_equals(ask->scheme, TEXT("https"));
    if (!s.https && !text_equals(ask->scheme, TEXT("http")))
        return REASON_SCHEME_NOT_ALLOWED;
    for (size_t i = 0; i < n; i++)
        search_set(&s, sets[i]);
    if (s.best == 0)
        return nearest_miss(&s, sets, n, out);
    out->grant = line_at(&g->book, s.best)->grant;
    out->rule = line_at(&g->book, s.best)->rule;
    out->entry = s.best_entry;
    return s.conflict ? REASON_RULES_CONFLICT : REASON_OK;
}

bool
grants_name_host(const struct grants *g, const struct caller *caller,
                 const struct authority *target, int64_t now_s)
{
    uint32_t sets[RULEBOOK_SETS_MAX];
    size_t n = rulebook_sets(&g->book, &target->host, sets);

    for (size_t i = 0; i < n; i++) {
        uint32_t line = set_at(&g->book, sets[i])->first;

        for (; line != 0; line = line_at(&g->book, line)->next) {
            const struct line *l = line_at(&g->book, line);

            if (l->port == target->port && grant_is_live(l->grant, now_s) &&
                caller_matches(caller, &l->grant->caller))
                return true;
        }
    }
    return false;
}

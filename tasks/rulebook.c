#include "tasks/rulebook.h"

#include "base/arena.h"
#include "base/memory.h"
#include "tasks/pattern.h"
#include "tasks/demand.h"

#include <stdlib.h>
#include <string.h>

enum {
    COMPARED_MAX = 256, /* rules of one host and path that are compared at load */
    FEW_MAX = 8         /* paths that are compared faster than they are looked up */
};

#define METHOD_ANY   UINT64_MAX
#define METHOD_OTHER (UINT64_C(1) << METHODS_MAX)

/* ---- piles */

static void
pile_reach(struct pile *p, size_t n)
{
    if (n > p->room) {
        p->room = n < 32 ? 64 : n * 2;
        p->at = memory_resize(p->at, p->room, p->size);
    }
    if (n <= p->n)
        return;
    memset((char *)p->at + p->n * p->size, 0, (n - p->n) * p->size);
    p->n = n;
}

static uint32_t
pile_add(struct pile *p)
{
    pile_reach(p, p->n + 1);
    return (uint32_t)(p->n - 1);
}

static uint32_t
new_root(struct rulebook *book)
{
    uint32_t node = trie_root(book->trie);

    pile_reach(&book->nodes, (size_t)node + 1);
    return node;
}

static uint32_t
new_child(struct rulebook *book, uint32_t parent, struct text label)
{
    uint32_t node = trie_add(book->trie, parent, label);

    pile_reach(&book->nodes, (size_t)node + 1);
    return node;
}

/* ---- names, last label first */

static struct text
last_label(struct text *rest)
{
    const char *dot = rest->n > 0 ? memrchr(rest->at, '.', rest->n) : NULL;
    struct text label = *rest;

    if (dot == NULL) {
        *rest = text_of(NULL, 0);
        return label;
    }
    label = text_of(dot + 1, (size_t)(rest->at + rest->n - dot - 1));
    rest->n = (size_t)(dot - rest->at);
    return label;
}

/* The node of this name, made where it is missing. An address is one label: no wildcard
 * is above it. */
static uint32_t
name_node(struct rulebook *book, const struct host *h, uint32_t *labels)
{
    struct text rest = arena_copy(book->arena, host_text(h));
    uint32_t node = book->names;

    *labels = 1;
    if (h->address.family != 0)
        return new_child(book, node, rest);
    for (*labels = 0; rest.at != NULL; (*labels)++)
        node = new_child(book, node, last_label(&rest));
    return node;
}

size_t
rulebook_sets(const struct rulebook *book, const struct host *h,
              uint32_t sets[RULEBOOK_SETS_MAX])
{
    struct text rest = host_text(h);
    uint32_t node = book->names;
    size_t n = 0;

    while (rest.at != NULL && n < RULEBOOK_SETS_MAX - 1) {
        struct text label = rest;

        if (h->address.family == 0)
            label = last_label(&rest);
        else
            rest = text_of(NULL, 0);
        node = trie_child(book->trie, node, label);
        if (node == TRIE_NONE)
            return n;
        if (rest.at != NULL && node_at(book, node)->below != 0)
            sets[n++] = node_at(book, node)->below;
    }
    if (rest.at == NULL && node_at(book, node)->here != 0)
        sets[n++] = node_at(book, node)->here;
    return n;
}

/* ---- building */

/* One rule on its way in, and where it stands for the report. */
struct building {
    struct rulebook *book;
    struct buf *report;
    size_t grant, rule;
    bool failed;
    bool conflict_told;
};

static void
fault(struct building *b, const struct conf_rule *r, const char *key, const char *value,
      const char *message)
{
    buf_printf(b->report, "%s:%u: grants[%zu].rules[%zu].%s: \"%s\": %s\n",
               r->place.file, r->place.line, b->grant, b->rule, key, value, message);
    b->failed = true;
}

uint64_t
rulebook_method(const struct rulebook *book, struct text method)
{
    for (size_t i = 0; i < book->n_methods; i++) {
        if (text_equals(book->methods[i], method))
            return UINT64_C(1) << i;
    }
    return METHOD_OTHER;
}

static uint64_t
compile_methods(struct building *b, const struct conf_rule *r)
{
    struct rulebook *book = b->book;
    uint64_t mask = 0;

    if (r->methods.any || r->opaque)
        return METHOD_ANY;
    for (size_t i = 0; i < r->methods.n; i++) {
        struct text method = text_z(r->methods.at[i]);

        if (rulebook_method(book, method) == METHOD_OTHER) {
            if (book->n_methods == METHODS_MAX) {
                fault(b, r, "methods", r->methods.at[i],
                      "more different methods than are told apart");
                return 0;
            }
            book->methods[book->n_methods++] = method;
        }
        mask |= rulebook_method(book, method);
    }
    return mask;
}

static uint32_t
new_set(struct rulebook *book, uint32_t rank)
{
    uint32_t set = pile_add(&book->sets);

    *set_at(book, set) = (struct set){ .rank = rank };
    return set;
}

/* The set of this rule's host, made when it is the first; 0 when the host is none. */
static uint32_t
compile_host(struct building *b, const struct conf_rule *r)
{
    struct text pattern = text_z(r->host);
    bool wildcard = text_starts(pattern, TEXT("*."));
    struct rulebook *book = b->book;
    struct host host;
    uint32_t node, labels, set;

    if (wildcard)
        pattern = text_of(pattern.at + 2, pattern.n - 2);
    if (host_parse(pattern, &host) != REASON_OK ||
        (wildcard && host.address.family != 0)) {
        fault(b, r, "host", r->host,
              "not a host name, an address, or \"*.\" and a host name");
        return 0;
    }
    node = name_node(book, &host, &labels);
    set = wildcard ? node_at(book, node)->below : node_at(book, node)->here;
    if (set != 0)
        return set;
    set = new_set(book, wildcard ? labels : HOST_MAX);
    if (wildcard)
        node_at(book, node)->below = set;
    else
        node_at(book, node)->here = set;
    return set;
}

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

/* False: it is the same line, whose path is written twice. */
static bool
compare_lines(struct building *b, uint32_t mine, uint32_t other)
{
    const struct line *line = line_at(b->book, mine);

    if (mine != other && is_certain_conflict(line, line_at(b->book, other)))
        tell_conflict(b, line, line_at(b->book, other));
    return mine != other;
}

static void
link_fit(struct rulebook *book, uint32_t *first, uint32_t line)
{
    uint32_t fit = pile_add(&book->fits);

    *fit_at(book, fit) = (struct fit){ line, *first };
    *first = fit;
}

/* Adds the line to the list of fits that begins at *first. */
static void
add_fit(struct building *b, uint32_t *first, uint32_t line)
{
    const struct rulebook *book = b->book;
    uint32_t fit = *first;

    for (int i = 0; fit != 0 && i < COMPARED_MAX; i++, fit = fit_at(book, fit)->next)
        if (!compare_lines(b, line, fit_at(book, fit)->line))
            return;
    link_fit(b->book, first, line);
}

/* Where the fits of this pattern begin. */
static uint32_t *
fits_of(struct rulebook *book, uint32_t node, struct text pattern)
{
    struct text rest = text_of(pattern.at + 1, pattern.n - 1), segment;

    while (pattern_segment(&rest, &segment)) {
        if (pattern_is_tail(segment))
            return &node_at(book, node)->below;
        if (pattern_is_star(segment)) {
            if (node_at(book, node)->star == 0) {
                uint32_t star = new_root(book);

                node_at(book, node)->star = star;
            }
            node = node_at(book, node)->star;
        } else {
            node = new_child(book, node, segment);
        }
    }
    return &node_at(book, node)->here;
}

static void
add_few(struct building *b, uint32_t set, struct text pattern, uint32_t line)
{
    struct rulebook *book = b->book;
    struct set *s = set_at(book, set);
    uint32_t few;

    for (few = s->few; few != 0; few = few_at(book, few)->next)
        if (text_equals(few_at(book, few)->pattern, pattern) &&
            !compare_lines(b, line, few_at(book, few)->line))
            return;
    few = pile_add(&book->few);
    *few_at(book, few) = (struct few){ pattern, line, s->few };
    s->few = few;
    s->n_few++;
}

static void
plant_tree(struct rulebook *book, uint32_t set)
{
    uint32_t root = new_root(book), few = set_at(book, set)->few;

    for (; few != 0; few = few_at(book, few)->next)
        link_fit(book, fits_of(book, root, few_at(book, few)->pattern),
                 few_at(book, few)->line);
    set_at(book, set)->paths = root;
    set_at(book, set)->few = 0;
}

static void
compile_path(struct building *b, uint32_t set, struct text pattern, uint32_t line)
{
    struct rulebook *book = b->book;
    const char *why = pattern_fault(pattern);

    if (why != NULL) {
        fault(b, line_at(book, line)->rule, "paths", pattern.at, why);
        return;
    }
    if (set_at(book, set)->paths == 0 && set_at(book, set)->n_few == FEW_MAX)
        plant_tree(book, set);
    if (set_at(book, set)->paths == 0)
        add_few(b, set, pattern, line);
    else
        add_fit(b, fits_of(book, set_at(book, set)->paths, pattern), line);
}

/* What comes for this host and port would be opened by one of them, and not by the
 * other. */
static bool
are_two_ways(const struct line *a, const struct line *b)
{
    return a->rule->opaque != b->rule->opaque && a->port == b->port &&
           grants_overlap(a->grant, b->grant);
}

static void
compare_ways(struct building *b, uint32_t set, uint32_t mine)
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

static bool
differ_in_path_alone(const struct line *a, const struct line *b)
{
    return a->grant == b->grant && a->rule->opaque == b->rule->opaque &&
           a->port == b->port && a->https == b->https && a->methods == b->methods;
}

static void
add_to_set(struct rulebook *book, uint32_t set, uint32_t line)
{
    struct set *s = set_at(book, set);

    if (s->first == 0)
        s->first = line;
    else if (differ_in_path_alone(line_at(book, s->last), line_at(book, line)))
        return;
    else
        line_at(book, s->last)->next = line;
    s->last = line;
}

static void
compile_rule(struct building *b, const struct conf_grant *grant,
             const struct conf_rule *r)
{
    struct rulebook *book = b->book;
    uint64_t methods = compile_methods(b, r);
    uint32_t set = compile_host(b, r), line;

    if (set == 0)
        return;
    b->conflict_told = false;
    line = pile_add(&book->lines);
    *line_at(book,
             line) = (struct line){ .grant = grant, .rule = r, .methods = methods };
    line_at(book, line)->https = r->scheme == SCHEME_HTTPS;
    line_at(book, line)->port = r->port != 0                ? (uint16_t)r->port
                                : r->scheme == SCHEME_HTTPS ? HTTPS_PORT
                                                            : HTTP_PORT;
    if (r->credential != NULL)
        line_at(book, line)->credential = new_child(book, book->credentials,
                                                    text_z(r->credential));
    compare_ways(b, set, line);
    add_to_set(book, set, line);
    if (r->paths.any || r->opaque)
        add_fit(b, &set_at(book, set)->any, line);
    for (size_t i = 0; i < r->paths.n; i++)
        compile_path(b, set, text_z(r->paths.at[i]), line);
}

static void
begin(struct rulebook *book)
{
    book->arena = arena_new();
    book->trie = trie_new();
    book->lines.size = sizeof(struct line);
    book->nodes.size = sizeof(struct node);
    book->sets.size = sizeof(struct set);
    book->fits.size = sizeof(struct fit);
    book->few.size = sizeof(struct few);
    (void)pile_add(&book->lines);
    (void)pile_add(&book->sets);
    (void)pile_add(&book->fits);
    (void)pile_add(&book->few);
    book->names = new_root(book);
    book->credentials = new_root(book);
}

enum reason
rulebook_fill(struct rulebook *book, const struct conf *conf, struct buf *report)
{
    struct building b = { .book = book, .report = report };
    const struct conf_grant *grant = conf->grants.at;

    begin(book);
    for (b.grant = 0; b.grant < conf->grants.n; b.grant++, grant++) {
        const struct conf_rule *rules = grant->rules.at;

        for (b.rule = 0; b.rule < grant->rules.n; b.rule++)
            compile_rule(&b, grant, &rules[b.rule]);
    }
    return b.failed ? REASON_CONFIG : REASON_OK;
}

void
rulebook_clear(struct rulebook *book)
{
    free(book->lines.at);
    free(book->nodes.at);
    free(book->sets.at);
    free(book->fits.at);
    free(book->few.at);
    trie_free(book->trie);
    arena_free(book->arena);
}

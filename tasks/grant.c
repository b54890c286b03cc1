/* Grants, compiled. Names go from their last label to their first through one trie, to
 * the rules of the exact name and of every wildcard above it; paths go segment by
 * segment through another. A judgement looks at rules of this host and this path alone,
 * and allocates nothing.
 *
 * Several rules may fit. An exact host wins over a wildcard, a longer wildcard over a
 * shorter one, a literal path over a pattern or "any", and then the rule that stands
 * earlier in the config. Before that: rules of two grants that fit one request and name
 * different credentials are a refusal, whichever would have won. */
#include "tasks/grant.h"

#include "base/arena.h"
#include "base/host.h"
#include "base/memory.h"
#include "tasks/pattern.h"
#include "tasks/trie.h"

#include <stdlib.h>
#include <string.h>

enum {
    SETS_MAX = HOST_MAX / 2 + 2, /* one for each label and one for the exact name */
    METHODS_MAX = 63,
    COMPARED_MAX = 256, /* rules of one host and path that are compared at load */
    HTTPS_PORT = 443,
    HTTP_PORT = 80
};

#define METHOD_ANY   UINT64_MAX
#define METHOD_OTHER (UINT64_C(1) << METHODS_MAX)

/* A rule in its place. `next` makes a list of those of one host that differ in more
 * than their path: enough to say what was missed, however many paths a grant has. */
struct line {
    const struct conf_grant *grant;
    const struct conf_rule *rule;
    uint64_t methods;
    uint32_t credential; /* 0: none */
    uint32_t next;
    uint16_t port;
    bool https;
};

/* What a node of the trie leads to. In the tree of names `here` and `below` are sets:
 * of the name itself, and of all below it. In a tree of paths they are fits: of the
 * path itself, and of all its tails. */
struct node {
    uint32_t here, below;
    uint32_t star;
};

/* All rules of one host pattern. */
struct set {
    uint32_t paths; /* root of its tree of paths */
    uint32_t any;   /* fits whose rule takes any path */
    uint32_t first, last;
    uint32_t rank; /* the higher, the more specific */
};

struct fit {
    uint32_t line;
    uint32_t next;
};

/* Index 0 of each of these means "none". */
struct pile {
    void *at;
    size_t n, room, size;
};

struct grants {
    struct arena *arena;
    struct trie *trie;
    struct pile lines, nodes, sets, fits;
    struct text methods[METHODS_MAX];
    size_t n_methods;
    uint32_t names, credentials; /* roots */
};

/* ---- piles */

static void
pile_reach(struct pile *p, size_t n)
{
    void *old = p->at;

    if (n > p->room) {
        p->room = n < 32 ? 64 : n * 2;
        p->at = memory_new_array(p->room, p->size);
        if (old != NULL)
            memcpy(p->at, old, p->n * p->size);
        free(old);
    }
    if (n > p->n)
        p->n = n;
}

static uint32_t
pile_add(struct pile *p)
{
    pile_reach(p, p->n + 1);
    return (uint32_t)(p->n - 1);
}

static struct line *
line_at(const struct grants *g, uint32_t i)
{
    return (struct line *)g->lines.at + i;
}

static struct node *
node_at(const struct grants *g, uint32_t i)
{
    return (struct node *)g->nodes.at + i;
}

static struct set *
set_at(const struct grants *g, uint32_t i)
{
    return (struct set *)g->sets.at + i;
}

static struct fit *
fit_at(const struct grants *g, uint32_t i)
{
    return (struct fit *)g->fits.at + i;
}

static uint32_t
new_root(struct grants *g)
{
    uint32_t node = trie_root(g->trie);

    pile_reach(&g->nodes, (size_t)node + 1);
    return node;
}

static uint32_t
new_child(struct grants *g, uint32_t parent, struct text label)
{
    uint32_t node = trie_add(g->trie, parent, label);

    pile_reach(&g->nodes, (size_t)node + 1);
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
name_node(struct grants *g, const struct host *h, uint32_t *labels)
{
    struct text rest = arena_copy(g->arena, host_text(h));
    uint32_t node = g->names;

    *labels = 1;
    if (h->address.family != 0)
        return new_child(g, node, rest);
    for (*labels = 0; rest.at != NULL; (*labels)++)
        node = new_child(g, node, last_label(&rest));
    return node;
}

/* The sets that hold rules for this name, the least specific first. */
static size_t
sets_of(const struct grants *g, const struct host *h, uint32_t sets[SETS_MAX])
{
    struct text rest = host_text(h);
    uint32_t node = g->names;
    size_t n = 0;

    while (rest.at != NULL && n < SETS_MAX - 1) {
        struct text label = rest;

        if (h->address.family == 0)
            label = last_label(&rest);
        else
            rest = text_of(NULL, 0);
        node = trie_child(g->trie, node, label);
        if (node == TRIE_NONE)
            return n;
        if (rest.at != NULL && node_at(g, node)->below != 0)
            sets[n++] = node_at(g, node)->below;
    }
    if (rest.at == NULL && node_at(g, node)->here != 0)
        sets[n++] = node_at(g, node)->here;
    return n;
}

/* ---- building */

/* One rule on its way in, and where it stands for the report. */
struct building {
    struct grants *g;
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

static uint64_t
method_bit(const struct grants *g, struct text method)
{
    for (size_t i = 0; i < g->n_methods; i++) {
        if (text_equals(g->methods[i], method))
            return UINT64_C(1) << i;
    }
    return METHOD_OTHER;
}

static uint64_t
compile_methods(struct building *b, const struct conf_rule *r)
{
    struct grants *g = b->g;
    uint64_t mask = 0;

    if (r->methods.any)
        return METHOD_ANY;
    for (size_t i = 0; i < r->methods.n; i++) {
        struct text method = text_z(r->methods.at[i]);

        if (method_bit(g, method) == METHOD_OTHER) {
            if (g->n_methods == METHODS_MAX) {
                fault(b, r, "methods", r->methods.at[i],
                      "more different methods than are told apart");
                return 0;
            }
            g->methods[g->n_methods++] = method;
        }
        mask |= method_bit(g, method);
    }
    return mask;
}

static uint32_t
new_set(struct grants *g, uint32_t rank)
{
    uint32_t set = pile_add(&g->sets), paths = new_root(g);

    *set_at(g, set) = (struct set){ .paths = paths, .rank = rank };
    return set;
}

/* The set of this rule's host, made when it is the first; 0 when the host is none. */
static uint32_t
compile_host(struct building *b, const struct conf_rule *r)
{
    struct text pattern = text_z(r->host);
    bool wildcard = text_starts(pattern, TEXT("*."));
    struct grants *g = b->g;
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
    node = name_node(g, &host, &labels);
    set = wildcard ? node_at(g, node)->below : node_at(g, node)->here;
    if (set != 0)
        return set;
    set = new_set(g, wildcard ? labels : HOST_MAX);
    if (wildcard)
        node_at(g, node)->below = set;
    else
        node_at(g, node)->here = set;
    return set;
}

static bool
callers_overlap(const struct conf_caller *a, const struct conf_caller *b)
{
    return a->any || b->any || a->uid == b->uid;
}

/* Would these two fit one request and name two credentials, given that host and path
 * are the same? */
static bool
is_certain_conflict(const struct line *a, const struct line *b)
{
    return a->grant != b->grant && a->credential != b->credential &&
           a->credential != 0 && b->credential != 0 && a->port == b->port &&
           a->https == b->https && (a->methods & b->methods) != 0 &&
           a->grant->approved_at < b->grant->expires_at &&
           b->grant->approved_at < a->grant->expires_at &&
           callers_overlap(&a->grant->caller, &b->grant->caller);
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

/* Adds the line to the list of fits that begins at *first. */
static void
add_fit(struct building *b, uint32_t *first, uint32_t line)
{
    struct grants *g = b->g;
    const struct line *mine = line_at(g, line);
    uint32_t fit = *first;

    for (int i = 0; fit != 0 && i < COMPARED_MAX; i++, fit = fit_at(g, fit)->next) {
        const struct line *other = line_at(g, fit_at(g, fit)->line);

        if (other == mine)
            return; /* the same path twice in one rule */
        if (is_certain_conflict(mine, other))
            tell_conflict(b, mine, other);
    }
    fit = pile_add(&g->fits);
    *fit_at(g, fit) = (struct fit){ line, *first };
    *first = fit;
}

static void
compile_path(struct building *b, uint32_t root, const char *pattern, uint32_t line)
{
    struct grants *g = b->g;
    const char *why = pattern_fault(text_z(pattern));
    struct text rest, segment;
    uint32_t node = root;

    if (why != NULL) {
        fault(b, line_at(g, line)->rule, "paths", pattern, why);
        return;
    }
    rest = text_of(pattern + 1, strlen(pattern) - 1);
    while (pattern_segment(&rest, &segment)) {
        if (pattern_is_tail(segment)) {
            add_fit(b, &node_at(g, node)->below, line);
            return;
        }
        if (pattern_is_star(segment)) {
            if (node_at(g, node)->star == 0) {
                uint32_t star = new_root(g);

                node_at(g, node)->star = star;
            }
            node = node_at(g, node)->star;
        } else {
            node = new_child(g, node, segment);
        }
    }
    add_fit(b, &node_at(g, node)->here, line);
}

static bool
differ_in_path_alone(const struct line *a, const struct line *b)
{
    return a->grant == b->grant && a->port == b->port && a->https == b->https &&
           a->methods == b->methods;
}

static void
add_to_set(struct grants *g, uint32_t set, uint32_t line)
{
    struct set *s = set_at(g, set);

    if (s->first == 0)
        s->first = line;
    else if (differ_in_path_alone(line_at(g, s->last), line_at(g, line)))
        return;
    else
        line_at(g, s->last)->next = line;
    s->last = line;
}

static void
compile_rule(struct building *b, const struct conf_grant *grant,
             const struct conf_rule *r)
{
    struct grants *g = b->g;
    uint64_t methods = compile_methods(b, r);
    uint32_t set = compile_host(b, r), line;

    if (set == 0)
        return;
    b->conflict_told = false;
    line = pile_add(&g->lines);
    *line_at(g, line) = (struct line){ .grant = grant, .rule = r, .methods = methods };
    line_at(g, line)->https = r->scheme == SCHEME_HTTPS;
    line_at(g, line)->port = r->port != 0                ? (uint16_t)r->port
                             : r->scheme == SCHEME_HTTPS ? HTTPS_PORT
                                                         : HTTP_PORT;
    if (r->credential != NULL)
        line_at(g, line)->credential = new_child(g, g->credentials,
                                                 text_z(r->credential));
    add_to_set(g, set, line);
    if (r->paths.any)
        add_fit(b, &set_at(g, set)->any, line);
    for (size_t i = 0; i < r->paths.n; i++)
        compile_path(b, set_at(g, set)->paths, r->paths.at[i], line);
}

static struct grants *
grants_empty(void)
{
    struct grants *g = memory_new(sizeof *g);

    g->arena = arena_new();
    g->trie = trie_new();
    g->lines.size = sizeof(struct line);
    g->nodes.size = sizeof(struct node);
    g->sets.size = sizeof(struct set);
    g->fits.size = sizeof(struct fit);
    (void)pile_add(&g->lines);
    (void)pile_add(&g->sets);
    (void)pile_add(&g->fits);
    g->names = new_root(g);
    g->credentials = new_root(g);
    return g;
}

enum reason
grants_new(const struct conf *conf, struct buf *report, struct grants **out)
{
    struct building b = { .g = grants_empty(), .report = report };
    const struct conf_grant *grant = conf->grants.at;

    *out = NULL;
    for (b.grant = 0; b.grant < conf->grants.n; b.grant++, grant++) {
        const struct conf_rule *rules = grant->rules.at;

        for (b.rule = 0; b.rule < grant->rules.n; b.rule++)
            compile_rule(&b, grant, &rules[b.rule]);
    }
    if (b.failed) {
        grants_free(b.g);
        return REASON_CONFIG;
    }
    *out = b.g;
    return REASON_OK;
}

void
grants_free(struct grants *g)
{
    if (g == NULL)
        return;
    free(g->lines.at);
    free(g->nodes.at);
    free(g->sets.at);
    free(g->fits.at);
    trie_free(g->trie);
    arena_free(g->arena);
    free(g);
}

/* ---- judging */

/* How far a request got with a rule: the first thing that did not fit. */
enum reach {
    REACH_HOST,
    REACH_PORT,
    REACH_CALLER,
    REACH_SCHEME,
    REACH_TIME,
    REACH_METHOD,
    REACH_PATH
};

struct search {
    const struct grants *g;
    const struct ask *ask;
    uint64_t method;
    bool https;

    uint32_t set_rank;
    uint32_t best, best_rank;
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

static bool
is_live(const struct conf_grant *grant, int64_t now_s)
{
    return now_s >= grant->approved_at && now_s < grant->expires_at;
}

static enum reach
reach(const struct search *s, const struct line *l)
{
    if (!port_fits(s, l))
        return REACH_PORT;
    if (!caller_matches(s->ask->caller, &l->grant->caller))
        return REACH_CALLER;
    if (l->https != s->https)
        return REACH_SCHEME;
    if (!is_live(l->grant, s->ask->now_s))
        return REACH_TIME;
    if ((l->methods & s->method) == 0)
        return REACH_METHOD;
    return REACH_PATH;
}

/* Two credentials from two grants, among all that fit. */
static void
weigh_credential(struct search *s, uint32_t line)
{
    const struct line *first, *l = line_at(s->g, line);

    if (l->credential == 0)
        return;
    if (s->credited == 0) {
        s->credited = line;
        return;
    }
    first = line_at(s->g, s->credited);
    s->other_grant |= l->grant != first->grant;
    s->other_credential |= l->credential != first->credential;
    s->conflict = s->other_grant && s->other_credential;
}

static void
take_fits(struct search *s, uint32_t fit, bool literal)
{
    uint32_t rank = s->set_rank * 2 + literal;

    for (; fit != 0; fit = fit_at(s->g, fit)->next) {
        uint32_t line = fit_at(s->g, fit)->line;

        if (reach(s, line_at(s->g, line)) != REACH_PATH)
            continue;
        weigh_credential(s, line);
        if (s->best == 0 || rank > s->best_rank ||
            (rank == s->best_rank && line < s->best)) {
            s->best = line;
            s->best_rank = rank;
        }
    }
}

/* As deep as a pattern is long (PATTERN_SEGMENTS_MAX), and into each node at most once.
 */
static void
search_paths(struct search *s, uint32_t node, struct text rest, bool literal)
{
    const struct node *here = node_at(s->g, node);
    struct text segment;
    uint32_t child;

    take_fits(s, here->below, false);
    if (!pattern_segment(&rest, &segment)) {
        take_fits(s, here->here, literal);
        return;
    }
    child = trie_child(s->g->trie, node, segment);
    if (child != TRIE_NONE)
        search_paths(s, child, rest, literal);
    if (here->star != 0 && pattern_star_fits(segment))
        search_paths(s, here->star, rest, false);
}

static void
search_set(struct search *s, uint32_t set)
{
    const struct set *in = set_at(s->g, set);
    struct text path = s->ask->path;

    s->set_rank = in->rank;
    take_fits(s, in->any, false);
    if (path.n > 0 && path.at[0] == '/')
        search_paths(s, in->paths, text_of(path.at + 1, path.n - 1), true);
}

static enum reason
miss_reason(const struct search *s, enum reach at)
{
    switch (at) {
    case REACH_PATH:
        return REASON_PATH_NOT_ALLOWED;
    case REACH_METHOD:
        return REASON_METHOD_NOT_ALLOWED;
    case REACH_TIME:
        return REASON_GRANT_EXPIRED;
    case REACH_SCHEME:
        return REASON_SCHEME_NOT_ALLOWED;
    case REACH_CALLER:
        return s->ask->caller->has_uid ? REASON_CALLER_NOT_ALLOWED
                                       : REASON_CALLER_UNKNOWN;
    case REACH_PORT:
    case REACH_HOST:
    default:
        return REASON_HOST_NOT_ALLOWED;
    }
}

/* Nothing fits: which rule came nearest? Of equals the more specific, then the earlier
 * one. */
static enum reason
nearest_miss(const struct search *s, const uint32_t *sets, size_t n,
             struct decision *out)
{
    enum reach furthest = REACH_HOST;

    while (n-- > 0) {
        uint32_t line = set_at(s->g, sets[n])->first;

        for (; line != 0; line = line_at(s->g, line)->next) {
            const struct line *l = line_at(s->g, line);
            enum reach at = reach(s, l);

            if (at <= furthest)
                continue;
            furthest = at;
            *out = (struct decision){ l->grant, l->rule };
        }
    }
    return miss_reason(s, furthest);
}

enum reason
grants_judge(const struct grants *g, const struct ask *ask, struct decision *out)
{
    struct search s = { .g = g, .ask = ask };
    uint32_t sets[SETS_MAX];
    size_t n = sets_of(g, &ask->target->host, sets);

    *out = (struct decision){ 0 };
    s.method = method_bit(g, ask->method);
    s.https = text_equals(ask->scheme, TEXT("https"));
    if (!s.https && !text_equals(ask->scheme, TEXT("http")))
        return REASON_SCHEME_NOT_ALLOWED;
    for (size_t i = 0; i < n; i++)
        search_set(&s, sets[i]);
    if (s.best == 0)
        return nearest_miss(&s, sets, n, out);
    out->grant = line_at(g, s.best)->grant;
    out->rule = line_at(g, s.best)->rule;
    return s.conflict ? REASON_RULES_CONFLICT : REASON_OK;
}

bool
grants_name_host(const struct grants *g, const struct caller *caller,
                 const struct authority *target, int64_t now_s)
{
    uint32_t sets[SETS_MAX];
    size_t n = sets_of(g, &target->host, sets);

    for (size_t i = 0; i < n; i++) {
        uint32_t line = set_at(g, sets[i])->first;

        for (; line != 0; line = line_at(g, line)->next) {
            const struct line *l = line_at(g, line);

            if (l->port == target->port && is_live(l->grant, now_s) &&
                caller_matches(caller, &l->grant->caller))
                return true;
        }
    }
    return false;
}

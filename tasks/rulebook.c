#include "tasks/rulebook_parts.h"

#include "base/arena.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

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

uint32_t
rulebook_pile_add(struct pile *p)
{
    pile_reach(p, p->n + 1);
    return (uint32_t)(p->n - 1);
}

uint32_t
rulebook_new_root(struct rulebook *book)
{
    uint32_t node = trie_root(book->trie);

    pile_reach(&book->nodes, (size_t)node + 1);
    return node;
}

uint32_t
rulebook_new_child(struct rulebook *book, uint32_t parent, struct text label)
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
        return rulebook_new_child(book, node, rest);
    for (*labels = 0; rest.at != NULL; (*labels)++)
        node = rulebook_new_child(book, node, last_label(&rest));
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

void
rulebook_fault(struct building *b, const struct conf_rule *r, const char *key,
               const char *value, const char *message)
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
                rulebook_fault(b, r, "methods", r->methods.at[i],
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
    uint32_t set = rulebook_pile_add(&book->sets);

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
        rulebook_fault(b, r, "host", r->host,
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
    line = rulebook_pile_add(&book->lines);
    *line_at(book,
             line) = (struct line){ .grant = grant, .rule = r, .methods = methods };
    line_at(book, line)->https = r->scheme == SCHEME_HTTPS;
    line_at(book, line)->port = r->port != 0                ? (uint16_t)r->port
                                : r->scheme == SCHEME_HTTPS ? HTTPS_PORT
                                                            : HTTP_PORT;
    if (r->credential != NULL)
        line_at(book, line)->credential = rulebook_new_child(book, book->credentials,
                                                             text_z(r->credential));
    rulebook_compare_ways(b, set, line);
    add_to_set(book, set, line);
    if (r->paths.any || r->opaque)
        rulebook_add_fit(b, &set_at(book, set)->any, line);
    for (size_t i = 0; i < r->paths.n; i++)
        rulebook_add_path(b, set, text_z(r->paths.at[i]), line);
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
    (void)rulebook_pile_add(&book->lines);
    (void)rulebook_pile_add(&book->sets);
    (void)rulebook_pile_add(&book->fits);
    (void)rulebook_pile_add(&book->few);
    book->names = rulebook_new_root(book);
    book->credentials = rulebook_new_root(book);
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

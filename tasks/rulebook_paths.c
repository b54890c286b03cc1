/* The paths of one host: a few of them as a list, more as a tree by segment. */
#include "tasks/rulebook_parts.h"

#include "tasks/pattern.h"

enum {
    COMPARED_MAX = 256, /* rules of one host and path that are compared at load */
    FEW_MAX = 8         /* paths that are compared faster than they are looked up */
};

static void
link_fit(struct rulebook *book, uint32_t *first, uint32_t line)
{
    uint32_t fit = rulebook_pile_add(&book->fits);

    *fit_at(book, fit) = (struct fit){ line, *first };
    *first = fit;
}

void
rulebook_add_fit(struct building *b, uint32_t *first, uint32_t line)
{
    const struct rulebook *book = b->book;
    uint32_t fit = *first;

    for (int i = 0; fit != 0 && i < COMPARED_MAX; i++, fit = fit_at(book, fit)->next)
        if (!rulebook_compare_lines(b, line, fit_at(book, fit)->line))
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
                uint32_t star = rulebook_new_root(book);

                node_at(book, node)->star = star;
            }
            node = node_at(book, node)->star;
        } else {
            node = rulebook_new_child(book, node, segment);
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
            !rulebook_compare_lines(b, line, few_at(book, few)->line))
            return;
    few = rulebook_pile_add(&book->few);
    *few_at(book, few) = (struct few){ pattern, line, s->few };
    s->few = few;
    s->n_few++;
}

static void
plant_tree(struct rulebook *book, uint32_t set)
{
    uint32_t root = rulebook_new_root(book), few = set_at(book, set)->few;

    for (; few != 0; few = few_at(book, few)->next)
        link_fit(book, fits_of(book, root, few_at(book, few)->pattern),
                 few_at(book, few)->line);
    set_at(book, set)->paths = root;
    set_at(book, set)->few = 0;
}

void
rulebook_add_path(struct building *b, uint32_t set, struct text pattern, uint32_t line)
{
    struct rulebook *book = b->book;
    const char *why = pattern_fault(pattern);

    if (why != NULL) {
        rulebook_fault(b, line_at(book, line)->rule, "paths", pattern.at, why);
        return;
    }
    if (set_at(book, set)->paths == 0 && set_at(book, set)->n_few == FEW_MAX)
        plant_tree(book, set);
    if (set_at(book, set)->paths == 0)
        add_few(b, set, pattern, line);
    else
        rulebook_add_fit(b, fits_of(book, set_at(book, set)->paths, pattern), line);
}

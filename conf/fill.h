/* The schema engine: walks a tree and a table side by side and fills the structs of
 * conf.h. What is unknown, missing, of another type or out of range is a problem that
 * says what to write instead; nothing stops at the first. */
#ifndef CONF_FILL_H
#define CONF_FILL_H

#include "conf/conf.h"
#include "conf/tree.h"

struct anchor {
    const void *object;
    const struct node *node;
};

/* What a group that is not written is filled with, where that is shared. */
struct lent {
    const struct setting *row;
    void *made;
};

struct fill {
    struct arena *keep;    /* where values live: as long as the conf */
    struct arena *scratch; /* where the tree lives */
    struct problems *problems;
    struct anchor *anchors;
    size_t n, room;
    size_t last; /* that was asked for */
    struct lent lent[4];
    size_t n_lent;
    bool sorted;
};

/* group NULL: defaults alone; then `place` stands for it. name: of the row that this
 * table is inside of; NULL for the root. */
void fill_group(struct fill *f, const struct setting *table, const char *name,
                const struct node *group, struct place place, void *out);

/* The node that a struct was filled from, so that a check across keys can point at the
 * key it means; NULL when it was not written. No fill_group after the first call. */
const struct node *fill_node_of(struct fill *f, const void *object);

/* What an operator would write for this row: owner = "..."; */
void fill_print_sample(const struct setting *row, struct buf *out);
/* "string", "duration" …: for the reference. */
const char *fill_type_name(const struct setting *row);

#endif

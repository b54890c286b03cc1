/* What was written, as a tree: the config files after parsing and merging, before
 * anyone asks what they mean. It lives in an arena and knows its places, so that every
 * message can name file, line and path. */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/problem.h"
#include "conf/schema.h"

#include <string.h>

enum node_type { NODE_GROUP, NODE_LIST, NODE_STRING, NODE_INTEGER, NODE_BOOL };

struct node {
    const char *name; /* NULL: the root, or an element of a list */
    enum node_type type;
    struct place place;
    struct node *parent, *first, *last, *next;
    uint32_t index;     /* among its siblings */
    uint32_t n;         /* children */
    const char *string; /* lives as long as the conf */
    int64_t integer;    /* of a NODE_INTEGER; of a NODE_BOOL: 0 or 1 */
};

/* The name is on loan for the tree's life. */
struct node *node_new(struct arena *a, enum node_type type, const char *name,
                      struct place place);
void node_adopt(struct node *parent, struct node *child);
/* All that `from` has. */
void node_adopt_all(struct node *parent, struct node *from);

/* Most keys differ in their first letter. */
static inline bool
node_same_key(const char *a, const char *b)
{
    return a[0] == b[0] && strcmp(a, b) == 0;
}

struct node *node_child(const struct node *group, const char *name);
struct node *node_element(const struct node *list, size_t index);

/* "grants[0].rules[1].host"; nothing for the root. */
void node_print_path(const struct node *n, struct buf *out);

/* Moves what `from` holds into the group `into`: groups merge by key, lists
 * concatenate. A key that stands in both is a problem that names both places, and so is
 * a name of a SETTING_NAMED_GROUPS row of `table`. */
void node_merge(struct node *into, struct node *from, const struct setting *table,
                struct problems *problems);

/* A problem at this node; with a key, at what the group has under that key, else at the
 * group itself. */
void node_problem(struct problems *p, const struct node *n, const char *key,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

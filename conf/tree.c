/* The tree of what was written: growing it, finding in it, merging two of them,
 * pointing at a node in a message. */
#include "conf/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct node *
node_new(struct arena *a, enum node_type type, const char *name, struct place place)
{
    struct node *n = arena_alloc(a, sizeof *n);

    n->type = type;
    n->place = place;
    n->name = name;
    return n;
}

void
node_adopt(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    child->index = parent->n++;
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
}

void
node_adopt_all(struct node *parent, struct node *from)
{
    struct node *next;

    for (struct node *n = from->first; n != NULL; n = next) {
        next = n->next;
        node_adopt(parent, n);
    }
}

struct node *
node_child(const struct node *group, const char *name)
{
    for (struct node *n = group->first; n != NULL; n = n->next)
        if (n->name != NULL && node_same_key(n->name, name))
            return n;
    return NULL;
}

struct node *
node_element(const struct node *list, size_t index)
{
    struct node *n = list->first;

    while (n != NULL && n->index != index)
        n = n->next;
    return n;
}

void
node_print_path(const struct node *n, struct buf *out)
{
    if (n->parent == NULL)
        return;
    node_print_path(n->parent, out);
    if (n->name == NULL) {
        buf_printf(out, "[%u]", n->index);
        return;
    }
    if (n->parent->parent != NULL)
        buf_add_byte(out, '.');
    buf_add_z(out, n->name);
}

void
node_problem(struct problems *p, const struct node *n, const char *key,
             const char *format, ...)
{
    const struct node *at = key == NULL ? NULL : node_child(n, key);
    struct buf path = { 0 };
    char message[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    node_print_path(at != NULL ? at : n, &path);
    if (at == NULL && key != NULL)
        buf_printf(&path, "%s%s", n->parent == NULL ? "" : ".", key);
    if (buf_length(&path) > 0)
        buf_add_z(&path, ": ");
    buf_add_z(&path, message);
    problem_add(p, at != NULL ? at->place : n->place, buf_text(&path));
    buf_free(&path);
}

static const struct setting *
row_of(const struct setting *table, const char *name)
{
    for (const struct setting *row = table; row != NULL && row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static void
merge_names(struct node *into, struct node *from, struct problems *problems)
{
    struct node *next;

    for (struct node *n = from->first; n != NULL; n = next) {
        const struct node *first = node_child(into, n->name);

        next = n->next;
        if (first == NULL)
            node_adopt(into, n);
        else
            node_problem(problems, n, NULL,
                         "is named at %s:%u as well: a name may stand once",
                         first->place.file, first->place.line);
    }
}

static void
merge_key(struct node *old, struct node *new, const struct setting *row,
          struct problems *problems)
{
    if (old->type == NODE_GROUP && new->type == NODE_GROUP) {
        if (row != NULL && row->type == SETTING_NAMED_GROUPS)
            merge_names(old, new, problems);
        else
            node_merge(old, new, row == NULL ? NULL : row->inner, problems);
    } else if (old->type == NODE_LIST && new->type == NODE_LIST) {
        node_adopt_all(old, new);
    } else {
        node_problem(problems, new, NULL,
                     "is set at %s:%u as well: a key may be set in one file only",
                     old->place.file, old->place.line);
    }
}

void
node_merge(struct node *into, struct node *from, const struct setting *table,
           struct problems *problems)
{
    struct node *next;

    for (struct node *n = from->first; n != NULL; n = next) {
        struct node *old = node_child(into, n->name);

        next = n->next;
        if (old == NULL)
            node_adopt(into, n);
        else
            merge_key(old, n, row_of(table, n->name), problems);
    }
}

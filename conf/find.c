/* What a client needs of a config to find the process that runs it. It looks into the
 * tree, not into a frozen conf, and past files that are no config at all: `status` and
 * `reload --wait` are asked for when a file has just been broken, too. */
#include "conf/conf.h"

#include "base/memory.h"
#include "conf/parse.h"

#include <stdlib.h>

static char *
copy_string(const struct node *group, const char *name)
{
    const struct node *n = group != NULL ? node_child(group, name) : NULL;

    return n != NULL && n->type == NODE_STRING ? memory_copy_z(n->string) : NULL;
}

enum reason
conf_find_control(const char *path, struct buf *report, char **socket, char **user)
{
    struct arena *a = arena_new();
    struct problems problems = { .arena = a };
    bool whole;
    const struct node *root = parse_what_can_be(path, a, &problems, &whole);
    const struct node *control;
    enum reason why = REASON_OK;

    *socket = *user = NULL;
    if (root != NULL) {
        control = node_child(root, "control");
        if (control != NULL && control->type == NODE_GROUP)
            *socket = copy_string(control, "socket");
        *user = copy_string(root, "user");
    }
    if (*socket == NULL && !whole) {
        /* It may stand in what cannot be read. */
        why = REASON_CONFIG;
        problems_print(&problems, report);
        free(*user);
        *user = NULL;
    }
    arena_free(a);
    return why;
}

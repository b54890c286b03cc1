/* What a client needs of a config to find the process that runs it. It looks into the
 * tree, not into a frozen conf: `reload --wait` is asked for when the config is broken,
 * too. */
#include "conf/conf.h"

#include "base/memory.h"
#include "conf/parse.h"

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
    const struct node *root = parse_files(path, NULL, a, a, &problems, NULL);
    const struct node *control;

    *socket = *user = NULL;
    if (root != NULL) {
        control = node_child(root, "control");
        if (control != NULL && control->type == NODE_GROUP)
            *socket = copy_string(control, "socket");
        *user = copy_string(root, "user");
    } else {
        problems_print(&problems, report);
    }
    arena_free(a);
    return root != NULL ? REASON_OK : REASON_CONFIG;
}

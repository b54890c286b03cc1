/* Callers: something is demanded of them, and it can be met; and what doors that tell
 * them apart need for it. */
#include "conf/check.h"

#include "conf/pattern_caller.h"
#include "conf/suggest.h"

#include <string.h>

/* ---- doors */

static void
check_name(const struct check *k, const struct conf_door *doors, size_t i)
{
    check_value(k, &doors[i], "name", doors[i].name, pattern_door_error(doors[i].name));
    for (size_t j = 0; j < i; j++)
        if (doors[j].name != NULL && strcmp(doors[i].name, doors[j].name) == 0) {
            check_complain(k, &doors[i], "name",
                           "is the door on line %u of %s as well: write another",
                           doors[j].place.line, doors[j].place.file);
            return;
        }
}

static void
check_path(const struct check *k, const struct conf_door *doors, size_t i)
{
    const char *path = doors[i].path, *control = k->conf->control.socket;

    check_value(k, &doors[i], "path", path, pattern_socket_error(path));
    if (control != NULL && strcmp(path, control) == 0)
        check_complain(k, &doors[i], "path",
                       "is the control socket, where Holdfast is told what to do: "
                       "write another");
    for (size_t j = 0; j < i; j++)
        if (doors[j].path != NULL && strcmp(path, doors[j].path) == 0) {
            check_complain(k, &doors[i], "path",
                           "the door on line %u of %s stands there: write another",
                           doors[j].place.line, doors[j].place.file);
            return;
        }
}

static void
check_place(const struct check *k, const struct conf_door *doors, size_t i)
{
    static const char *const keys[] = { "path", "mode", "group" };
    const struct conf_door *door = &doors[i];

    if (door->kind == DOOR_UNIX) {
        if (check_has_key(k, door, "listen"))
            check_complain(k, door, "listen",
                           "a unix door stands at its `path`: remove it");
        if (!check_has_key(k, door, "path"))
            check_complain(k, door, "path",
                           "is missing at a unix door: write path = "
                           "\"/run/holdfast/agent.sock\";");
        if (door->path != NULL)
            check_path(k, doors, i);
        if (door->mode != NULL)
            check_value(k, door, "mode", door->mode, pattern_mode_error(door->mode));
        return;
    }
    if (!check_has_key(k, door, "listen"))
        check_complain(k, door, "listen",
                       "is missing: write listen = \"127.0.0.1:15001\" or "
                       "\"[::1]:15001\";");
    for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
        if (check_has_key(k, door, keys[j]))
            check_complain(
                k, door, keys[j],
                "belongs to a unix door: remove it, or write kind = \"unix\"");
}

void
check_doors_apart(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    for (size_t i = 0; i < k->conf->doors.n; i++) {
        if (doors[i].name != NULL)
            check_name(k, doors, i);
        if (doors[i].kind != -1)
            check_place(k, doors, i);
    }
}

/* ---- callers */

static void
check_door(const struct check *k, const struct conf_caller *c)
{
    const struct conf_door *doors = k->conf->doors.at;
    struct suggestion near = { 0 };

    if (c->door_at > 0) {
        if (!conf_door_is_egress(&doors[c->door_at - 1]) &&
            doors[c->door_at - 1].kind != -1)
            check_complain(k, c, "door",
                           "no workload goes out by that door: write the name of a "
                           "forward, transparent or unix one");
        return;
    }
    for (size_t i = 0; i < k->conf->doors.n; i++)
        if (doors[i].name != NULL)
            suggest(&near, c->door, doors[i].name);
    if (near.word != NULL)
        check_complain(k, c, "door",
                       "no door is called \"%.63s\", did you mean \"%s\"?", c->door,
                       near.word);
    else
        check_complain(
            k, c, "door",
            "no door is called \"%.63s\": write name = \"%.63s\"; at the one "
            "that is meant",
            c->door, c->door);
}

void
check_caller(const struct check *k, const struct conf_caller *c)
{
    static const char *const keys[] = { "uid",       "gid", "cgroup",
                                        "container", "pod", "door" };
    bool any = c->any;

    if (fill_node_of(k->fill, c) == NULL)
        return; /* "any", or refused */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        any |= check_has_key(k, c, keys[i]);
    if (!any)
        check_complain(k, c, NULL,
                       "demands nothing: write uid = 1000; or caller = \"any\";");
    if (c->cgroup != NULL)
        check_value(k, c, "cgroup", c->cgroup, pattern_cgroup_error(c->cgroup));
    if (c->container != NULL)
        check_value(k, c, "container", c->container,
                    pattern_container_error(c->container));
    if (c->pod != NULL)
        check_value(k, c, "pod", c->pod, pattern_pod_error(c->pod));
    if (c->door != NULL)
        check_door(k, c);
}

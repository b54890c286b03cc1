/* Unix doors: sockets in the file system, whose path is an identity. */
#include "proxy/doors.h"

#include "base/log.h"

#include <grp.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static const char key[] = "doors.path";

enum reason
doors_prepare(const struct conf *conf, const struct identity *who)
{
    const struct conf_door *doors = conf->doors.at;
    enum reason why = REASON_OK;

    /* Whoever may connect has to get there. */
    for (size_t i = 0; i < conf->doors.n && why == REASON_OK; i++)
        if (doors[i].kind == DOOR_UNIX)
            why = unix_socket_prepare(who, key, doors[i].path, 0755);
    return why;
}

static void
show_to_workers(struct doors *d, size_t i)
{
    for (size_t w = 0; w < d->n_workers; w++) {
        struct bound_door *b = &doors_of_worker(d, w)[i];

        b->fd = d->sockets[i].fd;
        b->path = d->sockets[i].path;
    }
}

enum reason
doors_stand(const struct conf *conf, struct doors *d)
{
    const struct conf_door *doors = conf->doors.at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < d->n && why == REASON_OK; i++) {
        struct unix_terms terms = { .key = key, .backlog = BACKLOG };

        if (doors[i].kind != DOOR_UNIX)
            continue;
        terms.path = doors[i].path;
        terms.mode = conf_door_mode(&doors[i]);
        why = unix_socket_open(&terms, &d->sockets[i]);
        if (why == REASON_OK)
            show_to_workers(d, i);
    }
    return why;
}

bool
door_group(const struct conf_door *door, gid_t *out)
{
    struct group *entry;
    uint64_t number;

    if (text_to_u64(text_z(door->group), UINT32_MAX - 1, &number)) {
        *out = (gid_t)number;
        return true;
    }
    entry = getgrnam(door->group);
    if (entry != NULL)
        *out = entry->gr_gid;
    return entry != NULL;
}

enum reason
doors_give(const struct conf *conf, const struct doors *d)
{
    const struct conf_door *doors = conf->doors.at;
    enum reason why = REASON_OK;
    gid_t group;

    for (size_t i = 0; i < d->n && why == REASON_OK; i++) {
        if (doors[i].kind != DOOR_UNIX || doors[i].group == NULL)
            continue;
        if (!door_group(&doors[i], &group))
            return log_reason(REASON_CONFIG,
                              "%s:%u: doors[%zu].group: there is no group \"%s\" on "
                              "this machine",
                              doors[i].place.file, doors[i].place.line, i,
                              doors[i].group);
        why = unix_socket_give(&d->sockets[i], key, group);
    }
    return why;
}

/* What is established of a caller: against what a caller block demands, and printed. */
#include "tasks/caller.h"

#include "base/escape.h"
#include "tasks/cgroup.h"
#include "tasks/demand.h"

#include <stdio.h>
#include <string.h>

/* What has been found of the demands so far. */
struct found {
    bool any, unknown, differs;
};

static void
weigh(struct found *f, bool is_known, bool fits)
{
    f->any = true;
    f->unknown |= !is_known;
    f->differs |= is_known && !fits;
}

static void
weigh_cgroup(struct found *f, const struct cgroup *g, const struct conf_caller *d)
{
    if (d->cgroup != NULL)
        weigh(f, g != NULL && g->path != NULL,
              g != NULL && g->path != NULL && demand_has_below(d->cgroup, g->path));
    if (d->container != NULL)
        weigh(f, g != NULL && g->container[0] != '\0',
              g != NULL && strcmp(g->container, d->container) == 0);
    if (d->pod != NULL)
        weigh(f, g != NULL && g->pod[0] != '\0',
              g != NULL && strcmp(g->pod, d->pod) == 0);
}

enum reason
caller_judge(const struct caller *c, const struct conf_caller *d)
{
    struct found f = { 0 };

    if (d->any)
        return REASON_OK;
    if (d->uid >= 0)
        weigh(&f, c->has_uid, (int64_t)c->uid == d->uid);
    if (d->has_gid)
        weigh(&f, c->has_gid, (int64_t)c->gid == d->gid);
    if (d->door != NULL)
        weigh(&f, c->door != 0, c->door == d->door_at);
    weigh_cgroup(&f, c->cgroup, d);
    if (f.differs)
        return REASON_CALLER_NOT_ALLOWED;
    /* One that demands nothing we know is met by nobody. */
    return f.unknown || !f.any ? REASON_CALLER_UNKNOWN : REASON_OK;
}

/* ---- printed */

static void
put(struct buf *out, size_t from, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    if (buf_length(out) > from)
        buf_add_byte(out, ',');
    buf_printf(out, "%s:", key);
    /* A control group may be called anything but '/'. */
    for (; *value != '\0'; value++)
        buf_add_byte(out, escape_plain(text_of(value, 1)) == 1 && *value != ',' ? *value
                                                                                : '?');
}

static const char *
number(char out[16], bool is_known, uint32_t value)
{
    (void)snprintf(out, 16, "%u", (unsigned)value);
    return is_known ? out : NULL;
}

void
caller_print(const struct caller *c, const char *door, struct buf *out)
{
    const struct cgroup *g = c->cgroup;
    size_t from = buf_length(out);
    char uid[16], gid[16];

    put(out, from, "uid", number(uid, c->has_uid, c->uid));
    put(out, from, "gid", number(gid, c->has_gid, c->gid));
    put(out, from, "cgroup", g != NULL ? g->path : NULL);
    put(out, from, "pod", g != NULL ? g->pod : NULL);
    put(out, from, "container", g != NULL ? g->container : NULL);
    put(out, from, "door", door);
    if (buf_length(out) == from)
        buf_add_z(out, "unknown");
}

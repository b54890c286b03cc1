#include "tasks/demand.h"

#include "base/digest.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
copy_text(const char *z)
{
    return z == NULL ? NULL : memory_copy_z(z);
}

struct conf_caller
demand_copy(const struct conf_caller *d)
{
    struct conf_caller copy = *d;

    copy.place = (struct place){ 0 }; /* the file's name is the config's */
    copy.cgroup = copy_text(d->cgroup);
    copy.container = copy_text(d->container);
    copy.pod = copy_text(d->pod);
    copy.door = copy_text(d->door);
    return copy;
}

void
demand_clear(struct conf_caller *d)
{
    free((char *)(uintptr_t)d->cgroup);
    free((char *)(uintptr_t)d->container);
    free((char *)(uintptr_t)d->pod);
    free((char *)(uintptr_t)d->door);
    *d = (struct conf_caller){ .uid = -1 };
}

/* ---- one with another */

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
demand_equals(const struct conf_caller *a, const struct conf_caller *b)
{
    if (a->any || b->any)
        return a->any == b->any;
    return a->uid == b->uid && a->has_gid == b->has_gid &&
           (!a->has_gid || a->gid == b->gid) && same_text(a->cgroup, b->cgroup) &&
           same_text(a->container, b->container) && same_text(a->pod, b->pod) &&
           same_text(a->door, b->door);
}

bool
demand_has_below(const char *cgroup, const char *path)
{
    size_t n = strlen(cgroup);

    return strncmp(path, cgroup, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool
texts_overlap(const char *a, const char *b)
{
    return a == NULL || b == NULL || strcmp(a, b) == 0;
}

static bool
cgroups_overlap(const char *a, const char *b)
{
    return a == NULL || b == NULL || demand_has_below(a, b) || demand_has_below(b, a);
}

bool
demand_overlaps(const struct conf_caller *a, const struct conf_caller *b)
{
    if (a->any || b->any)
        return true;
    return (a->uid < 0 || b->uid < 0 || a->uid == b->uid) &&
           (!a->has_gid || !b->has_gid || a->gid == b->gid) &&
           cgroups_overlap(a->cgroup, b->cgroup) &&
           texts_overlap(a->container, b->container) && texts_overlap(a->pod, b->pod) &&
           texts_overlap(a->door, b->door);
}

static bool
demands_something(const struct conf_caller *d)
{
    return d->uid >= 0 || d->has_gid || d->cgroup != NULL || d->container != NULL ||
           d->pod != NULL || d->door != NULL;
}

static bool
text_is_within(const char *asked, const char *granted)
{
    return granted == NULL || (asked != NULL && strcmp(asked, granted) == 0);
}

bool
demand_is_within(const struct conf_caller *asked, const struct conf_caller *granted)
{
    if (asked->any || !demands_something(asked))
        return asked->any && granted->any;
    if (granted->any || !demands_something(granted))
        return granted->any;
    return (granted->uid < 0 || asked->uid == granted->uid) &&
           (!granted->has_gid || (asked->has_gid && asked->gid == granted->gid)) &&
           (granted->cgroup == NULL ||
            (asked->cgroup != NULL &&
             demand_has_below(granted->cgroup, asked->cgroup))) &&
           text_is_within(asked->container, granted->container) &&
           text_is_within(asked->pod, granted->pod) &&
           text_is_within(asked->door, granted->door);
}

/* ---- printed */

static void
put(struct buf *out, size_t from, char between, const char *key, char mark,
    const char *value)
{
    if (value == NULL)
        return;
    if (buf_length(out) > from)
        buf_add_byte(out, between);
    buf_printf(out, "%s%c%s", key, mark, value);
}

static void
print(const struct conf_caller *d, char between, char mark, const char *cgroup,
      struct buf *out)
{
    size_t from = buf_length(out);
    char uid[24], gid[24];

    (void)snprintf(uid, sizeof uid, "%" PRId64, d->uid);
    (void)snprintf(gid, sizeof gid, "%" PRId64, d->gid);
    put(out, from, between, "uid", mark, d->uid >= 0 ? uid : NULL);
    put(out, from, between, "gid", mark, d->has_gid ? gid : NULL);
    put(out, from, between, "cgroup", mark, cgroup);
    put(out, from, between, "pod", mark, d->pod);
    put(out, from, between, "container", mark, d->container);
    put(out, from, between, "door", mark, d->door);
}

void
demand_print(const struct conf_caller *d, char mark, struct buf *out)
{
    if (d->any)
        buf_add_z(out, "any");
    else
        print(d, ',', mark, d->cgroup, out);
}

void
demand_print_file(const struct conf_caller *d, struct buf *out)
{
    enum { BYTES = 8 };
    unsigned char digest[SHA256_SIZE];
    char hex[2 * BYTES + 1];

    if (d->cgroup != NULL)
        digest_sha256(text_z(d->cgroup), digest);
    for (size_t i = 0; d->cgroup != NULL && i < BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    print(d, '.', '-', d->cgroup != NULL ? hex : NULL, out);
}

#include "proxy/explain_as.h"

#include "conf/pattern_caller.h"
#include "tasks/cgroup.h"

#include <stdio.h>
#include <string.h>

/* What is being read, and where it goes. */
struct described {
    const struct conf *conf;
    struct arena *arena;
    struct caller *caller;
};

static const char *
read_number(const char *value, bool *has, uint32_t *out)
{
    uint64_t n;

    if (!text_to_u64(text_z(value), UINT32_MAX - 1, &n))
        return "--as: a uid and a gid are numbers";
    *has = true;
    *out = (uint32_t)n;
    return NULL;
}

static const char *
read_uid(struct described *d, const char *value)
{
    return read_number(value, &d->caller->has_uid, &d->caller->uid);
}

static const char *
read_gid(struct described *d, const char *value)
{
    return read_number(value, &d->caller->has_gid, &d->caller->gid);
}

static const char *
read_door(struct described *d, const char *value)
{
    d->caller->door = conf_door_named(d->conf, value);
    return d->caller->door != 0 ? NULL : "--as: no door of the config has that name";
}

static struct cgroup *
cgroup_of(struct described *d)
{
    if (d->caller->cgroup == NULL) {
        d->caller->cgroup = arena_alloc(d->arena, sizeof(struct cgroup));
        memset(d->caller->cgroup, 0, sizeof(struct cgroup));
    }
    return d->caller->cgroup;
}

static const char *
read_cgroup(struct described *d, const char *value)
{
    cgroup_of(d)->path = arena_copy_z(d->arena, text_z(value));
    return pattern_cgroup_error(value);
}

static const char *
read_container(struct described *d, const char *value)
{
    (void)snprintf(cgroup_of(d)->container, CGROUP_CONTAINER_SIZE, "%s", value);
    return pattern_container_error(value);
}

static const char *
read_pod(struct described *d, const char *value)
{
    (void)snprintf(cgroup_of(d)->pod, CGROUP_POD_SIZE, "%s", value);
    return pattern_pod_error(value);
}

static const struct {
    const char *key;
    const char *(*read)(struct described *d, const char *value);
} facts[] = {
    { "uid", read_uid },       { "gid", read_gid },
    { "cgroup", read_cgroup }, { "container", read_container },
    { "pod", read_pod },       { "door", read_door },
};

static const char *
read_fact(struct described *d, struct text fact)
{
    struct text rest = fact, key;

    if (text_split(&rest, '=', &key) && !text_is_empty(rest))
        for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
            if (text_equals(key, text_z(facts[i].key)))
                return facts[i].read(d, arena_copy_z(d->arena, rest));
    return "--as takes uid=, gid=, cgroup=, container=, pod= and door=, with commas "
           "between";
}

const char *
explain_read_as(const struct conf *conf, const char *words, struct arena *arena,
                struct caller *out)
{
    struct described d = { conf, arena, out };
    struct text rest = text_z(words), fact;
    const char *wrong = NULL;

    *out = (struct caller){ 0 };
    while (wrong == NULL && text_split(&rest, ',', &fact))
        wrong = read_fact(&d, fact);
    return wrong;
}

#include "proxy/series.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* limits.generations is at most this: whoever is older is not alive. */
enum { GENERATIONS_MAX = 64 };

struct slot {
    char *name;    /* NULL: never used */
    uint64_t last; /* the newest generation that has this grant */
    uint64_t before[OUTCOMES];
};

struct series {
    struct slot slots[GRANT_SERIES];
};

struct series *
series_new(void)
{
    struct series *s = memory_new(sizeof *s);

    s->slots[0].name = memory_copy_z("");
    return s;
}

void
series_free(struct series *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < GRANT_SERIES; i++)
        free(s->slots[i].name);
    free(s);
}

static size_t
find(const struct series *s, const char *name)
{
    for (size_t i = 1; i < GRANT_SERIES; i++)
        if (s->slots[i].name != NULL && strcmp(s->slots[i].name, name) == 0)
            return i;
    return 0;
}

/* One never used, or the one let go longest ago; 0: none may be had. */
static size_t
find_free(const struct series *s, uint64_t generation)
{
    size_t best = 0;

    for (size_t i = 1; i < GRANT_SERIES; i++) {
        const struct slot *slot = &s->slots[i];

        if (slot->name == NULL)
            return i;
        if (slot->last + GENERATIONS_MAX < generation &&
            (best == 0 || slot->last < s->slots[best].last))
            best = i;
    }
    return best;
}

static void
take(struct slot *slot, size_t i, const char *name,
     const struct metrics *const *workers, size_t n)
{
    free(slot->name);
    slot->name = memory_copy_z(name);
    for (size_t d = 0; d < OUTCOMES; d++) {
        slot->before[d] = 0;
        for (size_t w = 0; w < n; w++)
            slot->before[d] += tally_read(&workers[w]->grants[i][d]);
    }
}

uint16_t *
series_assign(struct series *s, const struct conf *conf, uint64_t generation,
              const struct metrics *const *workers, size_t n)
{
    const struct conf_grant *grants = conf->grants.at;
    uint16_t *slots = memory_new_array(conf->grants.n, sizeof *slots);

    /* Those that stay first: a newcomer must not take the slot of one further down. */
    for (size_t i = 0; i < conf->grants.n; i++) {
        slots[i] = (uint16_t)find(s, grants[i].name);
        if (slots[i] != 0)
            s->slots[slots[i]].last = generation;
    }
    for (size_t i = 0; i < conf->grants.n; i++) {
        size_t slot = slots[i];

        if (slot != 0 || (slot = find_free(s, generation)) == 0)
            continue;
        take(&s->slots[slot], slot, grants[i].name, workers, n);
        s->slots[slot].last = generation;
        slots[i] = (uint16_t)slot;
    }
    return slots;
}

const char *
series_name(const struct series *s, size_t slot)
{
    return s->slots[slot].name;
}

uint64_t
series_before(const struct series *s, size_t slot, enum outcome decision)
{
    return s->slots[slot].before[decision];
}

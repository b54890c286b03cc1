/* A list of origins, each with its memory. It only grows, and by what the operator
 * writes. */
#include "filters/replays.h"

#include "base/log.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

struct origin {
    struct origin *next;
    char *name;
    struct replay_cache *memory;
    int64_t entries;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct origin *origins;

static const struct origin *
find(const char *name)
{
    const struct origin *o = origins;

    while (o != NULL && strcmp(o->name, name) != 0)
        o = o->next;
    return o;
}

static void
add(const char *name, struct replay_cache *memory, int64_t entries)
{
    struct origin *o = memory_new(sizeof *o);

    o->name = memory_copy_z(name);
    o->memory = memory;
    o->entries = entries;
    o->next = origins;
    origins = o;
}

static struct replay_cache *
join(const struct conf_door *door)
{
    struct replay_cache *memory = NULL;
    int64_t entries = door->replay_entries;

    for (size_t i = 0; i < door->names.n && memory == NULL; i++) {
        const struct origin *o = find(door->names.at[i]);

        if (o == NULL)
            continue;
        memory = o->memory;
        entries = o->entries;
    }
    if (memory == NULL)
        memory = replay_cache_new((size_t)entries);
    if (entries != door->replay_entries)
        log_warn("%s:%u: replay_entries stays at %lld until the process starts anew",
                 door->place.file, door->place.line, (long long)entries);
    for (size_t i = 0; i < door->names.n; i++) {
        if (find(door->names.at[i]) == NULL)
            add(door->names.at[i], memory, entries);
    }
    return memory;
}

struct replay_cache *
replays_of(const struct conf_door *door)
{
    struct replay_cache *memory;

    if (door->names.n == 0)
        return NULL;
    (void)pthread_mutex_lock(&lock);
    memory = join(door);
    (void)pthread_mutex_unlock(&lock);
    return memory;
}

static struct nonces *nonces;

static void
make_nonces(void)
{
    nonces = nonces_new();
}

const struct nonces *
nonces_of_gates(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_nonces);
    return nonces;
}

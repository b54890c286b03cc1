#include "tasks/handle.h"

#include "base/memory.h"
#include "tasks/handle_table.h"
#include "tasks/demand.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 32 };

/* ---- hashes */

static unsigned char hash_key[KEY_SIZE];

static void
make_key(void)
{
    random_bytes(hash_key, sizeof hash_key);
}

void
handle_digest(struct text value, unsigned char out[SHA256_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char room[KEY_SIZE + HANDLE_MAX];

    (void)pthread_once(&once, make_key);
    memcpy(room, hash_key, KEY_SIZE);
    memcpy(room + KEY_SIZE, value.at, value.n);
    digest_sha256(text_of(room, KEY_SIZE + value.n), out);
}

static size_t
slot_of(const struct handles *h, const unsigned char digest[SHA256_SIZE])
{
    uint64_t front;

    memcpy(&front, digest, sizeof front);
    return (size_t)front & h->mask;
}

static const struct listed *
find_digest(const struct handles *h, const unsigned char digest[SHA256_SIZE])
{
    struct text sought = text_of((const char *)digest, SHA256_SIZE);

    if (h->slots == NULL)
        return NULL;
    for (size_t i = slot_of(h, digest); h->slots[i] != 0; i = (i + 1) & h->mask) {
        const struct listed *e = &h->at[h->slots[i] - 1];

        if (text_equals_constant_time(text_of((const char *)e->digest, SHA256_SIZE),
                                      sought))
            return e;
    }
    return NULL;
}

static const struct listed *
find_value(const struct handles *h, struct text value)
{
    unsigned char digest[SHA256_SIZE];

    if (value.n == 0 || value.n > HANDLE_MAX || !h->lengths[value.n])
        return NULL;
    handle_digest(value, digest);
    return find_digest(h, digest);
}

static void
enter(struct handles *h, size_t i)
{
    size_t slot = slot_of(h, h->at[i].digest);

    while (h->slots[slot] != 0)
        slot = (slot + 1) & h->mask;
    h->slots[slot] = (uint32_t)(i + 1);
}

static void
grow(struct handles *h)
{
    struct listed *old = h->at;

    h->room = h->room == 0 ? 16 : 2 * h->room;
    h->at = memory_new_array(h->room, sizeof *h->at);
    if (h->n > 0)
        memcpy(h->at, old, h->n * sizeof *old);
    free(old);
    free(h->slots);
    h->mask = 4 * h->room - 1;
    h->slots = memory_new_array(h->mask + 1, sizeof *h->slots);
    for (size_t i = 0; i < h->n; i++)
        enter(h, i);
}

void
handles_add(struct handles *h, const struct handle *like, const char *origin)
{
    struct arena *a = h->arena;
    struct listed *e;

    if (h->n == h->room)
        grow(h);
    e = &h->at[h->n];
    e->handle = *like;
    e->handle.value = arena_copy(a, like->value);
    e->handle.credential = arena_copy_z(a, text_z(like->credential));
    e->handle.env = arena_copy_z(a, text_z(like->env));
    e->handle.caller = demand_copy(&like->caller);
    e->origin = arena_copy_z(a, text_z(origin));
    handle_digest(like->value, e->digest);
    h->lengths[like->value.n] = true;
    enter(h, h->n++);
}

/* ---- life */

struct handles *
handles_empty(void)
{
    struct handles *h = memory_new(sizeof *h);

    atomic_init(&h->references, 1);
    h->arena = arena_new();
    return h;
}

void
handles_ref(struct handles *h)
{
    atomic_fetch_add(&h->references, 1);
}

void
handles_unref(struct handles *h)
{
    if (h == NULL || atomic_fetch_sub(&h->references, 1) != 1)
        return;
    for (size_t i = 0; i < h->n; i++)
        demand_clear(&h->at[i].handle.caller);
    free(h->at);
    free(h->slots);
    arena_free(h->arena);
    free(h);
}

/* ---- asking */

bool
handles_is_empty(const struct handles *h)
{
    return h->n == 0;
}

const struct handle *
handles_find(const struct handles *h, struct text value)
{
    const struct listed *e = find_value(h, value);

    return e != NULL ? &e->handle : NULL;
}

bool
handle_is_for(const struct handle *h, const struct caller *caller,
              const char *credential)
{
    return h != NULL && !h->ended && strcmp(h->credential, credential) == 0 &&
           caller_matches(caller, &h->caller);
}

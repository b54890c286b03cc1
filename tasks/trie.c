/* Tries with hashed edges: open addressing, at most half full, so that a miss is as
 * cheap as a hit. */
#include "tasks/trie.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    uint64_t hash;
    struct text label;
    uint32_t parent; /* TRIE_NONE: an empty place */
    uint32_t child;
};

struct trie {
    struct edge *edges;
    size_t room; /* a power of two */
    size_t n;
    uint32_t nodes;
};

enum { FIRST_ROOM = 64 };

/* Zeroed by hand: most places are looked at before they are filled, and a page of fresh
 * memory that was only looked at is made a second time when it is written. */
static struct edge *
new_edges(size_t room)
{
    size_t n = room * sizeof(struct edge);

    return memset(memory_new_raw(n), 0, n);
}

struct trie *
trie_new(void)
{
    struct trie *t = memory_new(sizeof *t);

    t->room = FIRST_ROOM;
    t->edges = new_edges(t->room);
    return t;
}

void
trie_free(struct trie *t)
{
    if (t == NULL)
        return;
    free(t->edges);
    free(t);
}

/* FNV-1a, begun with the parent. Strangers only look up: what can collide is what the
 * operator wrote. */
static uint64_t
hash(uint32_t parent, struct text label)
{
    uint64_t h = 0xcbf29ce484222325u ^ parent;

    for (size_t i = 0; i < label.n; i++)
        h = (h ^ (unsigned char)label.at[i]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* Where this edge stands, or the empty place where it would. */
static struct edge *
find(const struct trie *t, uint64_t h, uint32_t parent, struct text label)
{
    size_t mask = t->room - 1;

    for (size_t i = (size_t)h & mask;; i = (i + 1) & mask) {
        struct edge *e = &t->edges[i];

        if (e->parent == TRIE_NONE ||
            (e->hash == h && e->parent == parent && text_equals(e->label, label)))
            return e;
    }
}

static void
grow(struct trie *t)
{
    struct edge *old = t->edges;
    size_t n = t->room;

    t->room *= 2;
    t->edges = new_edges(t->room);
    for (size_t i = 0; i < n; i++) {
        if (old[i].parent != TRIE_NONE)
            *find(t, old[i].hash, old[i].parent, old[i].label) = old[i];
    }
    free(old);
}

uint32_t
trie_root(struct trie *t)
{
    assert(t->nodes < UINT32_MAX);
    return ++t->nodes;
}

uint32_t
trie_add(struct trie *t, uint32_t parent, struct text label)
{
    uint64_t h = hash(parent, label);
    struct edge *e;

    if (2 * (t->n + 1) > t->room)
        grow(t);
    e = find(t, h, parent, label);
    if (e->parent == TRIE_NONE) {
        *e = (struct edge){ h, label, parent, trie_root(t) };
        t->n++;
    }
    return e->child;
}

uint32_t
trie_child(const struct trie *t, uint32_t parent, struct text label)
{
    return find(t, hash(parent, label), parent, label)->child;
}

/* Chains of members, twice as many buckets whenever there are more members than
 * buckets. */
#include "base/table.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

void
table_init(struct table *t)
{
    t->n = 0;
    t->mask = FIRST_BUCKETS - 1;
    t->buckets = memory_new_array(FIRST_BUCKETS, sizeof(struct table_node *));
}

void
table_clear(struct table *t)
{
    free(t->buckets);
    *t = (struct table){ .n = 0 };
}

static void
enter(struct table *t, struct table_node *m)
{
    struct table_node **at = &t->buckets[m->hash & t->mask];

    m->next = *at;
    *at = m;
}

static void
grow(struct table *t)
{
    struct table_node **old = t->buckets;
    size_t n = t->mask + 1;

    t->mask = 2 * n - 1;
    t->buckets = memory_new_array(2 * n, sizeof(struct table_node *));
    for (size_t i = 0; i < n; i++)
        for (struct table_node *m = old[i], *next; m != NULL; m = next) {
            next = m->next;
            enter(t, m);
        }
    free(old);
}

void
table_add(struct table *t, struct table_node *m, uint64_t hash)
{
    if (t->n++ > t->mask)
        grow(t);
    m->hash = hash;
    enter(t, m);
}

void
table_remove(struct table *t, struct table_node *m)
{
    struct table_node **at = &t->buckets[m->hash & t->mask];

    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    m->next = NULL;
    t->n--;
}

struct table_node *
table_any(const struct table *t)
{
    struct table_node *m = NULL;

    for (size_t i = 0; t->n > 0 && m == NULL; i++)
        m = t->buckets[i];
    return m;
}

static uint64_t
stir(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15;
    return h ^ h >> 32; /* a mask keeps the lower bits */
}

/* Eight bytes at a time; the last eight may overlap those before. */
uint64_t
table_hash(struct text t)
{
    uint64_t h = t.n, word = 0;

    if (t.n < sizeof word) {
        for (size_t i = 0; i < t.n; i++)
            word = word << 8 | (unsigned char)t.at[i];
        return stir(h, word);
    }
    for (size_t i = 0; i + sizeof word < t.n; i += sizeof word) {
        memcpy(&word, t.at + i, sizeof word);
        h = stir(h, word);
    }
    memcpy(&word, t.at + t.n - sizeof word, sizeof word);
    return stir(h, word);
}

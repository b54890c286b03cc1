/* A hash table that lives inside its members: nothing is allocated to add one, but when
 * the table grows. Equal hashes may be different things: whoever looks compares. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/text.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    struct table_node **buckets;
    size_t n, mask;
};

/* The struct of `type` whose `member` is at p. NULL for NULL. */
#define TABLE_OWNER(p, type, member)                                                   \
    ((p) != NULL ? (type *)(void *)((char *)(p)-offsetof(type, member)) : NULL)

void table_init(struct table *t);
/* Its members are others' to free. */
void table_clear(struct table *t);
void table_add(struct table *t, struct table_node *m, uint64_t hash);
void table_remove(struct table *t, struct table_node *m);
/* Any member; NULL when there is none. */
struct table_node *table_any(const struct table *t);

/* Of what strangers do not choose: a flood of equal hashes is not looked for. */
uint64_t table_hash(struct text t);

static inline struct table_node *
table_same(struct table_node *m, uint64_t hash)
{
    while (m != NULL && m->hash != hash)
        m = m->next;
    return m;
}

/* Those of this hash, one after the other; NULL behind the last. */
static inline struct table_node *
table_first(const struct table *t, uint64_t hash)
{
    return table_same(t->buckets[hash & t->mask], hash);
}

static inline struct table_node *
table_next(const struct table_node *m)
{
    return table_same(m->next, m->hash);
}

#endif

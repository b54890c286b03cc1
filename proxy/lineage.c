#include "proxy/lineage.h"

#include "base/memory.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

struct lineage {
    struct list member;
    unsigned char source[SHA256_SIZE];
    unsigned char root[SHA256_SIZE]; /* of what the file held */
    struct secret *newest;
};

static struct lineage *
find(struct list *lineages, const unsigned char source[SHA256_SIZE])
{
    for (struct list *m = lineages->next; m != lineages; m = m->next) {
        struct lineage *l = LIST_OWNER(m, struct lineage, member);

        if (memcmp(l->source, source, SHA256_SIZE) == 0)
            return l;
    }
    return NULL;
}

static void
replace(struct lineage *l, struct text t)
{
    struct secret *next = secret_new(t.at, t.n);

    secret_free(l->newest);
    l->newest = next;
}

struct text
lineage_newest(struct list *lineages, const unsigned char source[SHA256_SIZE],
               struct text file)
{
    struct lineage *l = find(lineages, source);
    unsigned char root[SHA256_SIZE];

    digest_sha256(file, root);
    if (l == NULL) {
        l = memory_new(sizeof *l);
        memcpy(l->source, source, SHA256_SIZE);
        list_add_last(lineages, &l->member);
    }
    if (l->newest == NULL || memcmp(l->root, root, SHA256_SIZE) != 0) {
        memcpy(l->root, root, SHA256_SIZE);
        replace(l, file);
    }
    return secret_reveal(l->newest);
}

void
lineage_take(struct list *lineages, const unsigned char source[SHA256_SIZE],
             struct text next)
{
    struct lineage *l = find(lineages, source);

    if (l != NULL && !text_is_empty(next))
        replace(l, next);
}

void
lineages_clear(struct list *lineages)
{
    while (!list_is_empty(lineages)) {
        struct lineage *l = LIST_OWNER(lineages->next, struct lineage, member);

        list_remove(&l->member);
        secret_free(l->newest);
        free(l);
    }
}

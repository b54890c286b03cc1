#include "proxy/lineage.h"

#include "base/memory.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

struct lineage {
    struct list member;
    unsigned char name[SHA256_SIZE];
    unsigned char root[SHA256_SIZE]; /* of what the file held */
    struct secret *newest;
};

void
lineage_name(const struct conf_source *s, unsigned char out[SHA256_SIZE])
{
    struct digest *d = digest_new();

    digest_add(d, text_of(s->token_endpoint, strlen(s->token_endpoint) + 1));
    digest_add(d, text_z(s->refresh_token));
    digest_end(d, out);
}

bool
lineage_is_shared(const struct conf_source *a, const struct conf_source *b)
{
    return a->grant_type == OAUTH_REFRESH_TOKEN &&
           b->grant_type == OAUTH_REFRESH_TOKEN &&
           strcmp(a->token_endpoint, b->token_endpoint) == 0 &&
           strcmp(a->refresh_token, b->refresh_token) == 0;
}

static struct lineage *
find(struct list *lineages, const unsigned char name[SHA256_SIZE])
{
    for (struct list *m = lineages->next; m != lineages; m = m->next) {
        struct lineage *l = LIST_OWNER(m, struct lineage, member);

        if (memcmp(l->name, name, SHA256_SIZE) == 0)
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
lineage_newest(struct list *lineages, const unsigned char name[SHA256_SIZE],
               struct text file)
{
    struct lineage *l = find(lineages, name);
    unsigned char root[SHA256_SIZE];

    digest_sha256(file, root);
    if (l == NULL) {
        l = memory_new(sizeof *l);
        memcpy(l->name, name, SHA256_SIZE);
        list_add_last(lineages, &l->member);
    }
    if (l->newest == NULL || memcmp(l->root, root, SHA256_SIZE) != 0) {
        memcpy(l->root, root, SHA256_SIZE);
        replace(l, file);
    }
    return secret_reveal(l->newest);
}

void
lineage_take(struct list *lineages, const unsigned char name[SHA256_SIZE],
             struct text next)
{
    struct lineage *l = find(lineages, name);

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

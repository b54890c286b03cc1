#include "proxy/tally.h"

#include "base/digest.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t
bucket_of(const struct tally *t, struct text key)
{
    unsigned char digest[SHA256_SIZE];
    uint64_t hash;

    digest_sha256(key, digest);
    memcpy(&hash, digest, sizeof hash);
    return (size_t)(hash % t->n_buckets);
}

static void
put_in_bucket(struct tally *t, struct tallied *one)
{
    struct tallied **bucket = &t->buckets[bucket_of(t, one->key)];

    one->chain = *bucket;
    *bucket = one;
}

static void
grow(struct tally *t)
{
    t->n_buckets = t->n_buckets == 0 ? 16 : 4 * t->n_buckets;
    free(t->buckets);
    t->buckets = memory_new_array(t->n_buckets, sizeof(struct tallied *));
    for (struct tallied *i = t->first; i != NULL; i = i->after)
        put_in_bucket(t, i);
}

struct tallied *
tally_find(const struct tally *t, struct text key)
{
    struct tallied *i = t->n == 0 ? NULL : t->buckets[bucket_of(t, key)];

    while (i != NULL && !text_equals(i->key, key))
        i = i->chain;
    return i;
}

struct tallied *
tally_add(struct tally *t, struct text key)
{
    struct tallied *one = tally_find(t, key);
    char *copy;

    if (one == NULL) {
        if (t->n == t->n_buckets)
            grow(t);
        one = memory_new(sizeof *one + key.n);
        copy = (char *)(one + 1);
        if (key.n > 0)
            memcpy(copy, key.at, key.n);
        one->key = text_of(copy, key.n);
        if (t->last == NULL)
            t->last = &t->first;
        *t->last = one;
        t->last = &one->after;
        t->n++;
        put_in_bucket(t, one);
    }
    one->count++;
    return one;
}

void
tally_free(struct tally *t)
{
    struct tallied *after;

    for (struct tallied *i = t->first; i != NULL; i = after) {
        after = i->after;
        free(i);
    }
    free(t->buckets);
    *t = (struct tally){ 0 };
}

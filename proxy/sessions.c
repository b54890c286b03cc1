#include "proxy/sessions.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

enum { BUCKETS = 64, PER_KEY = 4 };

struct kept {
    struct list bucket; /* the newest first */
    struct list age;    /* the oldest first */
    struct upstream_key key;
    struct tls_session *session;
};

struct sessions {
    size_t room, n;
    struct list buckets[BUCKETS];
    struct list ages;
};

struct sessions *
sessions_new(size_t room)
{
    struct sessions *s = memory_new(sizeof *s);

    s->room = room;
    list_init(&s->ages);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&s->buckets[i]);
    return s;
}

static struct tls_session *
take_out(struct sessions *s, struct kept *k)
{
    struct tls_session *session = k->session;

    list_remove(&k->bucket);
    list_remove(&k->age);
    free(k);
    s->n--;
    return session;
}

static void
forget(struct sessions *s, struct kept *k)
{
    tls_session_free(take_out(s, k));
}

static struct kept *
oldest(const struct sessions *s)
{
    return LIST_OWNER(s->ages.next, struct kept, age);
}

void
sessions_free(struct sessions *s)
{
    if (s == NULL)
        return;
    while (s->n > 0)
        forget(s, oldest(s));
    free(s);
}

static struct list *
bucket_of(struct sessions *s, const struct upstream_key *key)
{
    return &s->buckets[upstream_key_hash(key) % BUCKETS];
}

/* The oldest of a key that has enough makes way. */
static void
make_way(struct sessions *s, const struct upstream_key *key)
{
    struct list *head = bucket_of(s, key);
    struct kept *last = NULL;
    size_t n = 0;

    for (struct list *m = head->next; m != head; m = m->next) {
        struct kept *k = LIST_OWNER(m, struct kept, bucket);

        if (!upstream_key_equals(&k->key, key))
            continue;
        last = k;
        n++;
    }
    if (n >= PER_KEY)
        forget(s, last);
    else if (s->n >= s->room)
        forget(s, oldest(s));
}

void
sessions_keep(struct sessions *s, const struct upstream_key *key,
              struct tls_session *session)
{
    struct kept *k;

    if (s->room == 0) {
        tls_session_free(session);
        return;
    }
    make_way(s, key);
    k = memory_new(sizeof *k);
    k->key = *key;
    k->session = session;
    list_add_first(bucket_of(s, key), &k->bucket);
    list_add_last(&s->ages, &k->age);
    s->n++;
}

struct tls_session *
sessions_take(struct sessions *s, const struct upstream_key *key)
{
    struct list *head = bucket_of(s, key), *next;
    int64_t now_s = clock_wall_s();

    for (struct list *m = head->next; m != head; m = next) {
        struct kept *k = LIST_OWNER(m, struct kept, bucket);
        struct tls_session *session;

        next = m->next;
        if (!upstream_key_equals(&k->key, key))
            continue;
        session = take_out(s, k);
        if (tls_session_is_fresh(session, now_s))
            return session;
        tls_session_free(session);
    }
    return NULL;
}

void
sessions_drop_task(struct sessions *s, struct text task)
{
    for (struct list *m = s->ages.next, *next; m != &s->ages; m = next) {
        struct kept *k = LIST_OWNER(m, struct kept, age);

        next = m->next;
        if (upstream_key_is_of(&k->key, task))
            forget(s, k);
    }
}

size_t
sessions_count(const struct sessions *s)
{
    return s->n;
}

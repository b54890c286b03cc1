/* A table under a lock, the members in the order in which they were written down: the
 * oldest makes way. Keys do not: of them there are as many as the operator names. */
#include "proxy/answers.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct table_node node;
    struct list in_order;
    struct list in_asked; /* a word, just now … */
    uint64_t of;          /* … of this endpoint */
    struct answer_key key;
    bool is_asked;             /* just now; … */
    int64_t asked_ms;          /* … or when it was last; 0: never */
    uint64_t waiting;          /* bits of workers */
    enum reason why;           /* how that went */
    int64_t told_ms;           /* when it had */
    int64_t fresh_ms, good_ms; /* until when; what is fresh no more is asked again */
    struct jwks *keys;
    char *says;
    size_t n_says;
};

struct answers {
    pthread_mutex_t lock;
    struct table table;
    struct list order, asked;
    size_t n, n_asked, bytes;
};

struct answers *
answers_new(void)
{
    struct answers *a = memory_new(sizeof *a);

    (void)pthread_mutex_init(&a->lock, NULL);
    table_init(&a->table);
    list_init(&a->order);
    list_init(&a->asked);
    return a;
}

static void
forget_word(struct answers *a, struct entry *e)
{
    a->bytes -= e->n_says;
    free(e->says);
    e->says = NULL;
    e->n_says = 0;
}

static void
drop(struct answers *a, struct entry *e)
{
    forget_word(a, e);
    jwks_unref(e->keys);
    table_remove(&a->table, &e->node);
    list_remove(&e->in_asked);
    list_remove(&e->in_order);
    a->n--;
    free(e);
}

void
answers_free(struct answers *a)
{
    if (a == NULL)
        return;
    while (!list_is_empty(&a->order))
        drop(a, LIST_OWNER(a->order.next, struct entry, in_order));
    table_clear(&a->table);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

/* ---- who stands there */

/* The key is a hash that no stranger can aim: its first bytes will do. */
static uint64_t
hash_of(const struct answer_key *key)
{
    uint64_t hash;

    memcpy(&hash, key->at, sizeof hash);
    return hash;
}

static struct entry *
find(const struct answers *a, const struct answer_key *key)
{
    struct table_node *m = table_first(&a->table, hash_of(key));

    for (; m != NULL; m = table_next(m)) {
        struct entry *e = TABLE_OWNER(m, struct entry, node);

        if (memcmp(&e->key, key, sizeof *key) == 0)
            return e;
    }
    return NULL;
}

static void
make_room(struct answers *a, const struct entry *but)
{
    for (struct list *m = a->order.next, *next;
         m != &a->order && (a->n > ANSWERS_MAX || a->bytes > ANSWERS_BYTES_MAX);
         m = next) {
        struct entry *e = LIST_OWNER(m, struct entry, in_order);

        next = m->next;
        if (e != but && !e->is_asked && e->keys == NULL)
            drop(a, e);
    }
}

static struct entry *
add(struct answers *a, const struct answer_key *key)
{
    struct entry *e = memory_new(sizeof *e);

    e->key = *key;
    table_add(&a->table, &e->node, hash_of(key));
    list_add_last(&a->order, &e->in_order);
    a->n++;
    make_room(a, e);
    return e;
}

/* ---- looking */

static bool
was_asked_since(const struct entry *e, int64_t ms)
{
    return e->asked_ms != 0 && !e->is_asked && e->asked_ms >= ms;
}

/* What failed lately, or for who looks now, is what there is to say. */
static bool
has_failed(const struct entry *e, const struct answer_wish *wish, int64_t now_ms)
{
    return e->why != REASON_OK && (now_ms < e->told_ms + ANSWER_FAILED_MS ||
                                   was_asked_since(e, wish->since_ms));
}

static bool
is_good(const struct entry *e, const struct answer_wish *wish, int64_t now_ms)
{
    bool has = wish->is_keys ? e->keys != NULL : e->says != NULL;

    if (wish->wants_newer) /* what was fetched just before has all there is */
        return has && was_asked_since(e, wish->since_ms - ANSWER_REST_MS) &&
               e->why == REASON_OK;
    return has && (now_ms < e->good_ms || was_asked_since(e, wish->since_ms));
}

static void
give(const struct entry *e, struct arena *arena, struct answered *out)
{
    out->is_here = true;
    if (e->keys != NULL)
        jwks_ref(e->keys);
    out->keys = e->keys;
    out->says = arena_copy(arena, text_of(e->says, e->n_says));
}

/* Who floods one endpoint leaves the others their room. */
static bool
has_room(const struct answers *a, uint64_t of)
{
    size_t n = 0;

    if (a->n_asked >= ANSWERS_ASKED_MAX)
        return false;
    for (const struct list *m = a->asked.next; m != &a->asked; m = m->next)
        n += LIST_OWNER(m, const struct entry, in_asked)->of == of;
    return n < ANSWERS_ASKED_OF_ONE;
}

/* False: too many are. */
static bool
begin_asking(struct answers *a, struct entry *e, const struct answer_wish *wish,
             int64_t now_ms)
{
    if (!wish->is_keys) {
        if (!has_room(a, wish->of))
            return false;
        e->of = wish->of;
        list_add_last(&a->asked, &e->in_asked);
        a->n_asked++;
    }
    e->is_asked = true;
    e->asked_ms = now_ms;
    return true;
}

/* Old keys are good while newer ones are fetched. */
static void
look_good(struct answers *a, struct entry *e, const struct answer_wish *wish,
          int64_t now_ms, struct arena *arena, struct answered *out)
{
    bool is_due = now_ms >= e->fresh_ms && !e->is_asked &&
                  now_ms >= e->asked_ms + ANSWER_REST_MS && e->keys != NULL;

    give(e, arena, out);
    out->must_ask = is_due && begin_asking(a, e, wish, now_ms);
}

static void
look(struct answers *a, const struct answer_wish *wish, int64_t now_ms,
     struct arena *arena, struct answered *out)
{
    struct entry *e = find(a, &wish->key);

    if (e == NULL)
        e = add(a, &wish->key);
    if (is_good(e, wish, now_ms)) {
        look_good(a, e, wish, now_ms, arena, out);
        return;
    }
    if (!e->is_asked && has_failed(e, wish, now_ms)) {
        *out = (struct answered){ .is_here = true, .why = e->why };
        return;
    }
    out->must_ask = !e->is_asked && begin_asking(a, e, wish, now_ms);
    if (e->is_asked)
        e->waiting |= UINT64_C(1) << (wish->worker % 64);
    else
        *out = (struct answered){ .is_here = true, .why = REASON_AS_TIMEOUT };
}

void
answers_look(struct answers *a, const struct answer_wish *wish, int64_t now_ms,
             struct arena *arena, struct answered *out)
{
    *out = (struct answered){ .is_here = false };
    (void)pthread_mutex_lock(&a->lock);
    look(a, wish, now_ms, arena, out);
    (void)pthread_mutex_unlock(&a->lock);
}

/* ---- writing down */

/* One that is asked stays until it was told. */
static struct entry *
begin_telling(struct answers *a, const struct answer_key *key)
{
    struct entry *e;

    (void)pthread_mutex_lock(&a->lock);
    e = find(a, key);
    assert(e != NULL && e->is_asked);
    return e;
}

static uint64_t
end_telling(struct answers *a, struct entry *e, enum reason why, int64_t now_ms)
{
    uint64_t waiting = e->waiting;

    e->waiting = 0;
    e->is_asked = false;
    if (list_is_linked(&e->in_asked)) {
        list_remove(&e->in_asked);
        a->n_asked--;
    }
    e->why = why;
    e->told_ms = now_ms;
    list_remove(&e->in_order);
    list_add_last(&a->order, &e->in_order);
    make_room(a, e);
    (void)pthread_mutex_unlock(&a->lock);
    return waiting;
}

uint64_t
answers_put_keys(struct answers *a, const struct answer_key *key, struct jwks *keys,
                 int64_t now_ms, int64_t lives_ms)
{
    struct entry *e = begin_telling(a, key);

    jwks_ref(keys);
    jwks_unref(e->keys);
    e->keys = keys;
    e->fresh_ms = now_ms + lives_ms;
    e->good_ms = e->fresh_ms + ANSWER_STALE_MS;
    return end_telling(a, e, REASON_OK, now_ms);
}

uint64_t
answers_put_word(struct answers *a, const struct answer_key *key, struct text says,
                 int64_t now_ms, int64_t lives_ms)
{
    struct entry *e = begin_telling(a, key);

    forget_word(a, e);
    e->says = memory_new_raw(says.n + 1);
    memory_copy(e->says, says.at, says.n);
    e->n_says = says.n;
    a->bytes += says.n;
    e->fresh_ms = e->good_ms = now_ms + lives_ms;
    return end_telling(a, e, REASON_OK, now_ms);
}

uint64_t
answers_put_failure(struct answers *a, const struct answer_key *key, enum reason why,
                    int64_t now_ms)
{
    struct entry *e = begin_telling(a, key);

    return end_telling(a, e, why, now_ms);
}

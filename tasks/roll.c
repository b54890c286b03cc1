/* Three tables over the same tasks: by grant and caller, who may ask; by id, who is
 * meant; by the keyed hash of a value, whose handle it is. A request looks into the
 * first, and into the others only when it brings a password or a handle. */
#include "tasks/roll_parts.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ENDED_MAX = 4096 };

struct roll *
roll_new(void)
{
    struct roll *r = memory_new(sizeof *r);

    table_init(&r->uses);
    table_init(&r->ids);
    table_init(&r->handles);
    list_init(&r->ended);
    return r;
}

void
roll_await_pod(struct roll *r, bool awaits)
{
    r->awaits_pod = awaits;
}

/* ---- hashes */

static uint64_t
hash_digest(const unsigned char digest[SHA256_SIZE])
{
    uint64_t front;

    memcpy(&front, digest, sizeof front);
    return front;
}

/* ---- handles */

static struct held *
held_new(struct task *k, const struct task_handle *h)
{
    struct held *one = memory_new(sizeof *one);
    char *value = memory_new_raw(h->value.n);

    memcpy(value, h->value.at, h->value.n);
    one->handle = (struct rolled_handle){ .value = text_of(value, h->value.n),
                                          .task = k,
                                          .credential = memory_copy_z(h->credential) };
    handle_digest(h->value, one->digest);
    return one;
}

static void
held_free(struct held *h)
{
    free((void *)(uintptr_t)h->handle.value.at);
    free((void *)(uintptr_t)h->handle.credential);
    free(h);
}

static void
hold_handles(struct roll *r, struct seat *s)
{
    const struct task_handle *handles;

    s->n_held = task_handles(s->entry.task, &handles);
    s->held = memory_new_array(s->n_held, sizeof(struct held *));
    for (size_t i = 0; i < s->n_held; i++) {
        s->held[i] = held_new(s->entry.task, &handles[i]);
        table_add(&r->handles, &s->held[i]->node, hash_digest(s->held[i]->digest));
        r->lengths[handles[i].value.n]++;
    }
}

static void
forget_oldest(struct roll *r)
{
    struct held *h = LIST_OWNER(r->ended.next, struct held, in_ended);

    table_remove(&r->handles, &h->node);
    r->lengths[h->handle.value.n]--;
    list_remove(&h->in_ended);
    r->n_ended--;
    held_free(h);
}

/* What was in force and is no more is still a tripwire. */
static void
end_handles(struct roll *r, struct seat *s)
{
    for (size_t i = 0; i < s->n_held; i++) {
        struct held *h = s->held[i];

        h->handle.task = NULL;
        h->handle.ended = true;
        list_add_last(&r->ended, &h->in_ended);
        if (++r->n_ended > ENDED_MAX)
            forget_oldest(r);
    }
    free(s->held);
    s->held = NULL;
    s->n_held = 0;
}

const struct rolled_handle *
roll_handle(const struct roll *r, struct text value)
{
    unsigned char digest[SHA256_SIZE];
    const struct table_node *m;

    if (value.n == 0 || value.n > HANDLE_MAX || r->lengths[value.n] == 0)
        return NULL;
    handle_digest(value, digest);
    m = table_first(&r->handles, hash_digest(digest));
    for (; m != NULL; m = table_next(m)) {
        const struct held *h = TABLE_OWNER(m, struct held, node);

        if (text_equals_constant_time(text_of((const char *)h->digest, SHA256_SIZE),
                                      text_of((const char *)digest, SHA256_SIZE)))
            return &h->handle;
    }
    return NULL;
}

bool
roll_has_handles(const struct roll *r)
{
    return r->handles.n > 0;
}

/* ---- coming and going */

struct entry *
roll_begin(struct roll *r, struct task *k)
{
    const char *grant = task_grant(k);
    struct seat *s;

    if (task_cause(k) != TASK_LIVE)
        return NULL;
    assert(roll_seat_of(r, k) == NULL);
    s = memory_new(sizeof *s);
    task_ref(k);
    s->entry = (struct entry){ .task = k, .references = 1 };
    list_init(&s->entry.exchanges);
    list_init(&s->entry.holdings);
    s->roll = r;
    s->who = roll_who_of(task_caller(k));
    r->n_anybodys += s->who == ROLL_ANYBODY;
    table_add(&r->uses, &s->by_use, roll_hash_use(table_hash(text_z(grant)), s->who));
    table_add(&r->ids, &s->by_id, table_hash(task_id(k)));
    hold_handles(r, s);
    return &s->entry;
}

static void
leave_uses(struct roll *r, struct seat *s)
{
    s->entry.ended = true;
    r->n_anybodys -= s->who == ROLL_ANYBODY;
    table_remove(&r->uses, &s->by_use);
}

struct entry *
roll_end(struct roll *r, struct task *k)
{
    struct seat *s = roll_seat_of(r, k);

    if (s == NULL)
        return NULL;
    if (s->entry.ended) {
        entry_ref(&s->entry);
        return &s->entry;
    }
    leave_uses(r, s);
    end_handles(r, s);
    /* The roll's own reference goes to the caller. */
    return &s->entry;
}

void
roll_take_token(struct roll *r, const struct task *k)
{
    struct seat *s = roll_seat_of(r, k);

    if (s == NULL)
        return;
    presenter_free(s->entry.presenter);
    s->entry.presenter = NULL;
}

struct entry *
roll_entry(const struct roll *r, const struct task *k)
{
    struct seat *s = roll_seat_of(r, k);

    return s != NULL ? &s->entry : NULL;
}

void
entry_ref(struct entry *e)
{
    e->references++;
}

void
entry_unref(struct entry *e)
{
    struct seat *s = LIST_OWNER(e, struct seat, entry);

    if (--e->references > 0)
        return;
    if (s->roll != NULL)
        table_remove(&s->roll->ids, &s->by_id);
    presenter_free(e->presenter);
    holdings_clear(&e->holdings);
    task_unref(e->task);
    free(s);
}

struct presenter *
entry_presenter(struct entry *e)
{
    if (e->presenter == NULL)
        e->presenter = presenter_new(task_identity(e->task));
    return e->presenter;
}

/* Off every table: what others hold of it is theirs. */
static void
abandon(struct roll *r, struct seat *s)
{
    table_remove(&r->ids, &s->by_id);
    s->roll = NULL;
    if (s->entry.ended)
        return;
    leave_uses(r, s);
    end_handles(r, s);
    entry_unref(&s->entry);
}

void
roll_free(struct roll *r)
{
    if (r == NULL)
        return;
    while (r->ids.n > 0)
        abandon(r, TABLE_OWNER(table_any(&r->ids), struct seat, by_id));
    while (r->n_ended > 0)
        forget_oldest(r);
    table_clear(&r->uses);
    table_clear(&r->ids);
    table_clear(&r->handles);
    free(r);
}

size_t
roll_count(const struct roll *r)
{
    return r->uses.n;
}

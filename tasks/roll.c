/* Three tables over the same tasks: by grant and caller, who may ask; by id, who is
 * meant; by the keyed hash of a value, whose handle it is. A request looks into the
 * first, and into the others only when it brings a password or a handle. */
#include "tasks/roll.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/table.h"
#include "tasks/handle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ENDED_MAX = 4096 };

/* A handle, with texts of its own: it is remembered when its task has gone. */
struct held {
    struct rolled_handle handle;
    unsigned char digest[SHA256_SIZE];
    struct table_node node;
    struct list in_ended;
};

/* An entry in its places. It keeps the one by id until it is freed. */
struct seat {
    struct entry entry;
    struct roll *roll; /* NULL: it has gone */
    uint64_t who;      /* may use it: a uid, or ANYBODY; more: task_caller */
    struct table_node by_use, by_id;
    struct held **held;
    size_t n_held;
};

struct roll {
    struct table uses, ids, handles;
    size_t n_anybodys; /* of uses */
    struct list ended; /* of held, the oldest first */
    size_t n_ended;
    bool awaits_pod;
    uint32_t lengths[HANDLE_MAX + 1]; /* of values: most texts are of another */
};

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

#define ANYBODY UINT64_MAX

static uint64_t
who_of(const struct conf_caller *caller)
{
    return caller->any || caller->uid < 0 ? ANYBODY : (uint64_t)caller->uid;
}

static uint64_t
hash_use(uint64_t grant, uint64_t who)
{
    uint64_t h = (grant ^ who) * 0x9e3779b97f4a7c15;

    return h ^ h >> 32;
}

static uint64_t
hash_digest(const unsigned char digest[SHA256_SIZE])
{
    uint64_t front;

    memcpy(&front, digest, sizeof front);
    return front;
}

static struct seat *
first_of_id(const struct roll *r, struct text id)
{
    return TABLE_OWNER(table_first(&r->ids, table_hash(id)), struct seat, by_id);
}

static struct seat *
next_of_id(const struct seat *s)
{
    return TABLE_OWNER(table_next(&s->by_id), struct seat, by_id);
}

static struct seat *
seat_of(const struct roll *r, const struct task *k)
{
    struct seat *s = first_of_id(r, task_id(k));

    while (s != NULL && s->entry.task != k)
        s = next_of_id(s);
    return s;
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
    assert(seat_of(r, k) == NULL);
    s = memory_new(sizeof *s);
    task_ref(k);
    s->entry = (struct entry){ .task = k, .references = 1 };
    list_init(&s->entry.exchanges);
    list_init(&s->entry.holdings);
    s->roll = r;
    s->who = who_of(task_caller(k));
    r->n_anybodys += s->who == ANYBODY;
    table_add(&r->uses, &s->by_use, hash_use(table_hash(text_z(grant)), s->who));
    table_add(&r->ids, &s->by_id, table_hash(task_id(k)));
    hold_handles(r, s);
    return &s->entry;
}

static void
leave_uses(struct roll *r, struct seat *s)
{
    s->entry.ended = true;
    r->n_anybodys -= s->who == ANYBODY;
    table_remove(&r->uses, &s->by_use);
}

struct entry *
roll_end(struct roll *r, struct task *k)
{
    struct seat *s = seat_of(r, k);

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
    struct seat *s = seat_of(r, k);

    if (s == NULL)
        return;
    presenter_free(s->entry.presenter);
    s->entry.presenter = NULL;
}

struct entry *
roll_entry(const struct roll *r, const struct task *k)
{
    struct seat *s = seat_of(r, k);

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

/* ---- asking */

/* Counts up to two. */
static unsigned
find_uses(struct roll *r, const char *grant, uint64_t hash, uint64_t who,
          const struct caller *caller, int64_t now_ms, struct entry **out)
{
    struct table_node *m = table_first(&r->uses, hash_use(hash, who));
    unsigned found = 0;

    for (; m != NULL && found < 2; m = table_next(m)) {
        struct seat *s = TABLE_OWNER(m, struct seat, by_use);

        if (s->who == who && strcmp(task_grant(s->entry.task), grant) == 0 &&
            caller_matches(caller, task_caller(s->entry.task)) &&
            task_is_live(s->entry.task, now_ms)) {
            *out = &s->entry;
            found++;
        }
    }
    return found;
}

static enum reason
find_by_caller(struct roll *r, const struct conf_grant *grant,
               const struct caller *caller, int64_t now_ms, struct entry **out)
{
    uint64_t hash = table_hash(text_z(grant->name));
    unsigned found = 0;

    if (caller->has_uid)
        found = find_uses(r, grant->name, hash, caller->uid, caller, now_ms, out);
    if (r->n_anybodys > 0)
        found += find_uses(r, grant->name, hash, ANYBODY, caller, now_ms, out);
    if (found == 1)
        return REASON_OK;
    *out = NULL;
    if (found > 1)
        return REASON_TASK_AMBIGUOUS;
    return grant->task == TASK_POD && r->awaits_pod ? REASON_CLAIM_MISSING
                                                    : REASON_TASK_REQUIRED;
}

enum reason
roll_find(struct roll *r, const struct conf_grant *grant, const struct caller *caller,
          const struct task *proven, int64_t now_ms, struct entry **out)
{
    struct seat *s;

    *out = NULL;
    if (proven == NULL)
        return find_by_caller(r, grant, caller, now_ms, out);
    s = seat_of(r, proven);
    if (s == NULL || s->entry.ended || !task_is_live(proven, now_ms))
        return REASON_TASK_ENDED;
    if (strcmp(task_grant(proven), grant->name) != 0)
        return find_by_caller(r, grant, caller, now_ms, out);
    if (!caller_matches(caller, task_caller(proven)))
        return REASON_CALLER_NOT_ALLOWED;
    *out = &s->entry;
    return REASON_OK;
}

static bool
has_use(const struct roll *r, const struct conf_grant *grant, uint64_t who,
        const struct caller *caller, int64_t now_ms)
{
    uint64_t hash = hash_use(table_hash(text_z(grant->name)), who);

    for (struct table_node *m = table_first(&r->uses, hash); m != NULL;
         m = table_next(m)) {
        const struct task *k = TABLE_OWNER(m, struct seat, by_use)->entry.task;

        if (strcmp(task_grant(k), grant->name) == 0 &&
            caller_may_match(caller, task_caller(k)) && task_is_live(k, now_ms))
            return true;
    }
    return false;
}

/* One who is not known may be whom the grant is for. */
bool
roll_may_use(const struct roll *r, const struct conf_grant *grant,
             const struct caller *caller, int64_t now_ms)
{
    uint64_t who = caller->has_uid ? caller->uid : who_of(&grant->caller);

    return has_use(r, grant, who, caller, now_ms) ||
           (who != ANYBODY && has_use(r, grant, ANYBODY, caller, now_ms));
}

struct task *
roll_prove(const struct roll *r, struct text id, struct text password)
{
    const struct seat *s = first_of_id(r, id);

    while (s != NULL && (s->entry.ended || !text_equals(task_id(s->entry.task), id)))
        s = next_of_id(s);
    if (s == NULL || !text_equals_constant_time(task_password(s->entry.task), password))
        return NULL;
    return s->entry.task;
}

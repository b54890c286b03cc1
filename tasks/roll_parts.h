/* What the files behind roll.h share: roll.c keeps the tables, roll_find.c says who may
 * use what stands in them. */
#ifndef TASKS_ROLL_PARTS_H
#define TASKS_ROLL_PARTS_H

#include "base/digest.h"
#include "base/table.h"
#include "tasks/handle.h"
#include "tasks/roll.h"

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
    uint64_t who;      /* may use it: a uid, or ROLL_ANYBODY; more: task_caller */
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

#define ROLL_ANYBODY UINT64_MAX

static inline uint64_t
roll_who_of(const struct conf_caller *caller)
{
    return caller->any || caller->uid < 0 ? ROLL_ANYBODY : (uint64_t)caller->uid;
}

static inline uint64_t
roll_hash_use(uint64_t grant, uint64_t who)
{
    uint64_t h = (grant ^ who) * 0x9e3779b97f4a7c15;

    return h ^ h >> 32;
}

static inline struct seat *
roll_first_of_id(const struct roll *r, struct text id)
{
    return TABLE_OWNER(table_first(&r->ids, table_hash(id)), struct seat, by_id);
}

static inline struct seat *
roll_next_of_id(const struct seat *s)
{
    return TABLE_OWNER(table_next(&s->by_id), struct seat, by_id);
}

static inline struct seat *
roll_seat_of(const struct roll *r, const struct task *k)
{
    struct seat *s = roll_first_of_id(r, task_id(k));

    while (s != NULL && s->entry.task != k)
        s = roll_next_of_id(s);
    return s;
}

#endif

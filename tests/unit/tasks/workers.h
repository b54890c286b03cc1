/* Two workers as the registry sees them: told by messages, each with a roll of its own,
 * each answering when the test lets it. */
#ifndef TESTS_UNIT_TASKS_WORKERS_H
#define TESTS_UNIT_TASKS_WORKERS_H

#include "stage.h"

#include "tasks/registry.h"
#include "tasks/roll.h"

enum { WORKERS = 2 };

struct mail {
    struct mail *next;
    struct task_change change;
};

struct worker {
    struct roll *roll;
    struct mail *first, **last; /* told, and not done yet */
};

/* What `done` said. */
struct said {
    uint64_t ticket;
    enum task_cause cause;
    char id[TASK_ID_MAX + 1];
};

struct house {
    struct registry *registry;
    struct worker workers[WORKERS];
    struct said *said;
    size_t n_said, room;
    int64_t due_ms; /* as last said; -2: nothing was */
    size_t n_told;
    uint64_t last_ticket;
    int64_t drain_ms; /* of the last change */
};

static inline void
house_tell(void *owner, const struct task_change *c)
{
    struct house *h = owner;

    h->n_told++;
    if (c->ticket > h->last_ticket)
        h->last_ticket = c->ticket;
    h->drain_ms = c->drain_ms;
    for (size_t i = 0; i < WORKERS; i++) {
        struct mail *m = calloc(1, sizeof *m);

        assert_non_null(m);
        m->change = *c;
        if (c->begun != NULL)
            task_ref(c->begun);
        if (c->ended != NULL)
            task_ref(c->ended);
        *h->workers[i].last = m;
        h->workers[i].last = &m->next;
    }
}

static inline void
house_done(void *owner, uint64_t ticket, struct task *k, enum task_cause cause,
           int64_t took_ms)
{
    struct house *h = owner;
    struct said *s;

    assert_true(took_ms >= 0);
    if (h->n_said == h->room) {
        h->room = h->room == 0 ? 64 : 2 * h->room;
        h->said = realloc(h->said, h->room * sizeof *h->said);
        assert_non_null(h->said);
    }
    s = &h->said[h->n_said++];
    *s = (struct said){ .ticket = ticket, .cause = cause };
    memcpy(s->id, task_id(k).at, task_id(k).n);
}

static inline void
house_due(void *owner, int64_t ms)
{
    struct house *h = owner;

    h->due_ms = ms;
}

static inline const struct said *
house_said(const struct house *h, uint64_t ticket)
{
    const struct said *found = NULL;

    for (size_t i = 0; i < h->n_said; i++)
        if (h->said[i].ticket == ticket) {
            assert_null(found); /* told once */
            found = &h->said[i];
        }
    return found;
}

/* The worker does what it was told longest ago; false: it was told nothing. */
static inline bool
worker_obey(struct house *h, size_t worker, uint64_t cut)
{
    struct worker *w = &h->workers[worker];
    struct mail *m = w->first;
    struct entry *e;

    if (m == NULL)
        return false;
    if ((w->first = m->next) == NULL)
        w->last = &w->first;
    if (m->change.ended != NULL && (e = roll_end(w->roll, m->change.ended)) != NULL)
        entry_unref(e);
    if (m->change.lives)
        roll_take_token(w->roll, m->change.begun);
    else if (m->change.begun != NULL)
        (void)roll_begin(w->roll, m->change.begun);
    task_unref(m->change.begun);
    task_unref(m->change.ended);
    registry_obeyed(h->registry, m->change.ticket, cut);
    free(m);
    return true;
}

static inline void
house_settle(struct house *h)
{
    for (size_t i = 0; i < WORKERS; i++)
        while (worker_obey(h, i, 0))
            ;
}

/* Into s->more. */
static inline struct house *
house_new(struct stage *s)
{
    struct house *h = calloc(1, sizeof *h);
    struct registry_needs needs = { .authority = s->authority,
                                    .n_workers = WORKERS,
                                    .tell = house_tell,
                                    .done = house_done,
                                    .due = house_due,
                                    .owner = h };

    assert_non_null(h);
    s->more = h;
    h->registry = registry_new(&needs);
    h->due_ms = -2;
    for (size_t i = 0; i < WORKERS; i++) {
        h->workers[i].roll = roll_new();
        h->workers[i].last = &h->workers[i].first;
    }
    return h;
}

static inline void
house_free(struct house *h)
{
    if (h == NULL)
        return;
    registry_free(h->registry);
    for (size_t i = 0; i < WORKERS; i++) {
        for (struct mail *m = h->workers[i].first, *next; m != NULL; m = next) {
            next = m->next;
            task_unref(m->change.begun);
            task_unref(m->change.ended);
            free(m);
        }
        roll_free(h->workers[i].roll);
    }
    free(h->said);
    free(h);
}

static inline int
house_open(void **state)
{
    int failed = stage_open(state);

    (void)house_new(*state);
    return failed;
}

static inline int
house_close(void **state)
{
    struct stage *s = *state;

    house_free(s->more);
    return stage_close(state);
}

/* `conf` is in force; `before` was. */
static inline void
house_adopt(struct stage *s, const struct conf *conf, const struct conf *before)
{
    struct house *h = s->more;
    struct prepared *p;

    registry_expect(h->registry);
    assert_int_equal(registry_prepare(s->authority, conf, before, &p), REASON_OK);
    registry_adopt(h->registry, conf, p);
}

static inline enum reason
house_try(struct stage *s, const struct conf *conf, const struct conf_grant *g,
          struct task **out, uint64_t *ticket)
{
    struct house *h = s->more;
    struct task_terms terms = { .conf = conf, .grant = g, .purpose = TEXT("export") };

    if (g != NULL)
        terms.caller = g->caller;
    return registry_start(h->registry, &terms, out, ticket);
}

static inline struct task *
house_start(struct stage *s, uint64_t *ticket)
{
    struct task *k;

    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, ticket),
                     REASON_OK);
    return k;
}

#endif

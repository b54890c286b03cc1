#include "proxy/custody.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/awaited.h"
#include "proxy/mint.h"
#include "tasks/record.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

/* What the task before had asked is over by then, or has long been let in. */
enum { RENEWED_MS = 10 * 1000 };

struct custody {
    struct holdfast *h;
    struct registry *registry;
    struct event *due;
    struct generation *adopting; /* while the registry looks what it changes */
    struct awaited awaited;      /* by whoever has revoked */
    bool stopped;
    int64_t drain_ms; /* when stopped */
};

/* ---- what the log is told */

/* What comes and goes of itself, however often, is no news. */
static enum log_level
level_of(const struct task *k, enum task_cause cause)
{
    bool of_itself = cause == TASK_LIVE || cause == TASK_RENEWED ||
                     cause == TASK_STOPPED;

    return of_itself && task_kind(k) == TASK_STANDING ? LOG_DEBUG : LOG_INFO;
}

static void
write_line(const char *what, const struct task *k, enum task_cause cause,
           int64_t took_ms)
{
    struct log_line *l = log_line_begin(level_of(k, cause), what);
    struct task_counts counts;

    if (l == NULL)
        return;
    log_line_text(l, "task", task_id(k));
    log_line_z(l, "grant", task_grant(k));
    log_line_z(l, "purpose", task_purpose(k));
    if (cause != TASK_LIVE) {
        task_counts(k, &counts);
        log_line_z(l, "cause", task_cause_word(cause));
        log_line_number(l, "allowed", (int64_t)counts.allowed);
        log_line_number(l, "refused", (int64_t)counts.refused);
        log_line_number(l, "cut", (int64_t)counts.cut);
    }
    log_line_number(l, "ms", took_ms);
    log_line_end(l);
}

/* ---- what the ledger is told */

/* Tasks begin and end whether that can be recorded or not, but not unseen: what could
 * not be entered is counted. And nothing leaves for one while the ledger has failed. */
static void
enter_record(struct custody *c, const char *kind, struct buf *members)
{
    if (c->h->chronicle.ledger != NULL)
        ledger_enter_own(c->h->chronicle.ledger, kind, buf_text(members));
    buf_free(members);
}

static void
enter_start(struct custody *c, const struct task *k)
{
    struct buf members = { 0 };

    record_task_start(&members, k);
    enter_record(c, "task_start", &members);
}

static void
enter_end(struct custody *c, const struct parting *p, const char *outcome)
{
    struct buf members = { 0 };

    record_task_end(&members, p->task, p->cause, p->took_ms, outcome);
    enter_record(c, "task_end", &members);
}

/* ---- what whoever asked is told */

void
custody_write_started(const struct task *k, struct buf *out)
{
    const struct task_handle *handles;
    size_t n = task_handles(k, &handles);
    int64_t left_ms = task_deadline_ms(k) - clock_monotonic_ms();
    char stamp[25];

    clock_format(clock_wall_ms() + left_ms, stamp);
    json_put_text(out, "id", task_id(k));
    json_put_z(out, "grant", task_grant(k));
    json_put_z(out, "purpose", task_purpose(k));
    json_put_z(out, "deadline", stamp);
    json_put_number(out, "left_ms", left_ms);
    json_put_text(out, "password", task_password(k));
    json_open(out, "handles", '{');
    for (size_t i = 0; i < n; i++)
        json_put_text(out, handles[i].env, handles[i].value);
    json_close(out, '}');
}

static void
write_ended(const struct parting *p, const char *outcome, struct buf *out)
{
    struct task_counts counts;

    task_counts(p->task, &counts);
    json_put_text(out, "id", task_id(p->task));
    json_put_z(out, "cause", task_cause_word(p->cause));
    json_put_number(out, "allowed", (int64_t)counts.allowed);
    json_put_number(out, "refused", (int64_t)counts.refused);
    json_put_number(out, "cut", (int64_t)counts.cut);
    json_put_number(out, "ms", p->took_ms);
    json_put_z(out, "revocation", outcome);
}

/* outcome: of the revocation of what has ended. */
static void
answer(struct custody *c, const struct parting *p, const char *outcome)
{
    struct buf members = { 0 };

    if (c->h->control == NULL)
        return;
    if (p->cause == TASK_LIVE)
        custody_write_started(p->task, &members);
    else
        write_ended(p, outcome, &members);
    control_answer_one(c->h->control, WAIT_TASK, p->ticket, true, buf_text(&members));
    buf_free(&members);
}

/* ---- what the registry needs */

/* What runs when Holdfast stops has the time that Holdfast has; but what an
 * orchestrator began, not beyond what it was given. */
static int64_t
patience(const struct custody *c, const struct task *k)
{
    int64_t left_ms = task_deadline_ms(k) - clock_monotonic_ms();

    if (task_kind(k) != TASK_REQUIRED || left_ms >= c->drain_ms)
        return c->drain_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* What still runs with its tokens may end first: what the next task of the grant has
 * taken over, and what Holdfast's own end lets run. */
static bool
is_spared(const struct task_change *change)
{
    return change->cause == TASK_RENEWED ||
           (change->cause == TASK_STOPPED && change->drain_ms != 0);
}

static void
tell(void *owner, const struct task_change *change)
{
    struct custody *c = owner;
    struct task_change told = *change;

    if (told.begun != NULL && !told.lives)
        enter_start(c, told.begun);
    if (told.cause == TASK_STOPPED && told.ended != NULL)
        told.drain_ms = patience(c, told.ended);
    awaited_tell(&c->awaited, told.ticket);
    for (size_t i = 0; i < c->h->n_workers; i++)
        worker_change_task(c->h->workers[i], &told, c->adopting);
    if (told.begun != NULL && told.ended != NULL) /* `done` will tell of the other */
        write_line("task started", told.begun, TASK_LIVE, 0);
    if (told.ended != NULL && !is_spared(&told))
        mint_end(c->h->mint, told.ended, 0);
}

static void
answer_revoked(void *owner, uint64_t number)
{
    struct custody *c = owner;

    if (c->h->control != NULL)
        control_answer_one(c->h->control, WAIT_REVOKED, number, true, text_of("", 0));
}

static void
done(void *owner, uint64_t ticket, struct task *task, enum task_cause cause,
     int64_t took_ms)
{
    const struct parting p = { ticket, task, cause, took_ms };
    struct custody *c = owner;

    write_line(cause == TASK_LIVE ? "task started" : "task ended", task, cause,
               took_ms);
    if (cause == TASK_LIVE) {
        answer(c, &p, NULL);
        awaited_done(&c->awaited, ticket, answer_revoked, c);
        return;
    }
    mint_end(c->h->mint, task, cause == TASK_RENEWED ? RENEWED_MS : 0);
    mint_part(c->h->mint, task);
    revocation_part(c->h->revocation, &p);
}

void
custody_part(void *owner, const struct parting *p, const char *outcome)
{
    struct custody *c = ((struct holdfast *)owner)->custody;

    enter_end(c, p, outcome);
    answer(c, p, outcome);
    awaited_done(&c->awaited, p->ticket, answer_revoked, c);
}

void
custody_hear_late(void *owner, const struct task *k, const char *outcome)
{
    struct buf members = { 0 };

    record_revocation(&members, k, outcome);
    enter_record(((struct holdfast *)owner)->custody, "revocation", &members);
}

static void
set_due(void *owner, int64_t ms)
{
    struct custody *c = owner;
    struct timeval in = { ms / 1000, ms % 1000 * 1000 };

    if (ms < 0 || c->stopped)
        event_del(c->due);
    else
        event_add(c->due, &in);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
    struct custody *c = arg;

    (void)fd;
    (void)what;
    registry_on_due(c->registry);
}

/* ---- life */

struct custody *
custody_new(struct holdfast *h)
{
    struct custody *c;
    struct registry_needs needs = { .authority = h->authority,
                                    .n_workers = h->n_workers,
                                    .tell = tell,
                                    .done = done,
                                    .due = set_due };

    if (h->authority == NULL)
        return NULL;
    c = memory_new(sizeof *c);
    needs.owner = c;
    c->h = h;
    awaited_init(&c->awaited);
    c->due = event_new(h->base, -1, 0, on_due, c);
    assert(c->due != NULL);
    c->registry = registry_new(&needs);
    return c;
}

void
custody_free(struct custody *c)
{
    if (c == NULL)
        return;
    registry_free(c->registry);
    awaited_clear(&c->awaited);
    event_free(c->due);
    free(c);
}

void
custody_adopt(struct custody *c, struct prepared *tasks)
{
    if (c == NULL || c->stopped) {
        prepared_free(tasks);
        return;
    }
    c->adopting = c->h->generation;
    registry_adopt(c->registry, generation_conf(c->h->generation), tasks);
    c->adopting = NULL;
}

void
custody_name_pod(struct custody *c, struct text uid)
{
    if (c != NULL && !c->stopped)
        registry_name_pod(c->registry, uid);
}

void
custody_expect(struct custody *c)
{
    if (c != NULL)
        registry_expect(c->registry);
}

void
custody_hear(struct custody *c, const struct message *m)
{
    if (m->kind == MESSAGE_OBEYED) {
        registry_obeyed(c->registry, m->ticket, m->n_cut);
        return;
    }
    registry_spent(c->registry, m->task.ended);
    task_unref(m->task.ended);
}

struct ids {
    struct text *at;
    size_t n;
};

static bool
take_id(void *owner, const struct task *k)
{
    struct ids *ids = owner;

    ids->at[ids->n++] = task_id(k);
    return true;
}

void
custody_stop(struct custody *c, int64_t drain_ms)
{
    struct ids ids = { 0 };

    if (c == NULL || c->stopped)
        return;
    c->stopped = true;
    c->drain_ms = drain_ms;
    event_del(c->due);
    ids.at = memory_new_array(registry_count(c->registry) + 1, sizeof *ids.at);
    registry_walk(c->registry, take_id, &ids);
    for (size_t i = 0; i < ids.n; i++)
        (void)registry_end(c->registry, ids.at[i], TASK_STOPPED, NULL);
    free(ids.at);
}

void
custody_conclude(struct custody *c)
{
    if (c != NULL)
        registry_conclude(c->registry);
}

size_t
custody_revoke(struct custody *c, const char *grant, const uid_t *by, uint64_t *number)
{
    uint64_t last;
    size_t n;

    *number = 0;
    if (c == NULL)
        return 0;
    awaited_begin(&c->awaited);
    n = registry_revoke(c->registry, grant, by, &last);
    *number = awaited_end(&c->awaited);
    return n;
}

struct registry *
custody_registry(const struct custody *c)
{
    return c != NULL ? c->registry : NULL;
}

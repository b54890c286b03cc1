#include "proxy/ending.h"

#include "base/clock.h"
#include "base/memory.h"
#include "proxy/mailbox.h"
#include "tasks/narrow.h"

#include <stdlib.h>
#include <string.h>

/* One that is not obeyed yet: some exchanges may run on for a while. */
struct ending {
    struct list member;
    struct worker *worker;
    struct entry *entry; /* a reference */
    uint64_t ticket, n_cut;
    struct alarm alarm;
};

/* ---- an exchange and its task */

enum reason
ending_join(struct exchange *x)
{
    struct entry *e = x->view.entry;
    enum reason why;

    if (e == NULL)
        return REASON_OK;
    entry_ref(e);
    list_add_last(&e->exchanges, &x->of_task);
    x->entry = e;
    x->view.task = arena_copy(x->arena, task_id(e->task));
    x->conn->served = e->task;
    why = task_spend(e->task);
    x->spent = why == REASON_OK;
    task_count(e->task, why == REASON_OK);
    return why;
}

void
ending_attribute(struct exchange *x)
{
    struct task *k = x->view.proven;

    if (k == NULL || x->entry != NULL)
        return;
    x->view.task = arena_copy(x->arena, task_id(k));
    task_count(k, false);
}

/* Main may have ended it, or its time may have passed, before the message is here. What
 * was judged before Holdfast began to stop is served like what runs then. */
enum reason
ending_allow(const struct exchange *x)
{
    int64_t now_ms = clock_monotonic_ms();
    const struct task *k;
    bool may_end_it;

    if (x->entry == NULL)
        return REASON_OK;
    k = x->entry->task;
    may_end_it = task_cause(k) == TASK_STOPPED && now_ms < task_deadline_ms(k);
    return task_is_live(k, now_ms) || may_end_it ? REASON_OK : REASON_TASK_ENDED;
}

/* One whose task was taken over rides on what the task before has dialled. */
bool
ending_may_keep(const struct exchange *x)
{
    return x->entry == NULL ||
           (!x->entry->ended &&
            upstream_key_is_of(&x->up->key, task_id(x->entry->task)));
}

static void
tell_obeyed(struct worker *w, uint64_t ticket, uint64_t n_cut)
{
    mailbox_post(w->start.to_main, &(struct message){ .kind = MESSAGE_OBEYED,
                                                      .worker = w->start.index,
                                                      .ticket = ticket,
                                                      .n_cut = n_cut });
}

static void
tell_spent(struct worker *w, struct task *k)
{
    task_ref(k);
    mailbox_post(w->start.to_main,
                 &(struct message){ .kind = MESSAGE_SPENT,
                                    .worker = w->start.index,
                                    .task = { .ended = k, .cause = TASK_SPENT } });
}

static void
conclude(struct ending *g)
{
    list_remove(&g->member);
    alarm_clear(&g->alarm);
    entry_unref(g->entry);
    tell_obeyed(g->worker, g->ticket, g->n_cut);
    free(g);
}

static struct ending *
find(const struct worker *w, const struct entry *e)
{
    for (struct list *m = w->endings.next; m != &w->endings; m = m->next) {
        struct ending *g = LIST_OWNER(m, struct ending, member);

        if (g->entry == e)
            return g;
    }
    return NULL;
}

void
ending_leave(struct exchange *x)
{
    struct entry *e = x->entry;
    struct ending *g = NULL;

    if (e == NULL)
        return;
    x->entry = NULL;
    list_remove(&x->of_task);
    if (x->spent && task_settle(e->task) && !e->ended)
        tell_spent(x->worker, e->task);
    if (e->ended && list_is_empty(&e->exchanges))
        g = find(x->worker, e);
    if (g != NULL)
        conclude(g);
    entry_unref(e);
}

/* ---- the end */

static bool
has_started(const struct exchange *x)
{
    return x->step == STEP_RELAY;
}

/* What has not been sent will not be. What runs is cut, or runs on. */
static bool
may_run_on(const struct exchange *x, const struct task_change *c)
{
    if (c->drain_ms == 0)
        return false;
    return has_started(x) || c->cause == TASK_STOPPED;
}

static uint64_t
cut(struct entry *e, const struct task_change *c)
{
    uint64_t n = 0;

    for (struct list *m = e->exchanges.next, *next; m != &e->exchanges; m = next) {
        struct exchange *x = LIST_OWNER(m, struct exchange, of_task);

        next = m->next;
        if (may_run_on(x, c)) {
            if (x->up != NULL)
                upstream_forget_task(x->up);
            continue;
        }
        exchange_refuse(x, REASON_TASK_ENDED);
        n++;
    }
    return n;
}

/* Its pooled connections, and what TLS remembers of them. */
static void
drop_upstreams(struct worker *w, const struct task *k)
{
    for (struct list *m = w->epochs.next; m != &w->epochs; m = m->next) {
        struct epoch *e = LIST_OWNER(m, struct epoch, older);

        pool_drop_task(e->pool, task_id(k));
        sessions_drop_task(e->sessions, task_id(k));
    }
}

static void
end_conns(struct worker *w, const struct task *k, bool now)
{
    for (struct list *m = w->conns.next, *next; m != &w->conns; m = next) {
        next = m->next;
        conn_end_task(LIST_OWNER(m, struct conn, member), k, now);
    }
}

/* Whatever still runs has signed already, or will be cut by Holdfast's own end. */
static void
drop_means(struct entry *e, enum task_cause cause)
{
    if (cause == TASK_STOPPED && !list_is_empty(&e->exchanges))
        return;
    presenter_free(e->presenter);
    e->presenter = NULL;
    holdings_clear(&e->holdings);
}

/* The last of them concludes it. */
static void
on_drained(void *owner)
{
    struct ending *g = owner;
    struct entry *e = g->entry;

    for (size_t n = list_count(&e->exchanges); n > 0; n--) {
        g->n_cut++;
        exchange_refuse(LIST_OWNER(e->exchanges.next, struct exchange, of_task),
                        REASON_TASK_ENDED);
    }
}

static void
let_run_on(struct worker *w, struct entry *e, const struct task_change *c,
           uint64_t n_cut)
{
    struct ending *g = memory_new(sizeof *g);

    g->worker = w;
    g->entry = e;
    g->ticket = c->ticket;
    g->n_cut = n_cut;
    g->alarm = (struct alarm){ .on_due = on_drained, .owner = g };
    list_add_last(&w->endings, &g->member);
    if (c->drain_ms > 0) /* less: as long as they take */
        alarm_set(w->loop, &g->alarm, c->drain_ms);
}

/* It was told before, with more patience. Each telling is answered. */
static void
hurry(struct worker *w, struct ending *g, const struct task_change *c)
{
    if (c->drain_ms == 0) {
        on_drained(g);
        end_conns(w, c->ended, true);
    }
    tell_obeyed(w, c->ticket, 0);
}

static void
end(struct worker *w, const struct task_change *c)
{
    struct entry *e = roll_end(w->roll, c->ended);
    struct ending *g;
    uint64_t n_cut;

    if (e == NULL) { /* it never came here */
        tell_obeyed(w, c->ticket, 0);
        return;
    }
    if ((g = find(w, e)) != NULL) {
        hurry(w, g, c);
        entry_unref(e);
        return;
    }
    n_cut = cut(e, c);
    end_conns(w, c->ended, c->drain_ms == 0);
    drop_upstreams(w, c->ended);
    drop_means(e, c->cause);
    if (!list_is_empty(&e->exchanges)) {
        let_run_on(w, e, c, n_cut);
        return;
    }
    entry_unref(e);
    tell_obeyed(w, c->ticket, n_cut);
}

/* ---- a task takes another's place */

/* It is the next one's from now on, and ends with it. What is on its way has the old
 * token, which is good for a while. */
static void
pass_on(struct exchange *x, struct entry *to)
{
    struct entry *from = x->entry;

    list_remove(&x->of_task);
    list_add_last(&to->exchanges, &x->of_task);
    entry_ref(to);
    x->entry = x->view.entry = to;
    if (!has_started(x))
        x->view.task = arena_copy(x->arena, task_id(to->task));
    if (x->up != NULL)
        upstream_forget_task(x->up);
    obtain_leave(x);
    if (x->step == STEP_OBTAIN) /* the next one's */
        exchange_wake(x);
    entry_unref(from);
}

static bool
is_for_the_same(const struct task *a, const struct task *b)
{
    return task_kind(a) == task_kind(b) &&
           strcmp(task_purpose(a), task_purpose(b)) == 0 &&
           strcmp(task_owner(a), task_owner(b)) == 0;
}

/* A reload has narrowed the grant, but would allow this one all the same. */
static bool
is_granted_still(const struct exchange *x, struct generation *next)
{
    const struct view *v = &x->view;
    const struct ask ask = { .caller = v->caller,
                             .target = &v->target,
                             .scheme = v->scheme,
                             .method = v->request->method,
                             .path = v->path,
                             .opaque = v->opaque,
                             .now_s = clock_wall_s() };
    struct decision d;

    return next != NULL &&
           grants_judge(chain_grants(generation_chain(next)), &ask, &d) == REASON_OK &&
           strcmp(d.grant->name, v->grant->name) == 0 &&
           rules_treat_alike(d.rule, v->rule);
}

static uint64_t
pass_all(struct entry *from, struct entry *to, const struct task_change *c,
         struct generation *next)
{
    bool same = is_for_the_same(from->task, to->task);
    uint64_t n_cut = 0;

    while (!list_is_empty(&from->exchanges)) {
        struct exchange *x = LIST_OWNER(from->exchanges.next, struct exchange, of_task);

        if (c->cause == TASK_RENEWED || (same && is_granted_still(x, next))) {
            pass_on(x, to);
        } else {
            exchange_refuse(x, REASON_TASK_ENDED);
            n_cut++;
        }
    }
    return n_cut;
}

static void
replace(struct worker *w, const struct task_change *c, struct entry *begun,
        struct generation *next)
{
    struct entry *old = roll_end(w->roll, c->ended);
    uint64_t n_cut = 0;

    if (old != NULL) {
        n_cut = pass_all(old, begun, c, next);
        entry_unref(old);
    }
    for (struct list *m = w->conns.next; m != &w->conns; m = m->next)
        conn_pass_task(LIST_OWNER(m, struct conn, member), c->ended, begun->task);
    drop_upstreams(w, c->ended);
    tell_obeyed(w, c->ticket, n_cut);
}

static void
take_token(struct worker *w, const struct task_change *c)
{
    roll_take_token(w->roll, c->begun);
    tell_obeyed(w, c->ticket, 0);
}

/* Of two, the next one may have ended meanwhile, and what is told of that is on its
 * way: what it would have taken over ends with it. */
void
ending_obey(struct worker *w, const struct task_change *c, struct generation *next)
{
    struct task_change now = *c;
    struct entry *begun = NULL;

    if (c->begun != NULL && !c->lives)
        begun = roll_begin(w->roll, c->begun);
    if (c->begun != NULL && begun == NULL)
        now.drain_ms = 0;
    if (c->lives)
        take_token(w, c);
    else if (c->ended == NULL)
        tell_obeyed(w, c->ticket, 0);
    else if (begun != NULL)
        replace(w, c, begun, next);
    else
        end(w, &now);
    task_unref(c->begun);
    task_unref(c->ended);
    generation_unref(next);
}

void
ending_forget_all(struct worker *w)
{
    while (!list_is_empty(&w->endings)) {
        struct ending *g = LIST_OWNER(w->endings.next, struct ending, member);

        list_remove(&g->member);
        alarm_clear(&g->alarm);
        entry_unref(g->entry);
        free(g);
    }
}

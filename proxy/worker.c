#include "proxy/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/doorbell.h"
#include "proxy/conn.h"
#include "proxy/descriptors.h"
#include "proxy/ending.h"
#include "proxy/exchange.h"
#include "proxy/heart.h"
#include "proxy/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_AT_ONCE = 32, ACCEPT_PAUSE_MS = 200 };

/* A listener on this worker's loop. */
struct door {
    struct worker *worker;
    size_t index;
    struct event *event;
    struct alarm pause; /* out of descriptors: rest, rather than spin */
};

struct thread {
    pthread_t id;
    struct worker worker;
};

static const struct conf_limits *
limits(const struct worker *w)
{
    return &generation_conf(w->now->generation)->limits;
}

/* ---- doors */

bool
worker_has_room(const struct worker *w)
{
    return !w->draining && w->n_conns < (size_t)limits(w)->connections;
}

static void
turn_away(const struct door *d, int fd)
{
    struct buf out = { 0 };
    ssize_t put;

    tally_add(&d->worker->metrics->turned_away, 1);
    if (generation_door(d->worker->now->generation, d->index)->kind == DOOR_FORWARD) {
        refusal_bare(REASON_TOO_MANY_CONNECTIONS, &out);
        put = send(fd, buf_text(&out).at, buf_length(&out),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)put;
    }
    buf_free(&out);
    close(fd);
}

static void
rest(struct door *d)
{
    event_del(d->event);
    alarm_set(d->worker->loop, &d->pause, ACCEPT_PAUSE_MS);
    log_warn("a door rests: %s", strerror(errno));
}

static void
on_rested(void *owner)
{
    struct door *d = owner;

    if (!d->worker->draining)
        event_add(d->event, NULL);
}

static void
on_door(evutil_socket_t listener, short what, void *arg)
{
    struct door *d = arg;
    struct sockaddr_storage peer;
    socklen_t n;
    int fd;

    (void)what;
    for (size_t i = 0; i < ACCEPT_AT_ONCE; i++) {
        n = sizeof peer;
        fd = accept4(listener, (struct sockaddr *)&peer, &n,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 &&
            (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            rest(d);
        if (fd < 0)
            return;
        if (worker_has_room(d->worker) && descriptors_allow_client(fd))
            conn_accept(d->worker, d->index, fd, (struct sockaddr *)&peer);
        else
            turn_away(d, fd);
    }
}

static bool
is_ops(const struct worker *w, size_t door)
{
    return generation_door(w->now->generation, door)->kind == DOOR_OPS;
}

static void
open_doors(struct worker *w)
{
    for (size_t i = 0; i < w->start.n_doors; i++) {
        struct door *d = &w->doors[i];

        if (w->start.doors[i].fd < 0 || is_ops(w, i)) /* those are main's */
            continue;
        d->worker = w;
        d->index = i;
        d->pause = (struct alarm){ .on_due = on_rested, .owner = d };
        d->event = event_new(loop_base(w->loop), w->start.doors[i].fd,
                             EV_READ | EV_PERSIST, on_door, d);
        assert(d->event != NULL);
        event_add(d->event, NULL);
    }
}

/* The kernel takes no connection for us either: a client hears at once that nobody is
 * here. The port stays ours meanwhile: one that may be reused and is not listened on
 * would be anybody's. */
static void
shut_doors(struct worker *w)
{
    int no = 0;

    for (size_t i = 0; i < w->start.n_doors; i++) {
        if (w->doors[i].event == NULL)
            continue;
        alarm_clear(&w->doors[i].pause);
        event_del(w->doors[i].event);
        (void)setsockopt(w->start.doors[i].fd, SOL_SOCKET, SO_REUSEADDR, &no,
                         sizeof no);
        (void)shutdown(w->start.doors[i].fd, SHUT_RDWR);
    }
}

static bool
is_any(const struct address *a)
{
    static const unsigned char none[16];

    return memcmp(a->bytes, none, a->family == AF_INET ? 4 : 16) == 0;
}

/* One on a single address is found by that address. */
bool
worker_has_port(const struct worker *w, uint16_t port)
{
    for (size_t i = 0; i < w->start.n_doors; i++)
        if (w->start.doors[i].port == port && is_any(&w->start.doors[i].address))
            return true;
    return false;
}

/* A door on every address is taken to be behind any special one: what it would shut out
 * besides is not public anyway. */
bool
worker_is_own_door(const struct worker *w, const struct address *address, uint16_t port)
{
    for (size_t i = 0; i < w->start.n_doors; i++) {
        const struct bound_door *d = &w->start.doors[i];

        if (d->port != port)
            continue;
        if (address_equals(&d->address, address))
            return true;
        if (is_any(&d->address) && address_denied(address) != NULL)
            return true;
    }
    return false;
}

/* ---- the rate of refusals inside TLS */

bool
worker_may_refuse_inside(struct worker *w, const struct caller *caller)
{
    uint32_t uid = caller->has_uid ? caller->uid : UINT32_MAX;
    struct rate *rates = w->start.shared->refusals;
    size_t n = sizeof w->start.shared->refusals / sizeof *rates;

    return rate_take(&rates[(uid * 2654435761u) % n], limits(w)->refusal_leaf_rate,
                     clock_monotonic_ms());
}

/* ---- the end */

static void
end_if_idle(struct worker *w)
{
    if (w->draining && w->n_conns == 0)
        loop_stop(w->loop);
}

void
worker_conn_gone(struct worker *w)
{
    tally_set(&w->metrics->connections, --w->n_conns);
    end_if_idle(w);
}

static void
cut_all(struct worker *w)
{
    w->draining = true;
    while (!list_is_empty(&w->conns))
        conn_cut(LIST_OWNER(w->conns.next, struct conn, member));
    end_if_idle(w);
}

static void
on_drained(void *owner)
{
    cut_all(owner);
}

static void
tell_draining(const struct worker *w)
{
    struct log_line *l = log_line_begin(LOG_INFO, "draining");

    log_line_number(l, "worker", (int64_t)w->start.index);
    log_line_number(l, "connections", (int64_t)w->n_conns);
    log_line_end(l);
}

static void
drain(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    shut_doors(w);
    tell_draining(w);
    for (struct list *m = w->conns.next; m != &w->conns; m = m->next)
        conn_drain(LIST_OWNER(m, struct conn, member));
    alarm_set(w->loop, &w->drain_alarm, limits(w)->drain_ms);
    end_if_idle(w);
}

/* ---- messages */

/* What should go back to where it was when nobody asks for anything. */
static void
dump_kept(const struct worker *w, struct log_line *l)
{
    size_t exchanges = 0, idle = 0;

    for (struct list *m = w->epochs.next; m != &w->epochs; m = m->next) {
        const struct epoch *e = LIST_OWNER(m, struct epoch, older);

        exchanges += list_count(&e->exchanges);
        idle += pool_count(e->pool);
    }
    log_line_number(l, "exchanges", (int64_t)exchanges);
    log_line_number(l, "idle_upstreams", (int64_t)idle);
    log_line_number(l, "generations", (int64_t)list_count(&w->epochs));
    log_line_number(l, "alarms", (int64_t)loop_count_alarms(w->loop));
    log_line_number(l, "woken", (int64_t)loop_count_woken(w->loop));
}

static void
dump(struct worker *w)
{
    struct log_line *l = log_line_begin(LOG_INFO, "state");

    log_line_number(l, "worker", (int64_t)w->start.index);
    log_line_number(l, "generation", (int64_t)generation_number(w->now->generation));
    log_line_number(l, "connections", (int64_t)w->n_conns);
    log_line_number(l, "handshakes", (int64_t)w->n_handshakes);
    log_line_number(l, "served", (int64_t)w->served);
    log_line_number(l, "refused", (int64_t)w->refused);
    dump_kept(w, l);
    if (w->leaves != NULL)
        log_line_number(l, "leaves", (int64_t)leaf_cache_count(w->leaves));
    log_line_number(l, "lag_ms", loop_lag_ms(w->loop));
    log_line_end(l);
}

static void
tell_main(struct worker *w, enum message_kind kind)
{
    mailbox_post(w->start.to_main,
                 &(struct message){ .kind = kind, .worker = w->start.index });
}

static void
on_message(void *owner, const struct message *m)
{
    struct worker *w = owner;

    switch (m->kind) {
    case MESSAGE_ADOPT:
        epoch_adopt(w, m->generation, m->vault);
        tell_main(w, MESSAGE_ADOPTED);
        break;
    case MESSAGE_SECRETS:
        epoch_keep(w, m->generation, m->vault);
        break;
    case MESSAGE_TASK:
        ending_obey(w, &m->task, m->generation);
        break;
    case MESSAGE_OPEN:
        if (!w->draining)
            open_doors(w);
        break;
    case MESSAGE_DRAIN:
        drain(w);
        break;
    case MESSAGE_STOP:
        if (!w->draining)
            shut_doors(w);
        cut_all(w);
        break;
    case MESSAGE_DUMP:
        dump(w);
        break;
    case MESSAGE_WRITTEN:
        enter_hear(w);
        break;
    case MESSAGE_ADOPTED:
    case MESSAGE_OBEYED:
    case MESSAGE_SPENT:
    case MESSAGE_ENDED:
    default:
        assert(m->kind < MESSAGE_ADOPTED); /* the others are for main */
    }
}

void
worker_adopt(struct worker *w, struct generation *g, struct vault *secrets)
{
    mailbox_post(
        w->mailbox,
        &(struct message){ .kind = MESSAGE_ADOPT, .generation = g, .vault = secrets });
}

void
worker_keep(struct worker *w, struct generation *g, struct vault *secrets)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_SECRETS,
                                                .generation = g,
                                                .vault = secrets });
}

void
worker_open(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_OPEN });
}

void
worker_change_task(struct worker *w, const struct task_change *change,
                   struct generation *next)
{
    if (next != NULL)
        generation_ref(next);
    if (change->begun != NULL)
        task_ref(change->begun);
    if (change->ended != NULL)
        task_ref(change->ended);
    mailbox_post(
        w->mailbox,
        &(struct message){ .kind = MESSAGE_TASK, .task = *change, .generation = next });
}

void
worker_drain(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_DRAIN });
}

void
worker_stop(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_STOP });
}

void
worker_dump(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_DUMP });
}

/* ---- life */

static void
dismantle(struct worker *w)
{
    for (size_t i = 0; w->doors != NULL && i < w->start.n_doors; i++)
        if (w->doors[i].event != NULL)
            event_free(w->doors[i].event);
    free(w->doors);
    ending_forget_all(w);
    roll_free(w->roll);
    epoch_unref(w->now);
    if (w->start.bell != NULL)
        doorbell_tie(w->start.bell, NULL);
    mailbox_free(w->mailbox);
    leaf_cache_free(w->leaves);
    leaf_cache_free(w->refusal_leaves);
    caller_lookup_free(w->callers);
    spool_free(&w->testimony);
    alarm_clear(&w->drain_alarm);
    heart_free(w->heart);
    metrics_free(w->metrics);
    loop_free(w->loop);
}

/* Leaves and tasks are for the forward side alone. */
static enum reason
equip(struct worker *w)
{
    const struct conf_limits *l = &generation_conf(w->start.generation)->limits;

    generation_ref(w->start.generation);
    if (w->start.vault != NULL)
        vault_ref(w->start.vault);
    w->now = epoch_new(w, w->start.generation, w->start.vault);
    w->callers = caller_lookup_new();
    if (w->start.ca != NULL) {
        w->leaves = leaf_cache_new(w->start.ca, (size_t)l->leaves);
        w->refusal_leaves = leaf_cache_new(w->start.ca, (size_t)l->refusal_leaves);
        if (w->leaves == NULL || w->refusal_leaves == NULL)
            return REASON_MINT_LEAF;
    }
    if (w->start.authority != NULL)
        w->roll = roll_new();
    return resolver_is_ready(w->now->resolver) ? REASON_OK : REASON_CONFIG;
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    loop_run(w->loop);
    heart_free(w->heart);
    w->heart = NULL;
    tell_main(w, MESSAGE_ENDED);
    return NULL;
}

enum reason
worker_start(const struct worker_start *start, struct worker **out)
{
    struct thread *t = calloc(1, sizeof *t);
    struct worker *w = &t->worker;
    enum reason why;

    assert(t != NULL);
    *out = NULL;
    w->start = *start;
    w->next_conn = start->index;
    w->loop = loop_new();
    w->metrics = metrics_new();
    loop_measure(w->loop, &w->metrics->lag);
    list_init(&w->epochs);
    list_init(&w->conns);
    list_init(&w->awaiting);
    list_init(&w->handshakes);
    list_init(&w->endings);
    w->doors = memory_new_array(start->n_doors + 1, sizeof *w->doors);
    w->drain_alarm = (struct alarm){ .on_due = on_drained, .owner = w };
    w->mailbox = mailbox_new(loop_base(w->loop), on_message, w);
    if (start->bell != NULL)
        doorbell_tie(start->bell, w->mailbox);
    if ((why = equip(w)) == REASON_OK) {
        w->heart = heart_new(w);
        if (pthread_create(&t->id, NULL, work, w) != 0)
            why = log_reason(REASON_INTERNAL, "the worker's thread cannot be started");
    }
    if (why == REASON_OK) {
        *out = w;
        return REASON_OK;
    }
    dismantle(w);
    free(t);
    return why;
}

const struct metrics *
worker_metrics(const struct worker *w)
{
    return w->metrics;
}

void
worker_join(struct worker *w)
{
    struct thread *t = LIST_OWNER(w, struct thread, worker);

    pthread_join(t->id, NULL);
    dismantle(w);
    free(t);
}

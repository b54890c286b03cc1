#include "proxy/conn_parts.h"

#include "base/log.h"
#include "tasks/cgroup.h"
#include "proxy/doors.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINGER_MS = 2000, LINGER_BYTES = 1024 * 1024 };

/* ---- the last of it */

void
conn_free(struct conn *c)
{
    struct worker *w = c->worker;

    assert(list_is_empty(&c->exchanges));
    wake_cancel(&c->wake);
    alarm_clear(&c->alarm);
    alarm_clear(&c->unread);
    wire_free(c->wire);
    link_close(&c->link);
    list_remove(&c->member);
    conn_leave_handshakes(c);
    free(c->target);
    free(c->orig);
    conn_forget_client(c);
    conn_stop_asking(c);
    cgroup_unref(c->caller.cgroup);
    free(c->who);
    task_unref(c->proven);
    free(c);
    worker_conn_gone(w);
}

void
conn_log_end(const struct conn *c, enum reason why)
{
    struct log_line *l = log_line_begin(LOG_INFO, "connection");
    struct authority target;
    char id[24], to[AUTHORITY_PRINT_SIZE];

    tally_add(&c->worker->metrics->ended[why], 1);
    enter_connection(c, why);
    if (l == NULL)
        return;
    snprintf(id, sizeof id, "%" PRIx64, c->id);
    log_line_z(l, "x", id);
    if (c->caller.has_uid)
        log_line_number(l, "uid", c->caller.uid);
    if (c->who != NULL)
        log_line_z(l, "who", c->who);
    log_line_z(l, "door", door_kind_word(conn_door(c)));
    if (c->target != NULL) {
        authority_recall(c->target, &target);
        log_line_text(l, "to", authority_print(&target, 0, to));
    }
    log_line_z(l, "orig", c->orig);
    log_line_z(l, "reason", reason_token(why));
    log_line_end(l);
}

void
conn_fail_handshake(const struct conn *c, enum reason why)
{
    metrics_handshake(c->worker->metrics, SIDE_CLIENT, false, false);
    conn_log_end(c, why);
}

/* ---- lingering */

void
conn_linger(struct conn *c)
{
    c->step = CONN_LINGER;
    alarm_clear(&c->unread);
    wire_free(c->wire);
    c->wire = NULL;
    conn_set_alarm(c, conn_limits(c)->stream_idle_ms);
    conn_ring(c);
}

static void
say_goodbye(struct conn *c)
{
    if (c->link.write_shut || buf_length(&c->link.out) > 0)
        return;
    link_shut_write(&c->link);
    conn_set_alarm(c, LINGER_MS);
}

bool
conn_stay(struct conn *c)
{
    size_t waiting = buf_length(&c->link.in);

    buf_drop(&c->link.in, waiting);
    c->lingered += waiting;
    link_move(&c->link);
    if (c->link.sent != c->sent_seen && !c->link.write_shut) {
        c->sent_seen = c->link.sent;
        conn_set_alarm(c, conn_limits(c)->stream_idle_ms);
    }
    say_goodbye(c);
    return c->link.state != LINK_DEAD && !(c->link.read_ended && c->link.write_shut) &&
           c->lingered <= LINGER_BYTES;
}

bool
conn_leave(struct conn *c)
{
    if (c->link.state == LINK_DEAD || buf_length(&c->link.out) == 0)
        return false;
    conn_linger(c);
    return true;
}

/* ---- from outside */

void
conn_abort_exchanges(struct conn *c, enum reason why)
{
    while (!list_is_empty(&c->exchanges))
        exchange_abort(conn_first_exchange(c), why);
}

void
conn_cut(struct conn *c)
{
    conn_abort_exchanges(c,
                         REASON_DRAINING); /* ends in conn_exchange_over, which rings */
    link_abort(&c->link);
    conn_free(c);
}

/* Of many, each stream ends by itself; what is still to come of its request is wanted.
 */
void
conn_drain(struct conn *c)
{
    if (conn_is_shared(c)) {
        wire_drain(c->wire);
        if (c->step != CONN_LINGER)
            conn_ring(c);
        return;
    }
    if (c->step != CONN_LINGER && list_is_empty(&c->exchanges))
        conn_ring(c);
    for (struct list *m = c->exchanges.next; m != &c->exchanges; m = m->next) {
        struct exchange *x = LIST_OWNER(m, struct exchange, of_conn);

        if (!x->responding)
            stream_close_after(x->down);
    }
}

/* ---- with its task */

/* Nothing is running here. What the client has not read yet is part of an answer to the
 * task that ended. */
static void
end_idle(struct conn *c, bool now)
{
    bool whole = c->link.state == LINK_DEAD || buf_length(&c->link.out) == 0;

    if (c->step == CONN_LINGER && (whole || !now))
        return; /* it is on its way out: a refusal wants to be read */
    if (!whole && !now) {
        conn_linger(c);
        return;
    }
    if (!whole)
        link_abort(&c->link);
    conn_free(c);
}

/* Whose head is not judged yet has nobody else's proof. */
static void
end_proven(struct conn *c)
{
    struct list *m, *next;

    task_unref(c->proven); /* with it goes the key */
    c->proven = NULL;
    for (m = c->exchanges.next; m != &c->exchanges; m = next) {
        struct exchange *x = LIST_OWNER(m, struct exchange, of_conn);

        next = m->next;
        if (x->entry == NULL)
            exchange_refuse(x, REASON_TASK_ENDED);
    }
}

/* Of many, what nobody has read yet may be of an answer to another task. */
static bool
is_read_on(const struct conn *c, bool all_is_its_own)
{
    return conn_is_shared(c) && wire_has_unread(c->wire) && !all_is_its_own;
}

void
conn_end_task(struct conn *c, const struct task *k, bool now)
{
    bool proven = c->proven == k;

    if (!proven && c->served != k)
        return;
    c->served = NULL;
    if (proven)
        end_proven(c);
    if (list_is_empty(&c->exchanges) && !is_read_on(c, proven && now)) {
        if (!c->cut)
            end_idle(c, now);
        return;
    }
    /* Of many, others' go on; what proved to be of the task asks for nothing more. */
    if (!conn_is_shared(c))
        c->closing = true;
    else if (proven)
        conn_drain(c);
}

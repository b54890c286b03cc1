/* Who is at the other end: asked once, before a byte is read. */
#include "proxy/conn_parts.h"

#include "base/memory.h"
#include "proxy/attest.h"
#include "tasks/cgroup.h"

enum { WHERE_WAIT_MS = 5000 };

/* A uid alone is printed wherever it is told. */
static void
print(struct conn *c)
{
    const char *door = conn_door(c)->name;
    struct buf said = { 0 };

    if (door == NULL && !c->caller.has_gid && c->caller.cgroup == NULL)
        return;
    caller_print(&c->caller, door, &said);
    buf_add_byte(&said, '\0');
    c->who = memory_copy_z(buf_text(&said).at);
    buf_free(&said);
}

/* What only files tell is asked while some grant wants it, and before a byte is read of
 * what the client says. */
static bool
ask_where(struct conn *c, int fd)
{
    struct worker *w = c->worker;
    int process;

    if (!conf_door_is_egress(conn_door(c)) ||
        !generation_asks_where(w->now->generation))
        return false;
    process = c->caller.pid != 0 ? caller_open_peer(fd) : -1;
    c->where = attest_ask(w->start.shared->attest, &c->caller, process, w->mailbox, c);
    return c->where != NULL;
}

bool
conn_identify(struct conn *c, int fd, const struct sockaddr *client,
              const struct sockaddr *server)
{
    struct caller_lookup *lookup = c->worker->callers;

    if (conn_door(c)->kind == DOOR_UNIX)
        caller_identify_peer(lookup, fd, &c->caller);
    else
        caller_identify(lookup, client, server, &c->caller);
    c->caller.door = c->door + 1;
    if (ask_where(c, fd)) {
        c->step = CONN_IDENTIFY;
        conn_set_alarm(c, WHERE_WAIT_MS);
        return false;
    }
    print(c);
    return true;
}

bool
conn_await_where(struct conn *c)
{
    if (c->worker->draining || c->link.state == LINK_DEAD)
        return false;
    if (c->where != NULL)
        return true;
    alarm_clear(&c->alarm);
    print(c);
    conn_begin(c);
    conn_ring(c); /* what came meanwhile rang already */
    return true;
}

void
conn_hear_where(struct attest_question *q)
{
    struct conn *c = attest_asker(q);

    if (c != NULL) {
        c->caller.cgroup = attest_answer(q);
        c->where = NULL;
        conn_ring(c);
    }
    attest_question_free(q);
}

void
conn_stop_asking(struct conn *c)
{
    if (c->where != NULL)
        attest_forget(c->where);
    c->where = NULL;
}

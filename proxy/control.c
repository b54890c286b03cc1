#include "proxy/control.h"

#include "base/log.h"
#include "base/memory.h"
#include "proxy/control_session.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

enum { REST_MS = 200 };

/* ---- what is waited for */

/* May be called by a verb: whose turn it is comes from the loop. */
static size_t
answer_those(struct control *c, enum wait what, uint64_t from, uint64_t to, bool ok,
             struct text members)
{
    size_t n = 0;

    for (struct list *m = c->sessions.next; m != &c->sessions; m = m->next) {
        struct session *s = LIST_OWNER(m, struct session, member);

        if (s->waits != what || s->ticket < from || s->ticket > to)
            continue;
        s->waits = WAIT_NONE;
        session_keep_promise(s, ok, members);
        event_active(s->writable, EV_WRITE, 0);
        n++;
    }
    return n;
}

void
control_answer(struct control *c, enum wait what, uint64_t ticket, bool ok,
               struct text members)
{
    (void)answer_those(c, what, 0, ticket, ok, members);
}

size_t
control_answer_one(struct control *c, enum wait what, uint64_t ticket, bool ok,
                   struct text members)
{
    return answer_those(c, what, ticket, ticket, ok, members);
}

/* ---- accepting */

/* As the kernel tells it; nothing the peer says can change it. */
static bool
may_ask(int fd, struct ucred *peer)
{
    socklen_t n = sizeof *peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &n) != 0)
        return false;
    if (peer->uid == 0 || peer->uid == geteuid())
        return true;
    log_warn("control: uid %u (pid %d) is not heard", (unsigned)peer->uid,
             (int)peer->pid);
    return false;
}

static void
turn_away(int fd)
{
    static const char busy[] =
        "{\"ok\":false,\"error\":\"too many connections here already\"}\n";
    ssize_t put = send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)put;
    close(fd);
}

/* Workers leave a few descriptors for us (descriptors.h); should there be none all the
 * same, asking again at once would have the loop to itself. */
static void
rest(struct control *c)
{
    static const struct timeval pause = { 0, REST_MS * 1000 };

    event_del(c->acceptable);
    event_add(c->rested, &pause);
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct control *c = arg;

    (void)fd;
    (void)what;
    event_add(c->acceptable, NULL);
}

static void
on_acceptable(evutil_socket_t listener, short what, void *arg)
{
    struct control *c = arg;
    struct ucred peer;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest(c);
        return;
    }
    if (!may_ask(fd, &peer))
        close(fd);
    else if (c->n - c->n_leases >= CONTROL_SESSIONS)
        turn_away(fd);
    else
        session_begin(c, fd, &peer);
}

/* ---- life */

struct control *
control_new(struct event_base *base, struct unix_socket *socket,
            const struct verb *verbs, size_t n_verbs, void *owner)
{
    struct control *c = memory_new(sizeof *c);

    c->base = base;
    c->socket = *socket;
    *socket = (struct unix_socket){ .fd = -1 };
    c->verbs = verbs;
    c->n_verbs = n_verbs;
    c->owner = owner;
    list_init(&c->sessions);
    followers_begin(c);
    c->acceptable = event_new(base, c->socket.fd, EV_READ | EV_PERSIST, on_acceptable,
                              c);
    c->rested = event_new(base, -1, 0, on_rested, c);
    assert(c->acceptable != NULL && c->rested != NULL);
    event_add(c->acceptable, NULL);
    return c;
}

void
control_free(struct control *c)
{
    if (c == NULL)
        return;
    /* First of all, so that whoever hears of the end finds it gone. */
    unix_socket_close(&c->socket);
    if (c->n_following > 0)
        followers_tell(c);
    control_answer(c, WAIT_END, 0, true, text_of("", 0));
    while (!list_is_empty(&c->sessions)) {
        struct session *s = LIST_OWNER(c->sessions.next, struct session, member);

        session_send(s);
        session_forget_hold(s); /* Holdfast's end is theirs as well */
        session_free(s);
    }
    event_free(c->acceptable);
    event_free(c->rested);
    followers_end(c);
    free(c);
}

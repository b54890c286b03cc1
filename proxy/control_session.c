#include "proxy/control_session.h"

#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_STEP = 8192 };

/* ---- out */

void
session_send(struct session *s)
{
    while (!s->broken && buf_length(&s->out) > 0) {
        struct text t = buf_text(&s->out);
        ssize_t put = send(s->fd, t.at, t.n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put > 0)
            buf_drop(&s->out, (size_t)put);
        else if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        else if (put == 0 || errno != EINTR)
            s->broken = true;
    }
    session_hand_over(s);
}

void
session_tell(struct session *s, bool ok, struct text members)
{
    json_open(&s->out, NULL, '{');
    json_put_bool(&s->out, "ok", ok);
    if (!text_is_empty(members)) {
        buf_add_byte(&s->out, ',');
        buf_add(&s->out, members);
    }
    json_close(&s->out, '}');
    buf_add_byte(&s->out, '\n');
}

static void
add_failure(struct session *s, struct text sentence)
{
    struct buf members = { 0 };

    json_put_text(&members, "error", sentence);
    session_tell(s, false, buf_text(&members));
    buf_free(&members);
}

void
session_keep_promise(struct session *s, bool ok, struct text members)
{
    if (buf_length(&s->promised) > 0 && members.n > 0)
        buf_add_byte(&s->promised, ',');
    buf_add(&s->promised, members);
    session_tell(s, ok, buf_text(&s->promised));
    buf_free(&s->promised);
}

/* ---- in */

static void
ask(struct session *s, struct text line)
{
    struct control *c = s->control;
    struct buf out = { 0 };
    struct json *request;
    const struct verb *v = verb_read(c->verbs, c->n_verbs, line, &request, &out);
    enum reply reply;

    event_del(s->deadline); /* it has asked */
    if (v == NULL) {
        add_failure(s, buf_text(&out));
    } else {
        reply = v->run(c->owner, s, request, &out);
        if (reply == REPLY_LATER)
            buf_add(&s->promised, buf_text(&out));
        else
            session_tell(s, reply == REPLY_DONE, buf_text(&out));
    }
    json_free(request);
    buf_free(&out);
}

/* Also until the answer with a task in it has left: what it holds till then is not the
 * next question's. */
static bool
is_busy(const struct session *s)
{
    return s->follows || s->waits != WAIT_NONE || s->last ||
           (s->hold.let_go != NULL && !s->hold.is_lease) ||
           buf_length(&s->out) >= CONTROL_OUT_MAX;
}

/* What was asked, as long as each answer is given before the next question is read. */
static void
read_lines(struct session *s)
{
    while (!is_busy(s)) {
        struct text t = buf_text(&s->in);
        const char *end = t.n > 0 ? memchr(t.at, '\n', t.n) : NULL;

        if (end == NULL && t.n > CONTROL_LINE_MAX) {
            add_failure(s, TEXT("the line is too long"));
            s->last = true;
        }
        if (end == NULL)
            return;
        ask(s, text_of(t.at, (size_t)(end - t.at)));
        buf_drop(&s->in, (size_t)(end - t.at) + 1);
    }
}

static void
receive(struct session *s)
{
    ssize_t got = recv(s->fd, buf_reserve(&s->in, READ_STEP), READ_STEP, MSG_DONTWAIT);

    buf_commit(&s->in, got > 0 ? (size_t)got : 0);
    if (got == 0)
        s->read_ended = true;
    else if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        s->broken = true;
}

/* One that only sent all it had to say still hears the answer. */
static bool
has_left(const struct session *s)
{
    struct pollfd p = { .fd = s->fd };

    return s->read_ended && poll(&p, 1, 0) == 1 &&
           (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- whose turn it is */

static bool
is_over(const struct session *s)
{
    if (s->broken || has_left(s) || (s->read_ended && s->follows))
        return true;
    if (buf_length(&s->out) > 0 || s->waits != WAIT_NONE)
        return false;
    return s->last || s->read_ended;
}

/* Whoever waits, follows, or has a lease may take all the time there is; to ask, and to
 * read an answer, there is an end. */
static void
set_deadline(struct session *s)
{
    static const struct timeval patience = { CONTROL_IDLE_MS / 1000, 0 };

    if (s->follows || s->waits != WAIT_NONE ||
        (s->hold.is_lease && buf_length(&s->in) == 0 && buf_length(&s->out) == 0))
        event_del(s->deadline);
    else if (!event_pending(s->deadline, EV_TIMEOUT, NULL))
        event_add(s->deadline, &patience);
}

void
session_settle(struct session *s)
{
    session_send(s);
    if (is_over(s)) {
        session_free(s);
        return;
    }
    if (!s->read_ended && buf_length(&s->in) <= CONTROL_LINE_MAX && !s->last)
        event_add(s->readable, NULL);
    else
        event_del(s->readable);
    if (buf_length(&s->out) > 0)
        event_add(s->writable, NULL);
    else
        event_del(s->writable);
    set_deadline(s);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;

    (void)fd;
    (void)what;
    receive(s);
    if (!is_busy(s) && buf_length(&s->in) > 0)
        read_lines(s);
    session_settle(s);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;

    (void)fd;
    (void)what;
    session_send(s);
    event_del(s->deadline); /* it reads */
    session_tell_lost(s);
    read_lines(s);
    session_settle(s);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    session_free(arg);
}

/* ---- for verbs */

void
session_wait(struct session *s, enum wait what, uint64_t ticket)
{
    s->waits = what;
    s->ticket = ticket;
}

uid_t
session_uid(const struct session *s)
{
    return s->peer.uid;
}

void
session_record(const struct session *s, const char *verb, const char *about,
               struct text what)
{
    struct log_line *l = log_line_begin(LOG_INFO, "control");

    log_line_z(l, "verb", verb);
    if (about != NULL)
        log_line_text(l, about, what);
    log_line_number(l, "uid", s->peer.uid);
    log_line_number(l, "pid", s->peer.pid);
    log_line_end(l);
}

/* ---- its life */

void
session_begin(struct control *c, int fd, const struct ucred *peer)
{
    struct session *s = memory_new(sizeof *s);

    s->control = c;
    s->fd = fd;
    s->peer = *peer;
    s->readable = event_new(c->base, fd, EV_READ | EV_PERSIST, on_readable, s);
    s->writable = event_new(c->base, fd, EV_WRITE | EV_PERSIST, on_writable, s);
    s->deadline = event_new(c->base, -1, 0, on_deadline, s);
    assert(s->readable != NULL && s->writable != NULL && s->deadline != NULL);
    list_add_last(&c->sessions, &s->member);
    c->n++;
    session_settle(s);
}

void
session_free(struct session *s)
{
    list_remove(&s->member);
    s->control->n--;
    session_unfollow(s);
    event_free(s->readable);
    event_free(s->writable);
    event_free(s->deadline);
    close(s->fd);
    buf_free(&s->in);
    buf_free(&s->out);
    buf_free(&s->promised);
    session_let_go(s);
    free(s);
}

#include "proxy/control.h"

#include "base/clock.h"
#include "base/follow.h"
#include "base/json_write.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/descriptors.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_STEP = 8192, REST_MS = 200 };

struct control {
    struct event_base *base;
    struct control_socket socket;
    const struct verb *verbs;
    size_t n_verbs;
    void *owner;
    struct event *acceptable, *rested;
    struct list sessions;
    size_t n, n_leases; /* of them */
    int bell;           /* rung by the log */
    struct event *rung;
    size_t n_following;
};

struct session {
    struct list member;
    struct control *control;
    int fd;
    struct ucred peer;
    struct event *readable, *writable, *deadline;
    struct buf in, out;
    enum wait waits;
    uint64_t ticket;
    bool read_ended;
    bool last; /* goes when what is in `out` is sent */
    bool broken;
    bool follows;
    struct tail filter;
    size_t lost; /* lines, since it was last told */
    struct buf promised;
    struct {
        void (*let_go)(void *owner, struct text what); /* NULL: nothing is held */
        char *what;
        bool is_lease;
    } hold;
};

static void take_lines(struct control *c);

/* ---- following the log */

static void
on_rung(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;

    (void)what;
    if (read(fd, &n, sizeof n) == sizeof n)
        take_lines(arg);
}

static void
begin_following(struct control *c)
{
    if (c->n_following++ > 0)
        return;
    event_add(c->rung, NULL);
    follow_begin(c->bell);
}

static void
end_following(struct control *c)
{
    if (--c->n_following > 0)
        return;
    follow_end();
    event_del(c->rung);
}

/* ---- what a session holds */

const char *
session_refuses_hold(const struct session *s, bool is_lease)
{
    if (s->hold.let_go != NULL)
        return "this connection is another task's lease";
    if (!is_lease)
        return NULL;
    if (s->control->n_leases >= CONTROL_LEASES || !descriptors_allow_client(s->fd))
        return "too many leases here already";
    return NULL;
}

void
session_hold(struct session *s, bool is_lease,
             void (*let_go)(void *owner, struct text what), struct text what)
{
    assert(s->hold.let_go == NULL);
    s->hold.let_go = let_go;
    s->hold.what = memory_new_raw(what.n + 1);
    memcpy(s->hold.what, what.at, what.n);
    s->hold.what[what.n] = '\0';
    s->hold.is_lease = is_lease;
    if (is_lease)
        s->control->n_leases++;
}

static void
forget_hold(struct session *s)
{
    if (s->hold.is_lease)
        s->control->n_leases--;
    free(s->hold.what);
    memset(&s->hold, 0, sizeof s->hold);
}

static void
let_go(struct session *s)
{
    if (s->hold.let_go != NULL)
        s->hold.let_go(s->control->owner, text_z(s->hold.what));
    forget_hold(s);
}

/* It has been told of it: from now on it is whoever was told that must end it. */
static void
hand_over(struct session *s)
{
    if (s->hold.let_go != NULL && !s->hold.is_lease && s->waits == WAIT_NONE &&
        !s->broken)
        forget_hold(s);
}

/* ---- a session's end */

static void
session_free(struct session *s)
{
    struct control *c = s->control;

    list_remove(&s->member);
    c->n--;
    if (s->follows) {
        tail_end(&s->filter);
        end_following(c);
    }
    event_free(s->readable);
    event_free(s->writable);
    event_free(s->deadline);
    close(s->fd);
    buf_free(&s->in);
    buf_free(&s->out);
    buf_free(&s->promised);
    let_go(s);
    free(s);
}

/* ---- out */

static void
send_some(struct session *s)
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
    hand_over(s);
}

static void
add_line(struct session *s, bool ok, struct text members)
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
    add_line(s, false, buf_text(&members));
    buf_free(&members);
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
            add_line(s, reply == REPLY_DONE, buf_text(&out));
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

/* After anything has happened: what can be sent is, and the events are what they should
 * be. The session may be gone after this. */
static void
settle(struct session *s)
{
    send_some(s);
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
    settle(s);
}

static void add_lost(struct session *s);

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;

    (void)fd;
    (void)what;
    send_some(s);
    event_del(s->deadline); /* it reads */
    add_lost(s);
    read_lines(s);
    settle(s);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    session_free(arg);
}

/* ---- lines to the followers */

static bool
has_room(const struct session *s, size_t n)
{
    return buf_length(&s->out) + n <= CONTROL_OUT_MAX;
}

/* Only when it has read all it was sent: one that dawdles is not told at every line. */
static void
add_lost(struct session *s)
{
    char stamp[25];

    if (s->lost == 0 || buf_length(&s->out) > 0)
        return;
    clock_format(clock_wall_ms(), stamp);
    json_open(&s->out, NULL, '{');
    json_put_z(&s->out, "ts", stamp);
    json_put_z(&s->out, "level", "warn");
    json_put_z(&s->out, "msg", "lines lost");
    json_put_number(&s->out, "lines", (int64_t)s->lost);
    json_close(&s->out, '}');
    buf_add_byte(&s->out, '\n');
    s->lost = 0;
}

static void
show_line(struct session *s, struct text line)
{
    if (!tail_wants(&s->filter, line))
        return;
    if (s->lost > 0 || !has_room(s, line.n + 1)) {
        s->lost++;
        return;
    }
    buf_add(&s->out, line);
    buf_add_byte(&s->out, '\n');
}

static void
show(struct session *s, struct text lines, size_t lost)
{
    struct text line;

    while (text_split(&lines, '\n', &line))
        if (!text_is_empty(line))
            show_line(s, line);
    s->lost += lost;
    send_some(s);
    add_lost(s);
    settle(s);
}

static void
take_lines(struct control *c)
{
    struct buf lines = { 0 };
    size_t lost = follow_take(&lines);

    for (struct list *m = c->sessions.next, *next; m != &c->sessions; m = next) {
        struct session *s = LIST_OWNER(m, struct session, member);

        next = m->next;
        if (s->follows)
            show(s, buf_text(&lines), lost);
    }
    buf_free(&lines);
}

/* ---- for verbs */

void
session_wait(struct session *s, enum wait what, uint64_t ticket)
{
    s->waits = what;
    s->ticket = ticket;
}

void
session_follow(struct session *s, struct tail *filter)
{
    s->filter = *filter;
    s->follows = true;
    add_line(s, true, text_of("", 0));
    begin_following(s->control);
}

/* What the verb had said already, and then what came of it. */
static void
keep_promise(struct session *s, bool ok, struct text members)
{
    if (buf_length(&s->promised) > 0 && members.n > 0)
        buf_add_byte(&s->promised, ',');
    buf_add(&s->promised, members);
    add_line(s, ok, buf_text(&s->promised));
    buf_free(&s->promised);
}

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
        keep_promise(s, ok, members);
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

static void
begin_session(struct control *c, int fd, const struct ucred *peer)
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
    settle(s);
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
        begin_session(c, fd, &peer);
}

/* ---- life */

struct control *
control_new(struct event_base *base, struct control_socket *socket,
            const struct verb *verbs, size_t n_verbs, void *owner)
{
    struct control *c = memory_new(sizeof *c);

    c->base = base;
    c->socket = *socket;
    *socket = (struct control_socket){ .fd = -1 };
    c->verbs = verbs;
    c->n_verbs = n_verbs;
    c->owner = owner;
    list_init(&c->sessions);
    c->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(c->bell >= 0);
    c->rung = event_new(base, c->bell, EV_READ | EV_PERSIST, on_rung, c);
    c->acceptable = event_new(base, c->socket.fd, EV_READ | EV_PERSIST, on_acceptable,
                              c);
    c->rested = event_new(base, -1, 0, on_rested, c);
    assert(c->rung != NULL && c->acceptable != NULL && c->rested != NULL);
    event_add(c->acceptable, NULL);
    return c;
}

void
control_free(struct control *c)
{
    if (c == NULL)
        return;
    /* First of all, so that whoever hears of the end finds it gone. */
    control_socket_close(&c->socket);
    if (c->n_following > 0)
        take_lines(c);
    control_answer(c, WAIT_END, 0, true, text_of("", 0));
    while (!list_is_empty(&c->sessions)) {
        struct session *s = LIST_OWNER(c->sessions.next, struct session, member);

        send_some(s);
        forget_hold(s); /* Holdfast's end is theirs as well */
        session_free(s);
    }
    event_free(c->acceptable);
    event_free(c->rested);
    event_free(c->rung);
    close(c->bell);
    free(c);
}

#include "proxy/link.h"

#include "proxy/link_parts.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* A record each. */
enum { READ_SIZE = 16 * 1024, WRITE_SIZE = 16 * 1024 };

static void
die(struct link *l, enum reason why)
{
    if (l->state == LINK_DEAD)
        return;
    l->state = LINK_DEAD;
    l->why = why;
    buf_free(&l->out);
}

/* Of a service that will not have our certificate, TLS can say more than that it left.
 */
enum reason
link_why_lost(const struct link *l)
{
    if (l->tls != NULL && tls_why(l->tls) != REASON_OK)
        return tls_why(l->tls);
    return l->why == REASON_OK || l->why == REASON_CLIENT_GONE ? REASON_UPSTREAM_CLOSED
                                                               : l->why;
}

/* ---- reading and writing, plain or TLS */

static enum io
read_some(struct link *l, char *at, size_t room, size_t *n)
{
    ssize_t got;

    if (l->tls != NULL)
        return tls_read(l->tls, at, room, n);
    do
        got = recv(l->fd, at, room, 0);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return IO_OK;
    if (got == 0)
        return IO_ENDED;
    return errno == EAGAIN || errno == EWOULDBLOCK ? IO_WANT_READ : IO_FAILED;
}

/* One record. */
static enum io
write_some(struct link *l, struct text t, size_t *n)
{
    bool is_long = t.n > WRITE_SIZE;
    ssize_t put;

    if (l->tls != NULL)
        return tls_write(l->tls, t.at, is_long ? WRITE_SIZE : t.n,
                         is_long || l->more_comes, n);
    do
        put = send(l->fd, t.at, t.n, MSG_NOSIGNAL | (l->more_comes ? MSG_MORE : 0));
    while (put < 0 && errno == EINTR);
    *n = put > 0 ? (size_t)put : 0;
    if (put >= 0)
        return IO_OK;
    return errno == EAGAIN || errno == EWOULDBLOCK ? IO_WANT_WRITE : IO_FAILED;
}

static void
end_reading(struct link *l, enum io io)
{
    if (io == IO_FAILED) {
        die(l, l->why != REASON_OK ? l->why : REASON_CLIENT_GONE);
        return;
    }
    l->read_ended = true;
    l->truncated = io == IO_CUT;
}

static void
count_in(struct link *l, size_t n)
{
    l->received += n;
    if (l->traffic != NULL)
        tally_add(&l->traffic->in, n);
}

static void
count_out(struct link *l, size_t n)
{
    l->sent += n;
    if (l->traffic != NULL)
        tally_add(&l->traffic->out, n);
}

static bool
has_more(const struct link *l, size_t last)
{
    return l->tls == NULL ? last == READ_SIZE : tls_has_pending(l->tls);
}

/* One record, and more only while they are already here: with read-ahead a system call
 * brings what there is of them. No further than the memory at hand: a long body goes
 * through one small buffer that stays in the processor's cache. */
static void
fill(struct link *l)
{
    enum io io = IO_OK;
    size_t n = 0;

    l->has_left = false;
    if (l->reads_on && buf_length(&l->in) == 0)
        buf_reserve(&l->in, l->ceiling);
    while (io == IO_OK && buf_length(&l->in) < l->ceiling && !l->read_ended) {
        io = read_some(l, buf_reserve(&l->in, READ_SIZE), READ_SIZE, &n);
        buf_commit(&l->in, n);
        count_in(l, n);
        if (io == IO_OK && !has_more(l, n))
            break;
        l->has_left = io == IO_OK && l->tls != NULL && buf_room(&l->in) < READ_SIZE;
        if (l->has_left)
            break;
    }
    buf_drop(&l->in, 0); /* an empty buffer holds no memory */
    l->wants_write = io == IO_WANT_WRITE;
    if (io >= IO_ENDED)
        end_reading(l, io);
}

/* As much as the socket takes. */
static size_t
send_some(struct link *l, struct text t)
{
    enum io io = IO_OK;
    size_t sent = 0, n;

    while (io == IO_OK && sent < t.n) {
        io = write_some(l, text_of(t.at + sent, t.n - sent), &n);
        sent += n;
    }
    count_out(l, sent);
    if (sent > 0)
        l->is_held = l->more_comes;
    l->is_full = io == IO_WANT_WRITE;
    if (io < IO_ENDED)
        return sent;
    /* The peer takes no more. It may have answered first: an upload refused with a 413
     * ends like this. */
    fill(l);
    die(l, REASON_CLIENT_GONE);
    return sent;
}

static void
drain(struct link *l)
{
    size_t sent;

    if (buf_length(&l->out) == 0 || l->is_full)
        return;
    sent = send_some(l, buf_text(&l->out));
    if (l->state != LINK_DEAD) /* which holds nothing any more */
        buf_drop(&l->out, sent);
}

/* ---- what we wait for */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static short
wanted(const struct link *l)
{
    short what = 0;

    switch (l->state) {
    case LINK_CONNECTING:
        return EV_WRITE;
    case LINK_HANDSHAKING:
        return l->wants_write ? EV_WRITE : EV_READ;
    case LINK_OPEN:
        if (!l->read_ended && buf_length(&l->in) < l->ceiling)
            what |= EV_READ;
        if (buf_length(&l->out) > 0 || l->wants_write)
            what |= EV_WRITE;
        return what;
    case LINK_DEAD:
    default:
        return 0;
    }
}

void
link_arm(struct link *l)
{
    short what = wanted(l);

    if (what == l->armed)
        return;
    if (l->armed != 0)
        event_del(&l->event);
    l->armed = what;
    if (what == 0)
        return;
    event_assign(&l->event, loop_base(l->loop), l->fd, (short)(what | EV_PERSIST),
                 on_ready, l);
    event_add(&l->event, NULL);
}

/* Whoever is woken may not call again, if he waits for more himself: what TLS still
 * holds comes with the next turn, behind him. */
static void
await(struct link *l)
{
    link_arm(l);
    if (l->has_left && (l->armed & EV_READ) != 0)
        event_active(&l->event, EV_READ, 0);
}

static void
finish_connect(struct link *l)
{
    socklen_t n = sizeof errno;
    int error = 0;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error != 0) {
        errno = error;
        die(l, REASON_CONNECT_FAILED);
        return;
    }
    l->state = LINK_OPEN;
}

void
link_shake(struct link *l)
{
    enum io io = tls_handshake(l->tls);

    l->wants_write = io == IO_WANT_WRITE;
    if (io == IO_OK)
        l->state = LINK_OPEN;
    else if (io >= IO_ENDED)
        die(l, tls_why(l->tls));
}

/* The client's first request often rides in the same flight as its last handshake
 * message. */
static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;

    (void)fd;
    if (l->state == LINK_CONNECTING) {
        finish_connect(l);
    } else {
        if (l->state == LINK_HANDSHAKING)
            link_shake(l);
        if ((what & EV_WRITE) != 0)
            l->is_full = false;
        if (l->state == LINK_OPEN && (what & EV_WRITE) != 0)
            drain(l);
        if (l->state == LINK_OPEN && ((what & EV_READ) != 0 || l->wants_write))
            fill(l);
    }
    wake_ring(l->loop, l->bell); /* before await: he is to be first */
    await(l);
}

size_t
link_pass(struct link *l, struct text t)
{
    assert(buf_length(&l->out) == 0);
    return l->state == LINK_OPEN && !l->write_shut && !l->is_full ? send_some(l, t) : 0;
}

/* The option is set already: to set it again is how Linux is told to send. */
void
link_send_held(struct link *l)
{
    int one = 1;

    if (l->state == LINK_OPEN)
        (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    l->is_held = false;
}

void
link_move(struct link *l)
{
    if (l->state == LINK_OPEN) {
        drain(l);
        /* What TLS has taken in already will not make the socket readable again. */
        if (l->state == LINK_OPEN && l->tls != NULL && !l->read_ended &&
            buf_length(&l->in) < l->ceiling && tls_has_pending(l->tls)) {
            size_t before = buf_length(&l->in);

            fill(l);
            if (buf_length(&l->in) > before || l->read_ended || l->state == LINK_DEAD)
                wake_ring(l->loop, l->bell);
        }
    }
    await(l);
}

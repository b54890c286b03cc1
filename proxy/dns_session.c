/* A connection of a dns door (RFC 7766): questions one after the other, each behind its
 * length, each answered before the next is read. */
#include "proxy/dns_parts.h"

#include "base/buf.h"
#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/in6.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SESSIONS_MOST = 64,  /* of one worker, … */
    SESSIONS_SHARE = 16, /* … of one caller */
    IDLE_MS = 10 * 1000, /* for a whole question to come, and an answer to be taken */
    LENGTH = 2
};

struct dns_session {
    struct dns_door *door;
    struct list member;
    int fd;
    struct event io;
    short armed;
    struct alarm idle;
    struct caller caller;
    char in[LENGTH + DNS_UDP_MOST]; /* a question is as long as it may be in UDP */
    size_t n_in;
    struct buf out;
    struct dns_question *waits; /* under way; nothing is read meanwhile */
};

static void
end(struct dns_session *s)
{
    if (s->armed != 0)
        event_del(&s->io);
    if (s->waits != NULL)
        dns_question_drop(s->waits);
    alarm_clear(&s->idle);
    list_remove(&s->member);
    s->door->n_sessions--;
    buf_free(&s->out);
    close(s->fd);
    free(s);
}

static void
on_idle(void *owner)
{
    end(owner);
}

static void on_io(evutil_socket_t fd, short what, void *arg);

static void
arm(struct dns_session *s, short what)
{
    if (what == s->armed)
        return;
    if (s->armed != 0)
        event_del(&s->io);
    s->armed = what;
    if (what == 0)
        return;
    event_assign(&s->io, loop_base(s->door->worker->loop), s->fd, what, on_io, s);
    event_add(&s->io, NULL);
}

/* ---- bytes */

/* False: it is over. */
static bool
write_some(struct dns_session *s)
{
    struct text out = buf_text(&s->out);
    ssize_t n = send(s->fd, out.at, out.n, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_drop(&s->out, (size_t)n);
    if (buf_length(&s->out) == 0)
        alarm_set(s->door->worker->loop, &s->idle, IDLE_MS);
    return true;
}

static bool
read_some(struct dns_session *s, bool *came)
{
    ssize_t n = recv(s->fd, s->in + s->n_in, sizeof s->in - s->n_in, 0);

    *came = n > 0;
    if (n > 0)
        s->n_in += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void
dns_session_send(struct dns_session *s, struct text message)
{
    const char length[LENGTH] = { (char)(message.n >> 8), (char)(message.n & 0xff) };

    buf_add(&s->out, text_of(length, sizeof length));
    buf_add(&s->out, message);
}

/* ---- questions */

static size_t
length_of_next(const struct dns_session *s)
{
    return (size_t)((unsigned char)s->in[0] << 8 | (unsigned char)s->in[1]);
}

/* False: too long to be one, or more than may be asked. */
static bool
ask_next(struct dns_session *s)
{
    size_t n = length_of_next(s);
    struct dns_question q = { .door = s->door, .session = s, .caller = s->caller };
    enum dns_fate fate = dns_question_ask(&q, text_of(s->in + LENGTH, n), &s->waits);

    s->n_in -= LENGTH + n;
    memmove(s->in, s->in + LENGTH + n, s->n_in);
    return fate != DNS_DROPPED;
}

static bool
has_question(const struct dns_session *s)
{
    return s->n_in >= LENGTH && s->n_in >= LENGTH + length_of_next(s);
}

static bool
is_too_long(const struct dns_session *s)
{
    return s->n_in >= LENGTH && length_of_next(s) > DNS_UDP_MOST;
}

/* As far as it goes. False: it is over. */
static bool
turn(struct dns_session *s)
{
    bool came = true;

    while (s->waits == NULL) {
        if (buf_length(&s->out) > 0) {
            if (!write_some(s))
                return false;
            if (buf_length(&s->out) > 0)
                return true;
        } else if (is_too_long(s)) {
            return false;
        } else if (has_question(s)) {
            if (!ask_next(s))
                return false;
        } else if (!read_some(s, &came)) {
            return false;
        } else if (!came) {
            return true;
        }
    }
    return true;
}

static void
run(struct dns_session *s)
{
    if (!turn(s))
        end(s);
    else if (s->waits != NULL)
        arm(s, 0); /* the look-up ends in time, and wakes it */
    else
        arm(s, buf_length(&s->out) > 0 ? EV_WRITE | EV_PERSIST : EV_READ | EV_PERSIST);
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    run(arg);
}

void
dns_session_go_on(struct dns_session *s)
{
    s->waits = NULL;
    alarm_set(s->door->worker->loop, &s->idle, IDLE_MS);
    run(s);
}

/* ---- who comes */

/* Where he meant to go, if the kernel turned him round: by that he is found. */
static bool
find_server(int fd, int family, struct sockaddr_storage *out)
{
    socklen_t n = sizeof *out;

    if (family == AF_INET6
            ? getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, out, &n) == 0
            : getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, out, &n) == 0)
        return true;
    n = sizeof *out;
    return getsockname(fd, (struct sockaddr *)out, &n) == 0;
}

static bool
has_room(const struct dns_door *d, const struct caller *c)
{
    size_t n = 0;

    for (const struct list *m = d->sessions.next; m != &d->sessions; m = m->next) {
        const struct caller *other = &LIST_OWNER(m, struct dns_session, member)->caller;

        n += c->has_uid ? other->has_uid && other->uid == c->uid
                        : address_equals(&other->address, &c->address);
    }
    return d->n_sessions < SESSIONS_MOST && n < SESSIONS_SHARE;
}

void
dns_door_accept(struct dns_door *d, int fd, const struct sockaddr *peer)
{
    struct dns_session *s;
    struct sockaddr_storage server;
    struct caller caller = { 0 };

    if (find_server(fd, peer->sa_family, &server))
        caller_identify(d->worker->callers, peer, (struct sockaddr *)&server, &caller);
    if (!has_room(d, &caller)) {
        dns_count_drop(d);
        close(fd);
        return;
    }
    s = memory_new(sizeof *s);
    s->door = d;
    s->fd = fd;
    s->caller = caller;
    s->idle = (struct alarm){ .on_due = on_idle, .owner = s };
    list_add_last(&d->sessions, &s->member);
    d->n_sessions++;
    alarm_set(d->worker->loop, &s->idle, IDLE_MS);
    arm(s, EV_READ | EV_PERSIST);
}

void
dns_sessions_end(struct dns_door *d)
{
    while (!list_is_empty(&d->sessions))
        end(LIST_OWNER(d->sessions.next, struct dns_session, member));
}

/* A worker's doors: the listeners on its own loop. */
#include "proxy/worker_parts.h"

#include "base/log.h"
#include "base/memory.h"
#include "proxy/conn.h"
#include "proxy/descriptors.h"
#include "proxy/dns_door.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
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
    struct dns_door *dns; /* NULL elsewhere */
    struct alarm pause;   /* out of descriptors: rest, rather than spin */
};

/* ---- who comes in */

bool
worker_has_room(const struct worker *w)
{
    return !w->draining && w->n_conns < (size_t)worker_limits(w)->connections;
}

static void
turn_away(const struct door *d, int fd)
{
    struct buf out = { 0 };
    ssize_t put;

    tally_add(&d->worker->metrics->turned_away, 1);
    if (conf_door_takes_connect(
            generation_door(d->worker->now->generation, d->index))) {
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

/* What all workers wait at is shared out one by one. */
static size_t
at_once(const struct door *d)
{
    return d->worker->start.doors[d->index].path != NULL ? 1 : ACCEPT_AT_ONCE;
}

static void
on_door(evutil_socket_t listener, short what, void *arg)
{
    struct door *d = arg;
    struct sockaddr_storage peer;
    socklen_t n;
    int fd;

    (void)what;
    for (size_t i = 0; i < at_once(d); i++) {
        n = sizeof peer;
        fd = accept4(listener, (struct sockaddr *)&peer, &n,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 &&
            (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            rest(d);
        if (fd < 0)
            return;
        if (!worker_has_room(d->worker) || !descriptors_allow_client(fd))
            turn_away(d, fd);
        else if (d->dns != NULL)
            dns_door_accept(d->dns, fd, (struct sockaddr *)&peer);
        else
            conn_accept(d->worker, d->index, fd, (struct sockaddr *)&peer);
    }
}

/* ---- open and shut */

void
worker_make_doors(struct worker *w)
{
    w->doors = memory_new_array(w->start.n_doors + 1, sizeof *w->doors);
}

static bool
is_of_kind(const struct worker *w, size_t door, enum conf_door_kind kind)
{
    return generation_door(w->now->generation, door)->kind == (int)kind;
}

void
worker_open_doors(struct worker *w)
{
    for (size_t i = 0; i < w->start.n_doors; i++) {
        struct door *d = &w->doors[i];

        if (w->start.doors[i].fd < 0 ||
            is_of_kind(w, i, DOOR_OPS)) /* those are main's */
            continue;
        d->worker = w;
        d->index = i;
        d->pause = (struct alarm){ .on_due = on_rested, .owner = d };
        d->event = event_new(loop_base(w->loop), w->start.doors[i].fd,
                             EV_READ | EV_PERSIST, on_door, d);
        assert(d->event != NULL);
        event_add(d->event, NULL);
        if (is_of_kind(w, i, DOOR_DNS))
            d->dns = dns_door_new(w, i);
    }
}

/* The port stays ours meanwhile: one that may be reused and is not listened on would be
 * anybody's. */
void
worker_shut_doors(struct worker *w)
{
    int no = 0;

    for (size_t i = 0; i < w->start.n_doors; i++) {
        if (w->doors[i].event == NULL)
            continue;
        alarm_clear(&w->doors[i].pause);
        event_del(w->doors[i].event);
        if (w->doors[i].dns != NULL)
            dns_door_shut(w->doors[i].dns);
        (void)setsockopt(w->start.doors[i].fd, SOL_SOCKET, SO_REUSEADDR, &no,
                         sizeof no);
        (void)shutdown(w->start.doors[i].fd, SHUT_RDWR);
    }
}

void
worker_free_doors(struct worker *w)
{
    for (size_t i = 0; w->doors != NULL && i < w->start.n_doors; i++) {
        dns_door_free(w->doors[i].dns);
        if (w->doors[i].event != NULL)
            event_free(w->doors[i].event);
    }
    free(w->doors);
}

/* ---- which addresses they are */

static bool
is_any(const struct address *a)
{
    static const unsigned char none[16];

    return a->family != 0 && memcmp(a->bytes, none, a->family == AF_INET ? 4 : 16) == 0;
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

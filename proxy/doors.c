#include "proxy/doors_parts.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, PORT_TRIES = 16 };

const char *
door_kind_word(const struct conf_door *door)
{
    static const char *const words[] = {
        [DOOR_FORWARD] = "forward", [DOOR_TRANSPARENT] = "transparent",
        [DOOR_UNIX] = "unix",       [DOOR_GATE] = "gate",
        [DOOR_DNS] = "dns",         [DOOR_OPS] = "ops"
    };

    return words[door->kind];
}

/* The kernel lets only sockets of one uid share a port, and these are made as the user
 * we start as: a workload cannot put a listener of its own beside ours. Where one
 * socket is enough nothing is shared at all. */
static bool
set_options(int fd, int family, bool shared)
{
    int one = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           (!shared ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
           (family != AF_INET6 ||
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0);
}

/* By TPROXY a connection is accepted under an address that is none of ours. The kernel
 * asks for CAP_NET_ADMIN here, and never again. */
static bool
take_any_address(int fd, int family)
{
    int one = 1;

    return family == AF_INET6
               ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof one) == 0
               : setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof one) == 0;
}

static bool
is_by_tproxy(const struct conf_door *door)
{
    return door->kind == DOOR_TRANSPARENT && door->intercept == INTERCEPT_TPROXY;
}

static enum reason
bind_door(const struct conf_door *door, const struct address *address, uint16_t port,
          bool shared, struct bound_door *out)
{
    struct sockaddr_storage at;
    socklen_t n = address_to_sockaddr(address, port, &at);

    out->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (out->fd < 0 || !set_options(out->fd, at.ss_family, shared) ||
        (is_by_tproxy(door) && !take_any_address(out->fd, at.ss_family)) ||
        bind(out->fd, (struct sockaddr *)&at, n) != 0 ||
        listen(out->fd, BACKLOG) != 0 ||
        getsockname(out->fd, (struct sockaddr *)&at, &n) != 0)
        return REASON_CANNOT_BIND;
    address_from_sockaddr((struct sockaddr *)&at, &out->address, &out->port);
    return REASON_OK;
}

struct bound_door *
doors_of_worker(const struct doors *d, size_t worker)
{
    assert(worker < d->n_workers);
    return d->at + worker * d->n;
}

/* Sockets that share a port would let a second instance of ours in beside the first,
 * and it would take some of its connections. One that shares nothing is kept out. */
static enum reason
find_free(const struct conf_door *door)
{
    struct bound_door alone = { .fd = -1 };
    enum reason why = REASON_OK;
    int error;

    if (door->listen.port != 0)
        why = bind_door(door, &door->listen.address, door->listen.port, false, &alone);
    error = errno;
    if (alone.fd >= 0)
        close(alone.fd);
    errno = error;
    return why;
}

/* The first worker's socket may have been given its port by the kernel; the others take
 * the same. */
static enum reason
bind_for_all(const struct conf_door *door, size_t i, struct doors *d)
{
    bool shared = d->n_workers > 1 && door->kind != DOOR_OPS;
    struct bound_door *first = &d->at[i];
    enum reason why = shared ? find_free(door) : REASON_OK;

    if (why == REASON_OK)
        why = bind_door(door, &door->listen.address, door->listen.port, shared, first);

    for (size_t w = 1; w < d->n_workers && why == REASON_OK; w++) {
        struct bound_door *b = &doors_of_worker(d, w)[i];

        if (shared) {
            why = bind_door(door, &first->address, first->port, true, b);
        } else {
            *b = *first;
            b->fd = -1;
        }
    }
    return why;
}

static void
close_bound(struct bound_door *b)
{
    if (b->fd >= 0)
        close(b->fd);
    if (b->datagrams >= 0)
        close(b->datagrams);
    b->fd = b->datagrams = -1;
}

/* A port that the kernel chose for TCP may be somebody's for UDP: then another one. */
static enum reason
bind_whole(const struct conf_door *door, size_t i, struct doors *d)
{
    enum reason why;
    int tries = 0;

    for (;;) {
        why = bind_for_all(door, i, d);
        if (why != REASON_OK || door->kind != DOOR_DNS)
            return why;
        why = doors_bind_datagrams(d, i);
        if (why == REASON_OK || door->listen.port != 0 || ++tries == PORT_TRIES)
            return why;
        for (size_t w = 0; w < d->n_workers; w++)
            close_bound(&doors_of_worker(d, w)[i]);
    }
}

enum reason
doors_bind(const struct conf *conf, size_t n_workers, struct doors *d)
{
    const struct conf_door *doors = conf->doors.at;
    char address[ADDRESS_PRINT_SIZE];

    *d = (struct doors){ .n = conf->doors.n, .n_workers = n_workers };
    d->at = calloc(n_workers * d->n + 1, sizeof *d->at);
    d->sockets = calloc(d->n + 1, sizeof *d->sockets);
    assert(d->at != NULL && d->sockets != NULL);
    for (size_t i = 0; i < n_workers * d->n; i++)
        d->at[i].fd = d->at[i].datagrams = -1;
    for (size_t i = 0; i < d->n; i++)
        d->sockets[i].fd = -1;
    for (size_t i = 0; i < d->n; i++) {
        if (doors[i].kind == DOOR_UNIX || bind_whole(&doors[i], i, d) == REASON_OK)
            continue;
        address_print(&doors[i].listen.address, address);
        return log_reason(REASON_CANNOT_BIND,
                          "%s:%u: doors[%zu]: cannot listen on %s port %u: %s%s",
                          doors[i].place.file, doors[i].place.line, i, address,
                          doors[i].listen.port, strerror(errno),
                          errno == EPERM && is_by_tproxy(&doors[i])
                              ? " (intercept = \"tproxy\" needs CAP_NET_ADMIN)"
                              : "");
    }
    return REASON_OK;
}

void
doors_close(struct doors *d)
{
    for (size_t i = 0; i < d->n_workers * d->n; i++)
        if (d->at[i].path == NULL)
            close_bound(&d->at[i]);
    for (size_t i = 0; i < d->n; i++)
        unix_socket_close(&d->sockets[i]);
    free(d->at);
    free(d->sockets);
    *d = (struct doors){ 0 };
}

char *
door_print(const struct bound_door *door, char out[DOOR_PRINT_SIZE])
{
    char address[ADDRESS_PRINT_SIZE];

    if (door->path != NULL) {
        snprintf(out, DOOR_PRINT_SIZE, "%s", door->path);
        return out;
    }
    address_print(&door->address, address);
    snprintf(out, DOOR_PRINT_SIZE,
             door->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
             door->port);
    return out;
}

void
doors_tell(const struct doors *d, const struct generation *g)
{
    char at[DOOR_PRINT_SIZE];

    for (size_t i = 0; i < d->n; i++) {
        struct log_line *l = log_line_begin(LOG_INFO, "door open");
        const struct conf_door *door = generation_door(g, i);

        log_line_z(l, "kind", door_kind_word(door));
        if (door->name != NULL)
            log_line_z(l, "name", door->name);
        log_line_z(l, "address", door_print(&d->at[i], at));
        log_line_end(l);
    }
}

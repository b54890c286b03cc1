/* How a link begins and ends. */
#include "proxy/descriptors.h"
#include "proxy/link_parts.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void
set_options(int fd)
{
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void
link_open(struct link *l, struct loop *loop, int fd, size_t ceiling, struct wake *bell)
{
    *l = (struct link){
        .loop = loop, .fd = fd, .state = LINK_OPEN, .ceiling = ceiling, .bell = bell
    };
    set_options(fd);
    link_arm(l);
}

static int
new_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int
new_worker_socket(int family)
{
    int fd = new_socket(family);

    if (fd < 0 || descriptors_allow_upstream(fd))
        return fd;
    close(fd);
    errno = EMFILE;
    return -1;
}

static enum reason
begin_connect(struct link *l, struct loop *loop, int fd, const struct address *address,
              uint16_t port, size_t ceiling, struct wake *bell)
{
    struct sockaddr_storage to;
    socklen_t n = address_to_sockaddr(address, port, &to);

    *l = (struct link){ .loop = loop,
                        .fd = fd,
                        .state = LINK_CONNECTING,
                        .ceiling = ceiling,
                        .bell = bell };
    if (fd < 0)
        return REASON_CONNECT_FAILED;
    set_options(fd);
    if (connect(fd, (struct sockaddr *)&to, n) != 0 && errno != EINPROGRESS)
        return REASON_CONNECT_FAILED;
    link_arm(l);
    return REASON_OK;
}

enum reason
link_connect(struct link *l, struct loop *loop, const struct address *address,
             uint16_t port, size_t ceiling, struct wake *bell)
{
    return begin_connect(l, loop, new_worker_socket(address->family), address, port,
                         ceiling, bell);
}

enum reason
link_connect_own(struct link *l, struct loop *loop, const struct address *address,
                 uint16_t port, size_t ceiling, struct wake *bell)
{
    return begin_connect(l, loop, new_socket(address->family), address, port, ceiling,
                         bell);
}

void
link_accept_tls(struct link *l, struct tls_server *s, enum alpn offers,
                tls_choose choose, void *owner)
{
    assert(l->state == LINK_OPEN && l->tls == NULL);
    l->tls = tls_accept(s, l->fd, &l->in, offers, choose, owner);
    l->state = LINK_HANDSHAKING;
    l->read_ended = false; /* an early end is found again by TLS */
    link_shake(l);
    if (l->state != LINK_HANDSHAKING)
        wake_ring(l->loop, l->bell);
    link_arm(l);
}

void
link_dial_tls(struct link *l, struct tls *dialled)
{
    assert(l->state == LINK_OPEN && l->tls == NULL);
    l->tls = dialled;
    l->state = LINK_HANDSHAKING;
    link_shake(l);
    if (l->state != LINK_HANDSHAKING)
        wake_ring(l->loop, l->bell);
    link_move(l); /* a fast service is shaken at once, and may speak in that flight */
}

void
link_close(struct link *l)
{
    if (l->armed != 0)
        event_del(&l->event);
    l->armed = 0;
    if (l->tls != NULL && l->state == LINK_OPEN && !l->write_shut)
        (void)tls_shutdown(l->tls);
    tls_free(l->tls);
    l->tls = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    buf_free(&l->in);
    buf_free(&l->out);
}

void
link_abort(struct link *l)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    l->write_shut = true;
    (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
link_shut_write(struct link *l)
{
    if (l->write_shut || l->state != LINK_OPEN)
        return;
    if (l->tls != NULL && !tls_shutdown(l->tls)) {
        l->wants_write = true;
        link_arm(l);
        return;
    }
    l->write_shut = true;
    (void)shutdown(l->fd, SHUT_WR);
}

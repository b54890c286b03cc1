/* A link: one TCP connection with whatever lies on it, plain or TLS. What the socket
 * gave stands in `in`, what is to go stands in `out`; something having changed is told
 * by one doorbell. A link never calls anyone but that bell, and never from within a
 * call of its owner. */
#ifndef PROXY_LINK_H
#define PROXY_LINK_H

#include "base/address.h"
#include "base/buf.h"
#include "proxy/loop.h"
#include "proxy/metrics.h"
#include "proxy/tls.h"

#include <event2/event_struct.h>

enum link_state {
    LINK_CONNECTING,
    LINK_HANDSHAKING,
    LINK_OPEN,
    LINK_DEAD /* why says why; nothing moves any more */
};

struct link {
    struct loop *loop;
    int fd;
    struct tls *tls; /* NULL: plain */
    enum link_state state;
    enum reason why;
    bool read_ended; /* the peer sends no more (half-closed, or gone) */
    bool truncated;  /* … and did not say so inside TLS */
    bool write_shut;
    bool has_left;    /* TLS holds a record more, for which the socket will not ring */
    bool more_comes;  /* at once: what is sent may wait in the kernel for a segment that
                         is  full. Its owner says so, and has to link_push at the end of
                         his turn, or only the kernel does, 200 ms later */
    bool is_held;     /* … and some of it does */
    bool is_full;     /* the socket took no more: EV_WRITE says when it does again */
    bool wants_write; /* the handshake, a read or the end waits for the socket to take
                         bytes */
    struct buf in, out;
    size_t ceiling; /* `in` is not read past this: back-pressure */
    bool reads_on;  /* `in` is emptied in each turn: as much as there is goes into it */
    uint64_t received, sent; /* application bytes */
    struct traffic *traffic; /* counted there as well; may be NULL */
    struct event event;
    short armed;
    struct wake *bell;
};

/* Takes the fd, which must be non-blocking. */
void link_open(struct link *l, struct loop *loop, int fd, size_t ceiling,
               struct wake *bell);
/* Makes a socket and begins to connect; LINK_OPEN or LINK_DEAD comes by the bell.
 * REASON_CONNECT_FAILED, with errno set: EMFILE too when the
 * socket would be one of those kept back for main. */
MUST_USE enum reason link_connect(struct link *l, struct loop *loop,
                                  const struct address *address, uint16_t port,
                                  size_t ceiling, struct wake *bell);
/* The same on a descriptor that may be one of those: main's own. */
MUST_USE enum reason link_connect_own(struct link *l, struct loop *loop,
                                      const struct address *address, uint16_t port,
                                      size_t ceiling, struct wake *bell);
/* From LINK_OPEN to LINK_HANDSHAKING; LINK_OPEN again or LINK_DEAD comes by the bell.
 * What stands in `in` is read by TLS first. */
void link_accept_tls(struct link *l, struct tls_server *s, enum alpn offers,
                     tls_choose choose, void *owner);
/* dialled: a tls_dial on this link's fd; taken over. */
void link_dial_tls(struct link *l, struct tls *dialled);
/* Closes the socket and frees what the link holds. A link never opened (fd -1) is fine.
 */
void link_close(struct link *l);
/* Makes the coming link_close one that the peer cannot take for a clean end: no
 * close_notify, and a reset. */
void link_abort(struct link *l);

/* Sends what `out` holds, as far as the socket takes it, and sets what is waited for
 * from the room left in `in`. To be called after `in` or `out` was changed. */
void link_move(struct link *l);
/* Sends of `t` what the socket takes at once, past `out`, which has to be empty; the
 * rest is for `out`. What was sent. */
size_t link_pass(struct link *l, struct text t);
/* What more_comes held back goes; nothing is from here on. */
void link_send_held(struct link *l);

static inline void
link_push(struct link *l)
{
    l->more_comes = false;
    if (l->is_held)
        link_send_held(l);
}

/* After everything in `out` has gone: we send no more, and say so; `write_shut` then.
 * When TLS's word for it finds the socket full, the bell rings for another try. */
void link_shut_write(struct link *l);
/* Of one to a service that has ended: REASON_UPSTREAM_CLOSED, or what is known besides.
 */
enum reason link_why_lost(const struct link *l);
/* It has another end: a reset takes it away. */
bool link_has_peer(const struct link *l);
/* The address at the other end is this one (getpeername). */
bool link_peer_is(const struct link *l, const struct address *address, uint16_t port);

/* Both ends have one address: whatever it is called, it is ours. */
bool link_is_to_this_machine(const struct link *l);

#endif

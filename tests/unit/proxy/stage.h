/* A loop of a test's own, with bells that count and sockets of this machine alone. What
 * a test waits for is an event; a watchdog fails it when the event never comes. */
#ifndef TESTS_UNIT_PROXY_STAGE_H
#define TESTS_UNIT_PROXY_STAGE_H

#include "base/address.h"
#include "base/clock.h"
#include "base/host.h"
#include "proxy/loop.h"
#include "tests/unit/certs/scratch.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 20 * 1000 };

static struct loop *loop;
static struct event *watchdog;

static inline void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

/* It makes the loop return now and then, so that a wait that is in vain can end. */
static inline int
stage_begin(void **state)
{
    static const struct timeval often = { 0, 200 * 1000 };

    if (scratch_begin(state) != 0)
        return -1;
    loop = loop_new();
    watchdog = event_new(loop_base(loop), -1, EV_PERSIST, on_watchdog, NULL);
    return event_add(watchdog, &often);
}

static inline int
stage_end(void **state)
{
    event_free(watchdog);
    loop_free(loop);
    return scratch_end(state);
}

#define STAGE_TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

static inline void
turn(void)
{
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
}

/* What is ready now is done, and nothing is waited for. */
static inline void
settle(void)
{
    event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

#define UNTIL(condition)                                                               \
    do {                                                                               \
        int64_t give_up = clock_monotonic_ms() + PATIENCE_MS;                          \
                                                                                       \
        while (!(condition)) {                                                         \
            if (clock_monotonic_ms() > give_up)                                        \
                fail_msg("in vain: %s", #condition);                                   \
            turn();                                                                    \
        }                                                                              \
    } while (0)

struct bell {
    struct wake wake;
    unsigned rung;
};

static inline void
on_bell(void *owner)
{
    struct bell *b = owner;

    b->rung++;
}

/* Its address must not change any more. */
static inline void
bell_hang(struct bell *b)
{
    *b = (struct bell){ .wake = { .answer = on_bell, .owner = b } };
}

/* ---- sockets */

static inline void
not_blocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* A socket bound to 127.0.0.1, its port picked by the kernel. */
static inline int
bound_socket(int type, uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    at.sin_port = htons(*port);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static inline int
listening_socket(uint16_t *port)
{
    int fd;

    *port = 0;
    fd = bound_socket(SOCK_STREAM, port);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static inline struct address
loopback(void)
{
    struct address a;

    assert_true(address_parse(TEXT("127.0.0.1"), &a));
    return a;
}

/* Two ends of one TCP connection, neither of which blocks. */
static inline void
tcp_pair(int ends[2])
{
    struct sockaddr_storage to;
    struct address here = loopback();
    uint16_t port;
    int door = listening_socket(&port);
    socklen_t n = address_to_sockaddr(&here, port, &to);

    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&to, n), 0);
    ends[1] = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
    close(door);
    not_blocking(ends[0]);
    not_blocking(ends[1]);
}

/* The peer is told of a reset instead of an end. */
static inline void
reset_socket(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static inline void
put_bytes(int fd, struct text t)
{
    assert_int_equal(send(fd, t.at, t.n, MSG_NOSIGNAL), t.n);
}

static inline void
assert_buf(const struct buf *b, const char *expected)
{
    struct text t = buf_text(b);

    if (!text_equals(t, text_z(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", TEXT_ARG(t), expected);
}

static inline struct host
host_of(const char *name)
{
    struct host h;

    assert_int_equal(host_parse(text_z(name), &h), REASON_OK);
    return h;
}

#endif

#include "proxy/bypass.h"
#include "proxy/bypass_parts.h"
#include "proxy/knock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A refusal by this machine comes at once. Whoever has to be waited for may be far
 * away. */
enum { REFUSAL_MS = 2000, ANSWER_MS = 5000 };

/* ---- sockets */

struct address
bypass_nobody(int family)
{
    static const struct address four = { AF_INET, { 192, 0, 2, 1 } };
    static const struct address six = { AF_INET6,
                                        { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

    return family == AF_INET6 ? six : four;
}

static enum end
without_socket(int error)
{
    bool may_not = error == EPERM || error == EACCES;

    return may_not || error == EPROTONOSUPPORT || error == EAFNOSUPPORT ? END_NO_SOCKET
                                                                        : END_UNTRIED;
}

static enum end
end_of(int error)
{
    switch (error) {
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return END_NO_ROUTE;
    case EPERM:
    case EACCES:
    case ECONNREFUSED:
    case EHOSTUNREACH:
        return END_REFUSED;
    case ETIMEDOUT:
        return END_OPEN;
    default:
        return END_UNTRIED;
    }
}

/* A route of kind "blackhole" is told so. */
static enum end
without_connection(int error)
{
    return error == EINVAL ? END_NO_ROUTE : end_of(error);
}

/* What leaves all the same goes no further than to the first router. */
static int
open_near(const struct way *w)
{
    int fd = socket(w->family, w->kind | SOCK_NONBLOCK | SOCK_CLOEXEC, w->protocol);
    int one = 1;

    if (fd >= 0 && w->family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof one);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one);
    } else if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_IP, IP_TTL, &one, sizeof one);
    }
    return fd;
}

/* Connected, so that what comes back is ours to hear. */
static int
open_to(const struct way *w, enum end *end, int *error)
{
    struct address to = bypass_nobody(w->family);
    struct sockaddr_storage at;
    socklen_t n = address_to_sockaddr(&to, w->port, &at);
    int fd = open_near(w);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, n) == 0)
        return fd;
    *error = errno;
    *end = fd < 0 ? without_socket(errno) : without_connection(errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
connect_to(const struct way *w, const struct address *to, enum end *end, int *error)
{
    int fd = open_near(w), on = 1;

    *error = errno;
    *end = without_socket(errno);
    if (fd < 0)
        return -1;
    /* Others than TCP keep to themselves what is said of them. */
    if (w->protocol != 0)
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    fd = knock_begin(fd, to, w->port, REFUSAL_MS);
    *error = errno;
    *end = without_connection(errno);
    return fd;
}

/* ---- TCP */

static bool
is_holdfasts(int fd, const struct address *to, uint16_t port)
{
    struct buf question = { 0 };
    bool is;

    buf_add_z(&question, "GET / HTTP/1.1\r\nHost: ");
    knock_write_authority(to, port, &question);
    buf_add_z(&question, "\r\nConnection: close\r\n\r\n");
    is = knock_is_holdfast(fd, buf_text(&question));
    buf_free(&question);
    return is;
}

enum end
bypass_connect(const struct way *w, int *error)
{
    struct address to = bypass_nobody(w->family);
    enum end end;
    int fd = connect_to(w, &to, &end, error);

    if (fd < 0)
        return end;
    end = is_holdfasts(fd, &to, w->port) ? END_TURNED : END_OPEN;
    close(fd);
    return end;
}

/* ---- datagrams */

static enum end
send_one(const struct way *w, struct text packet, int *fd, int *error)
{
    enum end end;

    if ((*fd = open_to(w, &end, error)) < 0)
        return end;
    if (send(*fd, packet.at, packet.n, MSG_NOSIGNAL) == (ssize_t)packet.n)
        return END_OPEN;
    *error = errno;
    return end_of(errno);
}

enum end
bypass_send(const struct way *w, int *error)
{
    int fd = -1;
    enum end end = send_one(w, TEXT("holdfast"), &fd, error);

    if (fd >= 0)
        close(fd);
    return end;
}

/* ---- ping */

/* Who says so: this machine has our address. */
static bool
is_ours(int fd, const struct sockaddr *offender)
{
    struct sockaddr_storage own;
    socklen_t n = sizeof own;
    struct address us, them;
    uint16_t port;

    if (getsockname(fd, (struct sockaddr *)&own, &n) != 0)
        return false;
    address_from_sockaddr((struct sockaddr *)&own, &us, &port);
    address_from_sockaddr(offender, &them, &port);
    return address_equals(&us, &them);
}

/* The kernel sends an echo over IPv6 and tells nobody what became of it, but for the
 * refusal that comes back. */
static enum end
hear_prohibition(int fd, int *error)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) +
                              sizeof(struct sockaddr_in6))];
    } control;
    char data[64];
    struct iovec piece = { data, sizeof data };
    struct msghdr m = { .msg_iov = &piece,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control };
    const struct sock_extended_err *said;
    const struct cmsghdr *c;

    if (!knock_wait(fd, POLLERR, REFUSAL_MS) ||
        recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 ||
        (c = CMSG_FIRSTHDR(&m)) == NULL || c->cmsg_level != IPPROTO_IPV6 ||
        c->cmsg_type != IPV6_RECVERR)
        return END_OPEN;
    said = (const struct sock_extended_err *)CMSG_DATA(c);
    *error = (int)said->ee_errno;
    return is_ours(fd, SO_EE_OFFENDER(said)) ? END_REFUSED : END_OPEN;
}

/* A socket of this kind is given its checksum by the kernel. */
enum end
bypass_ping(const struct way *w, int *error)
{
    const char four[8] = { 8 }, six[8] = { (char)128 };
    bool is_six = w->family == AF_INET6;
    int fd = -1;
    enum end end = send_one(w, text_of(is_six ? six : four, 8), &fd, error);

    if (end == END_OPEN && is_six)
        end = hear_prohibition(fd, error);
    if (fd >= 0)
        close(fd);
    return end;
}

/* ---- DNS */

/* "." NS: what every resolver knows, and no grant names; with the length that TCP puts
 * before it. */
static const char question[] = "\x00\x11\x48\x46\x01\x00\x00\x01\x00\x00\x00\x00\x00"
                               "\x00\x00\x00\x02\x00\x01";
enum { LENGTH_SIZE = 2, QUESTION_SIZE = sizeof question - 1 };

/* Whoever knows, fails or says nothing is not our dns door, which refuses a name that
 * no grant has, or says there is none. */
static enum end
hear_refusal(int fd, size_t before, int *error)
{
    enum { FLAGS_LOW = 3, RCODE = 0x0f, NXDOMAIN = 3, REFUSED = 5 };
    unsigned char answer[512];
    ssize_t n;
    int code;

    if (!knock_wait(fd, POLLIN, ANSWER_MS))
        return END_OPEN;
    n = recv(fd, answer, sizeof answer, 0);
    *error = errno;
    if (n < 0)
        return errno == ECONNREFUSED ? END_REFUSED : END_OPEN;
    if ((size_t)n <= before + FLAGS_LOW)
        return END_OPEN;
    code = answer[before + FLAGS_LOW] & RCODE;
    return code == REFUSED || code == NXDOMAIN ? END_TURNED : END_OPEN;
}

enum end
bypass_dns(const struct way *w, int *error)
{
    int fd = -1;
    enum end end = send_one(
        w, text_of(question + LENGTH_SIZE, QUESTION_SIZE - LENGTH_SIZE), &fd, error);

    if (end == END_OPEN)
        end = hear_refusal(fd, 0, error);
    if (fd >= 0)
        close(fd);
    return end;
}

enum end
bypass_dns_tcp(const struct way *w, int *error)
{
    struct address to = bypass_nobody(w->family);
    enum end end;
    int fd = connect_to(w, &to, &end, error);

    if (fd < 0)
        return end;
    end = END_OPEN;
    if (send(fd, question, QUESTION_SIZE, MSG_NOSIGNAL) == QUESTION_SIZE)
        end = hear_refusal(fd, LENGTH_SIZE, error);
    close(fd);
    return end;
}

/* ---- below IP's ports */

/* One such socket is enough: what it sends passes no rule of the table. */
enum end
bypass_open(const struct way *w, int *error)
{
    int fd = socket(w->family, w->kind | SOCK_CLOEXEC, w->protocol);

    *error = errno;
    if (fd < 0)
        return without_socket(errno);
    close(fd);
    return END_OPEN;
}

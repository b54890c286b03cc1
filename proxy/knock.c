#include "proxy/knock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

bool
knock_wait(int fd, short events, int patience_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;

    while ((n = poll(&p, 1, patience_ms)) < 0 && errno == EINTR)
        ;
    return n > 0;
}

/* Only a machine's own refusal comes as a reset of TCP, or at once: whatever else is
 * heard later was said of a packet that had left. */
static int
judge_late(int fd, int error)
{
    int protocol = 0;
    socklen_t n = sizeof protocol;

    (void)getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n);
    return protocol == IPPROTO_TCP && error != ECONNREFUSED ? ETIMEDOUT : error;
}

/* What became of a connection that was begun; 0: it stands. */
static int
finish(int fd, int patience_ms)
{
    int error = ETIMEDOUT;
    socklen_t n = sizeof error;

    if (!knock_wait(fd, POLLOUT, patience_ms) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        return ETIMEDOUT;
    return error == 0 ? 0 : judge_late(fd, error);
}

static int
begin(int fd, const struct sockaddr *to, socklen_t n, int patience_ms)
{
    int error = 0;

    if (fd < 0)
        return -1;
    if (connect(fd, to, n) != 0)
        error = errno == EINPROGRESS ? finish(fd, patience_ms) : errno;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

int
knock_begin(int fd, const struct address *address, uint16_t port, int patience_ms)
{
    struct sockaddr_storage to;
    socklen_t n = address_to_sockaddr(address, port, &to);

    return begin(fd, (const struct sockaddr *)&to, n, patience_ms);
}

int
knock_connect(const struct address *address, uint16_t port)
{
    return knock_begin(
        socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), address,
        port, KNOCK_PATIENCE_MS);
}

int
knock_connect_unix(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof to.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    return begin(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                 (const struct sockaddr *)&to, sizeof to, KNOCK_PATIENCE_MS);
}

void
knock_write_authority(const struct address *address, uint16_t port, struct buf *out)
{
    char printed[ADDRESS_PRINT_SIZE];

    address_print(address, printed);
    buf_printf(out, address->family == AF_INET6 ? "[%s]:%u" : "%s:%u", printed, port);
}

static bool
is_head(struct text t)
{
    return t.n >= 4 && memmem(t.at, t.n, "\r\n\r\n", 4) != NULL;
}

static bool
say(int fd, struct text question)
{
    ssize_t n = send(fd, question.at, question.n, MSG_NOSIGNAL);

    return n == (ssize_t)question.n; /* an empty socket takes a line of text */
}

static bool
ask(int fd, struct text question, struct buf *head)
{
    char piece[1024];
    ssize_t n;

    if (!say(fd, question))
        return false;
    while (!is_head(buf_text(head)) && buf_length(head) < KNOCK_ANSWER_MAX) {
        if (!knock_wait(fd, POLLIN, KNOCK_PATIENCE_MS) ||
            (n = recv(fd, piece, sizeof piece, 0)) <= 0)
            return false;
        buf_add(head, text_of(piece, (size_t)n));
    }
    return is_head(buf_text(head));
}

bool
knock_is_holdfast(int fd, struct text question)
{
    static const char mark[] = "\r\nProxy-Status: holdfast;";
    struct buf head = { 0 };
    bool is = ask(fd, question, &head) && memmem(buf_text(&head).at, buf_length(&head),
                                                 mark, sizeof mark - 1) != NULL;

    buf_free(&head);
    return is;
}

bool
knock_opens_tunnel(int fd, struct text question)
{
    struct buf head = { 0 };
    bool opens = ask(fd, question, &head) &&
                 text_starts(buf_text(&head), TEXT("HTTP/1.1 200 "));

    buf_free(&head);
    return opens;
}

/* Answers of a nameserver. The resolver runs as it is, on a loop of its own, but its
 * sockets are made of memory: c-ares asks, and the input answers. The question and the
 * id are copied, so that the rest is looked at; an answer over TCP has its length. The
 * first half of an input answers for A, the second for AAAA.
 *
 * A look-up ends once, with a reason or with at most so many real addresses; and never
 * well where a good answer names a metadata service on the way. */
#include "tests/fuzz/fuzz.h"

#include "proxy/resolve.h"

#include <ares.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER = 12, QUESTION_MAX = 512, ANSWER_MAX = 8192, SOCKETS = 16, TURNS = 12 };

/* What stands for a socket: an eventfd that can always be read, so that the loop turns.
 */
static struct fake {
    int fd;
    bool is_tcp, has_question;
    unsigned char answer[ANSWER_MAX];
    size_t n, at;
} fakes[SOCKETS];

static struct text answers[2]; /* for A, for AAAA */

/* The last message that was sent to each, whole. */
static struct {
    unsigned char bytes[ANSWER_MAX];
    size_t n;
} said[2];

/* ---- sockets of memory */

static ares_socket_t
fake_open(int domain, int type, int protocol, void *arg)
{
    (void)domain, (void)protocol, (void)arg;
    for (size_t i = 0; i < SOCKETS; i++) {
        if (fakes[i].fd != -1)
            continue;
        fakes[i] = (struct fake){ .fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC),
                                  .is_tcp = type == SOCK_STREAM };
        return fakes[i].fd;
    }
    errno = EMFILE;
    return ARES_SOCKET_BAD;
}

static struct fake *
fake_of(ares_socket_t fd)
{
    for (size_t i = 0; i < SOCKETS; i++)
        if (fakes[i].fd == fd)
            return &fakes[i];
    abort();
}

static int
fake_close(ares_socket_t fd, void *arg)
{
    (void)arg;
    fake_of(fd)->fd = -1;
    return close(fd);
}

static int
fake_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t n, void *arg)
{
    (void)fd, (void)to, (void)n, (void)arg;
    return 0;
}

static void
put(struct fake *f, const void *bytes, size_t n)
{
    n = n < ANSWER_MAX - f->n ? n : ANSWER_MAX - f->n;
    memcpy(f->answer + f->n, bytes, n);
    f->n += n;
}

/* id, flags and counts of the input, the question as it was asked, and the rest of the
 * input. */
static void
answer_question(struct fake *f, const unsigned char *q, size_t n)
{
    bool is_aaaa = q[n - 3] == 28;
    struct text in = answers[is_aaaa];
    size_t whole = in.n < HEADER - 2 ? 2 + in.n : n + in.n - (HEADER - 2);
    unsigned char length[2] = { (unsigned char)(whole >> 8), (unsigned char)whole };

    f->n = f->at = 0;
    if (f->is_tcp)
        put(f, length, 2);
    put(f, q, 2);
    put(f, in.at, in.n < HEADER - 2 ? in.n : HEADER - 2);
    if (in.n >= HEADER - 2) {
        put(f, q + HEADER, n - HEADER);
        put(f, in.at + HEADER - 2, in.n - (HEADER - 2));
    }
    said[is_aaaa].n = f->n - (f->is_tcp ? 2 : 0);
    memcpy(said[is_aaaa].bytes, f->answer + (f->is_tcp ? 2 : 0), said[is_aaaa].n);
}

static ares_ssize_t
fake_send(ares_socket_t fd, const struct iovec *v, int n_v, void *arg)
{
    struct fake *f = fake_of(fd);
    unsigned char q[QUESTION_MAX];
    size_t n = 0, behind = f->is_tcp ? 2 : 0;

    (void)arg;
    for (int i = 0; i < n_v; i++) {
        PROMISE(n + v[i].iov_len <= sizeof q);
        memcpy(q + n, v[i].iov_base, v[i].iov_len);
        n += v[i].iov_len;
    }
    PROMISE(n > behind + HEADER);
    answer_question(f, q + behind, n - behind);
    return (ares_ssize_t)n;
}

static ares_ssize_t
fake_receive(ares_socket_t fd, void *into, size_t room, int flags,
             struct sockaddr *from, ares_socklen_t *from_size, void *arg)
{
    struct fake *f = fake_of(fd);
    struct sockaddr_in server = { .sin_family = AF_INET,
                                  .sin_port = htons(53),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
    size_t n = f->n - f->at < room ? f->n - f->at : room;

    (void)flags, (void)arg;
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(into, f->answer + f->at, n);
    f->at = f->is_tcp ? f->at + n : f->n;
    if (from != NULL) {
        memcpy(from, &server, sizeof server);
        *from_size = sizeof server;
    }
    return (ares_ssize_t)n;
}

static const struct ares_socket_functions fake_functions = { fake_open, fake_close,
                                                             fake_connect, fake_receive,
                                                             fake_send };

/* The linker puts this in c-ares' place in proxy/resolve.c (--wrap). */
int __real_ares_init_options(ares_channel *channel, struct ares_options *options,
                             int mask);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options,
                             int mask);

int
__wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
    int status = __real_ares_init_options(channel, options, mask);

    if (status == ARES_SUCCESS)
        ares_set_socket_functions(*channel, &fake_functions, NULL);
    return status;
}

/* ---- a look-up */

static struct loop *loop;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    loop = loop_new();
    for (size_t i = 0; i < SOCKETS; i++)
        fakes[i].fd = -1;
    return 0;
}

static void
on_bell(void *owner)
{
    ++*(unsigned *)owner;
}

static bool
is_metadata_name(const char *name)
{
    struct host host;

    return name != NULL && host_parse(text_z(name), &host) == REASON_OK &&
           host_is_metadata(&host);
}

/* By another road through c-ares than the resolver's. */
static bool
passes_by_metadata(size_t i)
{
    struct hostent *h = NULL;
    bool does = false;
    int n = (int)said[i].n;

    if (n < HEADER || (said[i].bytes[3] & 0x0f) != 0 ||
        (i == 0
             ? ares_parse_a_reply(said[i].bytes, n, &h, NULL, NULL)
             : ares_parse_aaaa_reply(said[i].bytes, n, &h, NULL, NULL)) != ARES_SUCCESS)
        return false;
    does = is_metadata_name(h->h_name);
    for (char **alias = h->h_aliases; *alias != NULL; alias++)
        does = does || is_metadata_name(*alias);
    ares_free_hostent(h);
    return does;
}

static void
promise_lookup(const struct lookup *l)
{
    PROMISE(l->query == NULL);
    if (l->why != REASON_OK) {
        PROMISE(l->n == 0);
        return;
    }
    PROMISE(l->n > 0 && l->n <= LOOKUP_ADDRESSES);
    for (size_t i = 0; i < l->n; i++)
        PROMISE(l->addresses[i].family == AF_INET ||
                l->addresses[i].family == AF_INET6);
}

static void
look_up(struct resolver *r, struct text name)
{
    unsigned rung = 0;
    struct wake bell = { .answer = on_bell, .owner = &rung };
    struct lookup l;
    struct host host;

    PROMISE(host_parse(name, &host) == REASON_OK);
    lookup_start(r, &host, &l, &bell);
    for (unsigned i = 0; i < TURNS && rung == 0; i++)
        event_base_loop(loop_base(loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    PROMISE(rung <= 1 && (rung == 0 || l.done));
    if (l.done)
        promise_lookup(&l);
    if (l.done && l.why == REASON_OK)
        PROMISE(!passes_by_metadata(0) && !passes_by_metadata(1));
    lookup_drop(&l);
    wake_cancel(&bell);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const servers[] = { "127.0.0.1" };
    static const char *const own[] = { "192.0.2.1", "2001:db8::1" };
    static struct conf_hosts_row row = { .name = "own.test",
                                         .addresses = { own, 2, false } };
    const struct conf_resolver conf = { .servers = { servers, 1, false },
                                        .hosts = { &row, 1 },
                                        .timeout_ms = 3600 * 1000 };
    struct resolver *r;
    struct text t = input_of(data, size);
    size_t half = t.n > 1 ? ((size_t)take_byte(&t) * t.n + 127) / 255 : t.n;

    said[0].n = said[1].n = 0;
    answers[0] = text_of(t.at, half);
    answers[1] = text_of(t.at + half, t.n - half);
    r = resolver_new(loop, &conf);
    PROMISE(resolver_is_ready(r));
    look_up(r, TEXT("own.test"));
    look_up(r, TEXT("192.0.2.1"));
    look_up(r, TEXT("a.test"));
    resolver_free(r);
    for (size_t i = 0; i < SOCKETS; i++)
        PROMISE(fakes[i].fd == -1);
    return 0;
}

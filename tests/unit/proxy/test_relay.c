/* proxy/relay.c, one turn after the other, between sockets and a TLS of the test's own:
 * when the other side takes bytes, and how many there are, is said here. */
#include "tests/unit/proxy/house.h"

#include "proxy/exchange.h"
#include "tests/unit/http/frames.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { CEILING = 4096, ROOM = 64 * 1024, PIECE = 6000, ENDLESS = 100 * 1000 };

/* One exchange in the middle of its life. */
static struct worker worker;
static struct epoch epoch;
static struct conn *client;
static struct exchange *x;
static int peer, service; /* the other ends */

/* ---- what the linker puts in the way of proxy/link.c */

static int slow_fd;      /* this socket … */
static unsigned refused; /* … takes nothing so many times more */
static int bottomless_fd;
static size_t swallowed, reads;
static unsigned sent_to_wait; /* sends that told of more to come */

ssize_t __real_send(int fd, const void *at, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *at, size_t n, int flags);
enum io __wrap_tls_read(struct tls *t, char *at, size_t room, size_t *n);
bool __wrap_tls_has_pending(const struct tls *t);
bool __wrap_tls_shutdown(struct tls *t);
void __wrap_tls_free(struct tls *t);

ssize_t
__wrap_send(int fd, const void *at, size_t n, int flags)
{
    sent_to_wait += (flags & MSG_MORE) != 0;
    if (fd == slow_fd && refused > 0) {
        refused--;
        errno = EAGAIN;
        return -1;
    }
    if (fd == bottomless_fd) {
        swallowed += n;
        return (ssize_t)n;
    }
    return __real_send(fd, at, n, flags);
}

/* A peer that always has more, and is always faster than we are: one chunk after the
 * other. */
enum io
__wrap_tls_read(struct tls *t, char *at, size_t room, size_t *n)
{
    static const char chunk[] = "8\r\nzzzzzzzz\r\n";

    (void)t;
    if (++reads > ENDLESS)
        fail_msg("a turn without an end");
    for (*n = 0; *n + sizeof chunk <= room; *n += sizeof chunk - 1)
        memcpy(at + *n, chunk, sizeof chunk - 1);
    return IO_OK;
}

bool
__wrap_tls_has_pending(const struct tls *t)
{
    return t != NULL;
}

bool
__wrap_tls_shutdown(struct tls *t)
{
    return t != NULL;
}

void
__wrap_tls_free(struct tls *t)
{
    (void)t;
}

/* ---- the scene */

static void
on_client(void *owner)
{
    struct conn *c = owner;

    if (!list_is_empty(&c->exchanges))
        exchange_wake(LIST_OWNER(c->exchanges.next, struct exchange, of_conn));
}

static void
on_upstream(void *user)
{
    exchange_wake(user);
}

static struct wire_limits limits = { 16384, 100, 8192, CEILING, 1 };
static enum wire_version spoken; /* by the service */

static void
open_client(void)
{
    int ends[2];

    tcp_pair(ends);
    peer = ends[1];
    client = calloc(1, sizeof *client);
    assert_non_null(client);
    client->worker = &worker;
    list_init(&client->exchanges);
    client->wake = (struct wake){ .answer = on_client, .owner = client };
    link_open(&client->link, loop, ends[0], CEILING, &client->wake);
    client->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &limits, &client->link.in,
                            &client->link.out);
}

static void
begin_request(const char *head)
{
    enum reason why = REASON_OK;
    struct stream *s;

    buf_add_z(&client->link.in, head);
    assert_int_equal(wire_next(client->wire, &s), FLOW_OK);
    x = exchange_new(client, s);
    assert_int_equal(stream_read_request(s, x->arena, &x->request, &why), FLOW_OK);
    x->step = STEP_RELAY;
}

/* Not through exchange_wake's run: the turns are the test's own until it lets them go.
 */
static void
open_upstream(void)
{
    struct upstream_key key;
    struct address here = loopback();
    uint16_t port;
    int door = listening_socket(&port);

    memset(&key, 0, sizeof key);
    x->up = upstream_dial(loop, &key, &here, port, &limits, CEILING, on_upstream, NULL);
    assert_non_null(x->up);
    UNTIL(x->up->link.state == LINK_OPEN);
    x->up->user = x;
    upstream_speak(x->up, spoken);
    service = accept(door, NULL, NULL);
    assert_true(service >= 0);
    close(door);
    x->up_stream = wire_open(x->up->wire);
    stream_write_request(x->up_stream, &x->request, TEXT("/"), TEXT(""),
                         TEXT("api.example"));
    if (x->request.body.kind == BODY_NONE)
        stream_write_end(x->up_stream, NULL);
    link_move(&x->up->link);
    assert_int_equal(buf_length(&x->up->link.out), 0);
}

static void
begin_exchange(const char *head)
{
    worker = (struct worker){ .loop = loop, .now = &epoch, .metrics = metrics_new() };
    epoch = (struct epoch){ .generation = house_build(1),
                            .pool = pool_new(loop, 0, 0, 0),
                            .references = 1 };
    list_init(&worker.conns);
    list_init(&worker.epochs);
    list_init(&epoch.exchanges);
    slow_fd = bottomless_fd = -1;
    refused = 0;
    swallowed = reads = 0;
    sent_to_wait = 0;
    open_client();
    begin_request(head);
    open_upstream();
}

static void
end_exchange(void)
{
    exchange_abort(x, REASON_DRAINING);
    wake_cancel(&client->wake);
    alarm_clear(&client->alarm);
    wire_free(client->wire);
    link_close(&client->link);
    free(client);
    close(peer);
    close(service);
    pool_free(epoch.pool);
    metrics_free(worker.metrics);
    generation_unref(epoch.generation);
}

static void
come_in(struct link *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_byte(&l->in, 'a');
}

/* ---- the promises */

/* The last of it stands in `from` and will ring no bell any more; `to` takes bytes
 * again at some moment of the turn, or just after it. */
static void
last_piece_goes_on(struct link *from, struct link *to, unsigned tries)
{
    uint64_t begun = to->sent;

    slow_fd = to->fd;
    come_in(from, PIECE);
    refused = ENDLESS;
    assert_int_equal(relay_bodies(x), WAIT);
    assert_true(buf_length(&to->out) >= CEILING);
    come_in(from, PIECE);
    refused = tries;
    assert_int_equal(relay_bodies(x), WAIT);
    refused = 0;
    UNTIL(to->sent - begun >= 2 * (uint64_t)PIECE && buf_length(&to->out) == 0);
    assert_int_equal(buf_length(&from->in), 0);
}

static void
an_upload_never_stands_still_whenever_the_service_takes_it(void **state)
{
    (void)state;
    for (unsigned tries = 0; tries < 8; tries++) {
        begin_exchange("POST / HTTP/1.1\r\nHost: api.example\r\n"
                       "Content-Length: 100000\r\n\r\n");
        last_piece_goes_on(&client->link, &x->up->link, tries);
        end_exchange();
    }
}

static void
a_download_never_stands_still_whenever_the_client_takes_it(void **state)
{
    (void)state;
    for (unsigned tries = 0; tries < 8; tries++) {
        begin_exchange("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
        buf_add_z(&x->up->link.in, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        last_piece_goes_on(&x->up->link, &client->link, tries);
        end_exchange();
    }
}

static void
a_greedy_exchange_gives_others_a_turn_and_comes_again(void **state)
{
    struct bell other;
    size_t first;

    (void)state;
    limits.ceiling = ROOM;
    begin_exchange("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
    buf_add_z(&x->up->link.in,
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    bottomless_fd = client->link.fd;
    x->up->link.ceiling = client->link.ceiling = ROOM;
    x->up->link.tls = (struct tls *)(void *)&other;
    assert_int_equal(relay_bodies(x), WAIT);
    first = swallowed;
    assert_true(first > ROOM);
    assert_true(list_is_linked(&x->wake.queued));
    bell_hang(&other);
    wake_ring(loop, &other.wake);
    turn();
    assert_int_equal(other.rung, 1);
    assert_true(swallowed > first);
    end_exchange();
    limits.ceiling = CEILING;
}

/* The last of the answer stands behind what the client has not taken yet: it is the
 * client that we wait for, and its deadline that counts. */
static void
a_client_that_is_full_is_not_a_service_that_is_gone(void **state)
{
    (void)state;
    begin_exchange("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
    buf_add_z(&x->up->link.in, "HTTP/1.1 200 OK\r\nContent-Length: 12000\r\n\r\n");
    slow_fd = client->link.fd;
    refused = ENDLESS;
    come_in(&x->up->link, PIECE);
    assert_int_equal(relay_bodies(x), WAIT);
    come_in(&x->up->link, PIECE);
    x->up->link.read_ended = true;
    assert_int_equal(relay_bodies(x), WAIT);
    assert_int_equal(x->step, STEP_RELAY);
    assert_int_equal(x->why, REASON_OK);
    assert_int_equal(x->on_timeout, REASON_IDLE);
    assert_true(x->alarm.due != 0);
    end_exchange();
}

/* TLS has the beginning of a record, and no more comes for now. */
static void
what_waits_for_a_record_goes_when_the_turn_ends(void **state)
{
    int unsent = -1;

    (void)state;
    begin_exchange("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
    buf_add_z(&x->up->link.in, "HTTP/1.1 200 OK\r\nContent-Length: 12000\r\n\r\n");
    x->up->link.has_left = true;
    come_in(&x->up->link, PIECE);
    assert_int_equal(relay_bodies(x), WAIT);
    assert_true(sent_to_wait > 0);
    assert_int_equal(ioctl(client->link.fd, SIOCOUTQNSD, &unsent), 0);
    assert_int_equal(unsent, 0);
    assert_false(client->link.is_held || client->link.more_comes);
    end_exchange();
}

/* The wire has not heard yet what its socket has: the exchange is woken between the
 * two, by its client perhaps. */
static void
the_end_of_a_shared_connection_waits_for_what_came_before_it(void **state)
{
    enum reason why = REASON_OK;
    struct buf *in;

    (void)state;
    spoken = WIRE_HTTP2;
    limits.ceiling = ROOM;
    begin_exchange("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
    in = &x->up->link.in;
    wire_send(x->up->wire);
    add_frame(in, F_SETTINGS, 0, 0, text_of("", 0));
    add_head(in, 1, ":status: 200", 0);
    assert_int_equal(wire_receive(x->up->wire, &why), FLOW_OK);
    assert_int_equal(relay_bodies(x), WAIT);
    add_frame(in, F_DATA, F_END_STREAM, 1, TEXT("all of it"));
    x->up->link.read_ended = true;
    assert_int_equal(relay_bodies(x), WAIT);
    assert_int_equal(x->why, REASON_OK);
    wire_read_closed(x->up->wire);
    assert_int_equal(wire_receive(x->up->wire, &why), FLOW_OK);
    assert_int_equal(relay_bodies(x), GO);
    assert_int_equal(x->step, STEP_FINISH);
    assert_int_equal(x->why, REASON_OK);
    assert_int_equal(x->body_out, strlen("all of it"));
    end_exchange();
    spoken = WIRE_HTTP1;
    limits.ceiling = CEILING;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(an_upload_never_stands_still_whenever_the_service_takes_it),
        HOUSE_TEST(a_download_never_stands_still_whenever_the_client_takes_it),
        HOUSE_TEST(a_greedy_exchange_gives_others_a_turn_and_comes_again),
        HOUSE_TEST(a_client_that_is_full_is_not_a_service_that_is_gone),
        HOUSE_TEST(what_waits_for_a_record_goes_when_the_turn_ends),
        HOUSE_TEST(the_end_of_a_shared_connection_waits_for_what_came_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

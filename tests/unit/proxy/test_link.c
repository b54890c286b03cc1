/* proxy/link.c on plain sockets: what comes, what goes, how it ends, and where it stops
 * while nobody takes it. */
#include "tests/unit/proxy/stage.h"

#include "proxy/exchange.h"
#include "proxy/link.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { CEILING = 64 * 1024, LOW_CEILING = 4096, READ_SIZE = 16 * 1024, LETTERS = 26 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
static struct bell bell;

static void
open_link(struct link *l, int fd, size_t ceiling)
{
    bell_hang(&bell);
    link_open(l, loop, fd, ceiling, &bell.wake);
}

/* Goes on with the letters where *total left them, as far as the socket takes them. */
static void
pour(int fd, size_t *total, size_t n)
{
    while (n > 0) {
        size_t at = *total % LETTERS;
        size_t piece = LETTERS - at < n ? LETTERS - at : n;
        ssize_t put = send(fd, letters + at, piece, MSG_NOSIGNAL);

        if (put < 0)
            return;
        *total += (size_t)put;
        n -= (size_t)put;
    }
}

static void
check_letters(struct text t, size_t *total)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] != letters[(*total + i) % LETTERS])
            fail_msg("byte %zu is wrong", *total + i);
    *total += t.n;
}

static void
what_comes_stands_in_the_buffer_and_rings(void **state)
{
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    assert_int_equal(l.state, LINK_OPEN);
    settle();
    assert_int_equal(bell.rung, 0);
    put_bytes(ends[1], TEXT("hello"));
    UNTIL(bell.rung > 0);
    assert_buf(&l.in, "hello");
    assert_int_equal(l.received, 5);
    assert_false(l.read_ended);
    link_close(&l);
    close(ends[1]);
}

static void
what_is_put_out_goes_at_once_when_the_socket_takes_it(void **state)
{
    struct link l;
    char got[8];
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    buf_add_z(&l.out, "answer");
    link_move(&l);
    assert_int_equal(buf_length(&l.out), 0);
    assert_int_equal(l.sent, 6);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 6);
    assert_memory_equal(got, "answer", 6);
    link_close(&l);
    close(ends[1]);
}

/* The ceiling may be overshot by one read, and by no more however much there is. */
static void
reading_stops_at_the_ceiling_and_goes_on_when_drained(void **state)
{
    size_t poured = 0, drunk = 0;
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], LOW_CEILING);
    while (drunk < 4 * CEILING) {
        unsigned rung;

        pour(ends[1], &poured, 2 * READ_SIZE);
        UNTIL(buf_length(&l.in) >= LOW_CEILING);
        rung = bell.rung;
        settle();
        settle();
        assert_true(bell.rung <= rung + 1); /* deaf, not busy */
        assert_true(buf_length(&l.in) < LOW_CEILING + READ_SIZE);
        assert_int_equal(l.received, drunk + buf_length(&l.in));
        check_letters(buf_text(&l.in), &drunk);
        buf_drop(&l.in, buf_length(&l.in));
        link_move(&l);
    }
    link_close(&l);
    close(ends[1]);
}

static void
a_peer_that_does_not_read_makes_us_wait_and_loses_nothing(void **state)
{
    size_t put = 0, got = 0, held;
    struct link l;
    char piece[READ_SIZE];
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    while (buf_length(&l.out) == 0) {
        for (size_t i = 0; i < 4096; i++, put++)
            buf_add_byte(&l.out, letters[put % LETTERS]);
        link_move(&l);
    }
    held = buf_length(&l.out);
    settle();
    settle();
    assert_int_equal(buf_length(&l.out), held);
    assert_int_equal(l.sent, put - held);
    assert_int_equal(l.state, LINK_OPEN);
    while (got < put) {
        ssize_t n = recv(ends[1], piece, sizeof piece, 0);

        if (n > 0)
            check_letters(text_of(piece, (size_t)n), &got);
        else
            turn();
    }
    assert_int_equal(buf_length(&l.out), 0);
    assert_int_equal(l.sent, put);
    assert_true(bell.rung > 0); /* its owner may fill it again */
    link_close(&l);
    close(ends[1]);
}

/* And what is put out behind it comes behind it. */
static void
what_is_passed_goes_past_the_buffer_until_the_socket_is_full(void **state)
{
    static char piece[16 * READ_SIZE];
    size_t put = 0, got = 0, passed;
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    do {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = letters[(put + i) % LETTERS];
        passed = link_pass(&l, text_of(piece, sizeof piece));
        put += passed;
    } while (passed == sizeof piece);
    assert_int_equal(l.sent, put);
    assert_int_equal(buf_length(&l.out), 0);
    assert_int_equal(link_pass(&l, text_of(piece, 1)), 0);
    buf_add_byte(&l.out, letters[put++ % LETTERS]);
    link_move(&l);
    assert_int_equal(buf_length(&l.out), 1);
    while (got < put) {
        ssize_t n = recv(ends[1], piece, sizeof piece, 0);

        if (n > 0)
            check_letters(text_of(piece, (size_t)n), &got);
        else
            turn();
    }
    assert_int_equal(l.sent, put);
    link_close(&l);
    close(ends[1]);
}

static int
unsent(const struct link *l)
{
    int n = 0;

    assert_int_equal(ioctl(l->fd, SIOCOUTQNSD, &n), 0);
    return n;
}

/* One whom the machine lets stand for 200 ms finds that the kernel has sent it: once in
 * a hundred he is quicker. */
static void
what_is_held_back_goes_with_the_push(void **state)
{
    bool waited = false;
    struct link l;
    char got[16];
    int ends[2];

    (void)state;
    for (unsigned i = 0; i < 100 && !waited; i++) {
        tcp_pair(ends);
        open_link(&l, ends[0], CEILING);
        l.more_comes = true;
        buf_add_z(&l.out, "first ");
        link_move(&l);
        assert_int_equal(l.sent, 6);
        waited = unsent(&l) == 6;
        link_push(&l);
        assert_int_equal(unsent(&l), 0);
        buf_add_z(&l.out, "second");
        link_move(&l);
        assert_int_equal(unsent(&l), 0);
        assert_int_equal(recv(ends[1], got, 12, MSG_WAITALL), 12);
        assert_memory_equal(got, "first second", 12);
        link_close(&l);
        close(ends[1]);
    }
    assert_true(waited);
}

static void
what_was_held_back_goes_before_what_is_not(void **state)
{
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    l.more_comes = true;
    assert_int_equal(link_pass(&l, TEXT("first ")), 6);
    l.more_comes = false;
    assert_int_equal(link_pass(&l, TEXT("second")), 6);
    assert_int_equal(unsent(&l), 0);
    link_close(&l);
    close(ends[1]);
}

static void
a_half_close_is_told_and_we_can_still_answer(void **state)
{
    struct link l;
    char got[8];
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    put_bytes(ends[1], TEXT("last"));
    shutdown(ends[1], SHUT_WR);
    UNTIL(l.read_ended);
    assert_buf(&l.in, "last");
    assert_int_equal(l.state, LINK_OPEN);
    assert_false(l.truncated);
    assert_true(bell.rung > 0);
    settle();
    bell.rung = 0;
    settle();
    assert_int_equal(bell.rung, 0); /* an end is told once, not on and on */
    buf_add_z(&l.out, "bye");
    link_move(&l);
    link_shut_write(&l);
    link_shut_write(&l);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 3);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 0);
    link_close(&l);
    close(ends[1]);
}

static void
a_reset_is_death(void **state)
{
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    reset_socket(ends[1]);
    UNTIL(l.state == LINK_DEAD);
    assert_int_equal(l.why, REASON_CLIENT_GONE);
    settle();
    bell.rung = 0;
    buf_add_z(&l.out, "to nobody");
    link_move(&l); /* nothing moves any more */
    link_shut_write(&l);
    settle();
    assert_int_equal(l.sent, 0);
    assert_int_equal(bell.rung, 0);
    link_close(&l);
}

/* A service that refuses an upload answers and closes while we still send: the write
 * fails, and what it said must be read all the same. */
static void
what_a_peer_said_before_it_stopped_reading_is_not_lost(void **state)
{
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    put_bytes(ends[1], TEXT("413"));
    close(ends[1]);
    for (unsigned i = 0; i < 1000 && l.state == LINK_OPEN; i++) {
        buf_add_z(&l.out, "upload ");
        link_move(&l);
    }
    UNTIL(l.state == LINK_DEAD || l.read_ended);
    assert_buf(&l.in, "413");
    assert_int_equal(l.received, 3);
    link_close(&l);
}

static void
an_abort_is_a_reset_for_the_peer(void **state)
{
    struct link l;
    char got[8];
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    link_abort(&l);
    link_close(&l);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(ends[1]);
}

static void
a_close_is_a_clean_end_for_the_peer_and_can_be_repeated(void **state)
{
    struct link l, never = { .fd = -1 };
    char got[8];
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    link_close(&l);
    link_close(&l);
    link_close(&never);
    assert_int_equal(l.fd, -1);
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 0);
    close(ends[1]);
}

/* ---- connecting */

static void
connecting_ends_open_at_the_address_that_was_dialled(void **state)
{
    struct address here = loopback();
    struct link l;
    uint16_t port;
    int door = listening_socket(&port), peer;

    (void)state;
    bell_hang(&bell);
    assert_int_equal(link_connect(&l, loop, &here, port, CEILING, &bell.wake),
                     REASON_OK);
    assert_int_equal(l.state, LINK_CONNECTING);
    UNTIL(bell.rung > 0);
    assert_int_equal(l.state, LINK_OPEN);
    assert_true(link_peer_is(&l, &here, port));
    peer = accept(door, NULL, NULL);
    put_bytes(peer, TEXT("x"));
    UNTIL(buf_length(&l.in) == 1);
    link_close(&l);
    close(peer);
    close(door);
}

static void
a_door_that_nobody_holds_is_connect_failed(void **state)
{
    struct address here = loopback();
    struct link l;
    uint16_t port;
    int door = listening_socket(&port);

    (void)state;
    close(door);
    bell_hang(&bell);
    if (link_connect(&l, loop, &here, port, CEILING, &bell.wake) == REASON_OK) {
        UNTIL(bell.rung > 0);
        assert_int_equal(l.state, LINK_DEAD);
        assert_int_equal(l.why, REASON_CONNECT_FAILED);
    }
    link_close(&l);
}

/* A link-local address without a scope: the kernel says no in the call itself. */
static void
what_cannot_even_begin_is_refused_at_once(void **state)
{
    struct address nowhere;
    struct link l;

    (void)state;
    assert_true(address_parse(TEXT("fe80::1"), &nowhere));
    bell_hang(&bell);
    assert_int_equal(link_connect(&l, loop, &nowhere, 443, CEILING, &bell.wake),
                     REASON_CONNECT_FAILED);
    assert_int_not_equal(errno, 0);
    link_close(&l);
    settle();
    assert_int_equal(bell.rung, 0);
}

/* ---- who is there */

static void
the_peer_is_the_address_that_was_judged_or_it_is_not(void **state)
{
    static const struct {
        const char *address;
        int port_off;
        bool is;
    } rows[] = {
        { "127.0.0.1", 0, true },
        { "127.0.0.2", 0, false },
        { "127.0.0.1", 1, false },
        { "127.0.0.1", -1, false },
        { "::1", 0, false },
        { "::ffff:127.0.0.1", 0, false },
        { "169.254.169.254", 0, false },
    };
    struct address here = loopback(), a;
    struct link l;
    uint16_t port;
    int door = listening_socket(&port);

    (void)state;
    bell_hang(&bell);
    assert_int_equal(link_connect(&l, loop, &here, port, CEILING, &bell.wake),
                     REASON_OK);
    UNTIL(l.state == LINK_OPEN);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(address_parse(text_z(rows[i].address), &a));
        if (link_peer_is(&l, &a, (uint16_t)(port + rows[i].port_off)) != rows[i].is)
            fail_msg("%s%+d", rows[i].address, rows[i].port_off);
    }
    link_close(&l);
    close(door);
}

static void
both_ends_on_one_machine_are_known_by_their_address(void **state)
{
    struct link l;
    int ends[2];

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    assert_true(link_is_to_this_machine(&l));
    link_close(&l);
    close(ends[1]);
    assert_true(link_is_to_this_machine(&l)); /* not known: as if it were */
}

/* Which is not to be taken for another address than the one that was judged. */
static void
a_reset_takes_the_peer_away(void **state)
{
    struct link l;
    int ends[2];
    char c;

    (void)state;
    tcp_pair(ends);
    open_link(&l, ends[0], CEILING);
    assert_true(link_has_peer(&l));
    reset_socket(ends[1]);
    assert_true(recv(ends[0], &c, 1, 0) < 0);
    assert_false(link_has_peer(&l));
    link_close(&l);
}

static void
a_socket_without_an_internet_peer_is_nobody(void **state)
{
    struct address here = loopback(), none = { .family = 0 };
    struct link l;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    open_link(&l, ends[0], CEILING);
    assert_false(link_peer_is(&l, &here, 443));
    assert_false(link_peer_is(&l, &none, 443));
    link_close(&l);
    close(ends[1]);
    l.fd = -1;
    assert_false(link_peer_is(&l, &here, 443));
}

static void
on_change(void *user)
{
    unsigned *changes = user;

    ++*changes;
}

/* The step that asks: what was judged and where the connection ends are two addresses.
 */
static void
a_connection_that_ended_elsewhere_than_judged_is_refused(void **state)
{
    const struct wire_limits limits = { 16384, 100, 8192, 65536, 1 };
    struct upstream_key key = { .client = NULL };
    struct worker nobody = { .metrics = metrics_new() };
    struct epoch epoch = { .pool = pool_new(loop, 1, 1, 1000) };
    struct exchange x = { .step = STEP_DIAL, .worker = &nobody, .epoch = &epoch };
    struct address here = loopback();
    uint16_t port;
    unsigned changes = 0;
    int door = listening_socket(&port);

    (void)state;
    key.target.host = host_of("api.example");
    key.target.port = port;
    x.up = upstream_dial(loop, &key, &here, port, &limits, CEILING, on_change,
                         &changes);
    assert_non_null(x.up);
    UNTIL(changes > 0);
    x.up->address.bytes[3] = 2;
    assert_int_equal(dial(&x), GO);
    assert_int_equal(x.step, STEP_FINISH);
    assert_int_equal(x.refused_at, STEP_DIAL);
    assert_int_equal(x.why, REASON_PEER_ADDRESS);
    assert_string_equal(reason_token(x.why), "peer_address");
    x = (struct exchange){
        .step = STEP_DIAL, .worker = &nobody, .epoch = &epoch, .up = x.up
    };
    x.up->address = here;
    assert_int_equal(dial(&x), GO);
    assert_int_equal(x.step, STEP_PRESENT);
    assert_int_equal(tally_read(&nobody.metrics->opened), 1);
    upstream_close(x.up);
    pool_free(epoch.pool);
    metrics_free(nobody.metrics);
    close(door);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(what_comes_stands_in_the_buffer_and_rings),
        STAGE_TEST(what_is_put_out_goes_at_once_when_the_socket_takes_it),
        STAGE_TEST(reading_stops_at_the_ceiling_and_goes_on_when_drained),
        STAGE_TEST(a_peer_that_does_not_read_makes_us_wait_and_loses_nothing),
        STAGE_TEST(what_is_passed_goes_past_the_buffer_until_the_socket_is_full),
        STAGE_TEST(what_is_held_back_goes_with_the_push),
        STAGE_TEST(what_was_held_back_goes_before_what_is_not),
        STAGE_TEST(a_half_close_is_told_and_we_can_still_answer),
        STAGE_TEST(a_reset_is_death),
        STAGE_TEST(what_a_peer_said_before_it_stopped_reading_is_not_lost),
        STAGE_TEST(an_abort_is_a_reset_for_the_peer),
        STAGE_TEST(a_close_is_a_clean_end_for_the_peer_and_can_be_repeated),
        STAGE_TEST(connecting_ends_open_at_the_address_that_was_dialled),
        STAGE_TEST(a_door_that_nobody_holds_is_connect_failed),
        STAGE_TEST(what_cannot_even_begin_is_refused_at_once),
        STAGE_TEST(the_peer_is_the_address_that_was_judged_or_it_is_not),
        STAGE_TEST(both_ends_on_one_machine_are_known_by_their_address),
        STAGE_TEST(a_reset_takes_the_peer_away),
        STAGE_TEST(a_socket_without_an_internet_peer_is_nobody),
        STAGE_TEST(a_connection_that_ended_elsewhere_than_judged_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

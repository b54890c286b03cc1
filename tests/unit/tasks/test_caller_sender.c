/* Senders of datagrams, asked of the real kernel about real sockets on loopback. */
#include "tasks/caller.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { STRANGER_UID = 54321 };

static struct sockaddr_storage
at_loopback(int family)
{
    struct address a;
    struct sockaddr_storage out;
    bool parsed = address_parse(family == AF_INET ? TEXT("127.0.0.1") : TEXT("::1"),
                                &a);

    assert_true(parsed);
    (void)address_to_sockaddr(&a, 0, &out);
    return out;
}

static socklen_t
size_of(const struct sockaddr_storage *at)
{
    return at->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                    : sizeof(struct sockaddr_in6);
}

static int
bound(struct sockaddr_storage *at, int option)
{
    socklen_t n = sizeof *at;
    int one = 1, fd = socket(at->ss_family, SOCK_DGRAM, 0);

    assert_true(fd >= 0);
    if (option != 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, size_of(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
    return fd;
}

/* A server, and a client that has sent it something. */
struct line {
    int server, client;
    struct sockaddr_storage to, from;
};

static void
line_hear(struct line *l)
{
    socklen_t n = sizeof l->from;
    char byte;

    assert_int_equal(recvfrom(l->server, &byte, 1, 0, (struct sockaddr *)&l->from, &n),
                     1);
}

static struct line
line_open(int family, bool connects)
{
    struct line l = { .to = at_loopback(family) };

    l.server = bound(&l.to, 0);
    l.client = socket(family, SOCK_DGRAM, 0);
    if (connects)
        assert_int_equal(connect(l.client, (struct sockaddr *)&l.to, size_of(&l.to)),
                         0);
    assert_int_equal(sendto(l.client, "x", 1, 0,
                            connects ? NULL : (struct sockaddr *)&l.to,
                            connects ? 0 : size_of(&l.to)),
                     1);
    line_hear(&l);
    return l;
}

static void
line_close(struct line *l)
{
    (void)close(l->client);
    (void)close(l->server);
}

static struct caller
identify(struct caller_lookup *lookup, const struct line *l)
{
    struct caller c;

    if (!caller_identify_sender(lookup, (const struct sockaddr *)&l->from,
                                (const struct sockaddr *)&l->to, &c))
        caller_search_sender(lookup, (const struct sockaddr *)&l->from, &c);
    return c;
}

static uint32_t
inode_of(int fd)
{
    struct stat s;

    assert_int_equal(fstat(fd, &s), 0);
    return (uint32_t)s.st_ino;
}

static int
setup(void **state)
{
    *state = caller_lookup_new();
    return *state == NULL;
}

static int
teardown(void **state)
{
    caller_lookup_free(*state);
    return 0;
}

static void
a_sender_is_known_whether_connected_or_not(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };

    for (size_t i = 0; i < 4; i++) {
        struct line l = line_open(families[i % 2], i < 2);
        struct caller c = identify(*state, &l);

        assert_true(c.has_uid);
        assert_int_equal(c.uid, geteuid());
        assert_int_equal(c.inode, inode_of(l.client));
        assert_int_equal(c.address.family, families[i % 2]);
        line_close(&l);
    }
}

/* What it was connected to is not where its datagram arrived. */
static void
a_sender_whose_datagram_was_led_here_is_known(void **state)
{
    struct line l = line_open(AF_INET, true);

    ((struct sockaddr_in *)(void *)&l.to)->sin_port = htons(1);
    assert_int_equal(identify(*state, &l).inode, inode_of(l.client));
    line_close(&l);
}

static void
a_sender_of_the_other_family_is_known(void **state)
{
    struct line l = { .to = at_loopback(AF_INET) };
    struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };

    l.server = bound(&l.to, 0);
    mapped.sin6_port = ((struct sockaddr_in *)(void *)&l.to)->sin_port;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12],
           &((struct sockaddr_in *)(void *)&l.to)->sin_addr, 4);
    l.client = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_int_equal(
        sendto(l.client, "x", 1, 0, (struct sockaddr *)&mapped, sizeof mapped), 1);
    line_hear(&l);
    assert_int_equal(identify(*state, &l).inode, inode_of(l.client));
    line_close(&l);
}

static void
who_has_closed_his_socket_is_nobody(void **state)
{
    struct line l = line_open(AF_INET, false);

    (void)close(l.client);
    l.client = -1;
    assert_false(identify(*state, &l).has_uid);
    line_close(&l);
}

static void
a_socket_bound_to_another_address_of_that_port_is_not_he(void **state)
{
    struct line l = line_open(AF_INET, true);
    struct sockaddr_storage elsewhere = l.from;
    int other;

    ((struct sockaddr_in *)(void *)&elsewhere)->sin_addr.s_addr = htonl(0x7f000009);
    other = bound(&elsewhere, 0);
    (void)close(l.client);
    l.client = other;
    assert_false(identify(*state, &l).has_uid);
    line_close(&l);
}

/* Binds the port of `from` too, as somebody else; tells so, and waits for its end. */
static void
be_beside(struct sockaddr_storage *from, int ready, int end)
{
    char byte;

    if (setresuid(STRANGER_UID, STRANGER_UID, STRANGER_UID) != 0)
        _exit(1);
    (void)bound(from, SO_REUSEADDR);
    if (write(ready, "x", 1) != 1 || read(end, &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

static void
two_users_on_one_port_are_nobody(void **state)
{
    struct sockaddr_storage from = at_loopback(AF_INET), to = from;
    struct line l = { .client = bound(&from, SO_REUSEADDR), .to = to };
    int ready[2], end[2], status;
    pid_t child;
    char byte;

    if (geteuid() != 0) {
        (void)close(l.client);
        print_message("SKIPPED: %s: not root\n", __func__);
        skip();
    }
    l.server = bound(&l.to, 0);
    l.from = from;
    assert_true(identify(*state, &l).has_uid);
    assert_int_equal(pipe(ready) | pipe(end), 0);
    child = fork();
    if (child == 0) {
        (void)close(end[1]);
        be_beside(&from, ready[1], end[0]);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_false(identify(*state, &l).has_uid);
    (void)close(end[0]);
    (void)close(end[1]);
    (void)close(ready[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(identify(*state, &l).has_uid);
    line_close(&l);
}

static void
an_address_of_another_machine_has_no_uid(void **state)
{
    struct line l = line_open(AF_INET, false);
    struct address elsewhere;
    struct caller c;
    bool parsed = address_parse(TEXT("192.0.2.7"), &elsewhere);

    assert_true(parsed);
    (void)address_to_sockaddr(&elsewhere, 4, &l.from);
    assert_false(identify(*state, &l).has_uid);
    c = identify(*state, &l);
    assert_true(address_equals(&c.address, &elsewhere));
    assert_false(identify(NULL, &l).has_uid);
    line_close(&l);
}

static void
a_uid_that_is_asked_for_contradicts_another_alone(void **state)
{
    static const struct {
        struct caller caller;
        struct conf_caller demanded;
        bool may;
    } rows[] = {
        { { .has_uid = true, .uid = 1000 }, { .uid = 1000 }, true },
        { { .has_uid = true, .uid = 1001 }, { .uid = 1000 }, false },
        { { .has_uid = false }, { .uid = 1000 }, true },
        { { .has_uid = true, .uid = 1001 }, { .any = true, .uid = -1 }, true },
        { { .has_uid = true, .uid = 1001 }, { .uid = -1 }, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(caller_may_match(&rows[i].caller, &rows[i].demanded),
                         rows[i].may);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sender_is_known_whether_connected_or_not),
        cmocka_unit_test(a_sender_whose_datagram_was_led_here_is_known),
        cmocka_unit_test(a_sender_of_the_other_family_is_known),
        cmocka_unit_test(who_has_closed_his_socket_is_nobody),
        cmocka_unit_test(a_socket_bound_to_another_address_of_that_port_is_not_he),
        cmocka_unit_test(two_users_on_one_port_are_nobody),
        cmocka_unit_test(an_address_of_another_machine_has_no_uid),
        cmocka_unit_test(a_uid_that_is_asked_for_contradicts_another_alone),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Callers, asked of the real kernel about real sockets on loopback. */
#include "tasks/caller.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { STRANGER_UID = 54321 };

/* One TCP connection through a listener, and both its ends as the server sees them. */
struct line {
    int listener, client, accepted;
    struct sockaddr_storage from, to;
};

static struct sockaddr_storage
loopback(int family)
{
    struct address a;
    struct sockaddr_storage out;
    bool parsed = address_parse(family == AF_INET ? TEXT("127.0.0.1") : TEXT("::1"),
                                &a);

    assert_true(parsed);
    (void)address_to_sockaddr(&a, 0, &out);
    return out;
}

static int
listen_on(struct sockaddr_storage *at)
{
    socklen_t n = sizeof *at;
    int fd = socket(at->ss_family, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
    return fd;
}

static void
line_accept(struct line *l)
{
    socklen_t n = sizeof l->from;

    l->accepted = accept(l->listener, (struct sockaddr *)&l->from, &n);
    assert_true(l->accepted >= 0);
    n = sizeof l->to;
    assert_int_equal(getsockname(l->accepted, (struct sockaddr *)&l->to, &n), 0);
}

static int
connect_to(const struct sockaddr_storage *at)
{
    int fd = socket(at->ss_family, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static struct line
line_open(int family)
{
    struct sockaddr_storage at = loopback(family);
    struct line l = { .listener = listen_on(&at) };

    l.client = connect_to(&at);
    assert_true(l.client >= 0);
    line_accept(&l);
    return l;
}

static void
line_close(struct line *l)
{
    (void)close(l->client);
    (void)close(l->accepted);
    (void)close(l->listener);
}

static struct caller
identify(struct caller_lookup *lookup, const struct sockaddr_storage *client,
         const struct sockaddr_storage *server)
{
    struct caller c;

    caller_identify(lookup, (const struct sockaddr *)client,
                    (const struct sockaddr *)server, &c);
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
the_owner_of_a_loopback_connection_is_known(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };

    for (size_t i = 0; i < 2; i++) {
        struct line l = line_open(families[i]);
        struct caller c = identify(*state, &l.from, &l.to);

        assert_true(c.has_uid);
        assert_int_equal(c.uid, geteuid());
        assert_int_equal(c.inode, inode_of(l.client));
        assert_int_equal(c.address.family, families[i]);
        line_close(&l);
    }
}

static struct sockaddr_storage
mapped(const struct sockaddr_storage *v4)
{
    const struct sockaddr_in *in = (const void *)v4;
    struct sockaddr_storage out = { 0 };
    struct sockaddr_in6 *in6 = (void *)&out;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = in->sin_port;
    in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6->sin6_addr.s6_addr[12], &in->sin_addr, 4);
    return out;
}

static void
a_caller_that_connects_by_a_mapped_address_is_known(void **state)
{
    struct sockaddr_storage at = loopback(AF_INET), by;
    struct line l = { .listener = listen_on(&at) };
    struct caller c;

    by = mapped(&at);
    l.client = connect_to(&by);
    assert_true(l.client >= 0);
    line_accept(&l);
    c = identify(*state, &l.from, &l.to);
    assert_true(c.has_uid);
    assert_int_equal(c.inode, inode_of(l.client));
    line_close(&l);
}

static void
a_caller_of_a_door_for_both_families_is_known(void **state)
{
    struct sockaddr_storage any = { 0 }, at = loopback(AF_INET);
    struct line l;
    struct caller c;

    ((struct sockaddr_in6 *)(void *)&any)->sin6_family = AF_INET6;
    l.listener = listen_on(&any);
    ((struct sockaddr_in *)(void *)&at)->sin_port =
        ((struct sockaddr_in6 *)(void *)&any)->sin6_port;
    l.client = connect_to(&at);
    assert_true(l.client >= 0);
    line_accept(&l);
    assert_int_equal(l.from.ss_family, AF_INET6); /* as ::ffff:127.0.0.1 */
    c = identify(*state, &l.from, &l.to);
    assert_true(c.has_uid);
    assert_int_equal(c.inode, inode_of(l.client));
    line_close(&l);
}

/* Connects as somebody else, waits for the other end to close. */
static void
be_a_stranger(const struct sockaddr_storage *at)
{
    char byte;
    int fd = -1;

    if (setresuid(STRANGER_UID, STRANGER_UID, STRANGER_UID) == 0)
        fd = connect_to(at);
    if (fd >= 0)
        (void)!read(fd, &byte, 1);
    _exit(fd < 0);
}

static void
a_process_of_another_uid_is_known_by_that_uid(void **state)
{
    struct sockaddr_storage at = loopback(AF_INET);
    struct line l = { .client = -1 };
    struct caller c;
    int status;
    pid_t child;

    if (geteuid() != 0) {
        print_message("SKIPPED: %s: not root\n", __func__);
        skip();
    }
    l.listener = listen_on(&at);
    child = fork();
    if (child == 0)
        be_a_stranger(&at);
    line_accept(&l);
    c = identify(*state, &l.from, &l.to);
    line_close(&l);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(c.has_uid);
    assert_int_equal(c.uid, STRANGER_UID);
}

static void
the_two_ends_of_a_connection_are_never_mixed_up(void **state)
{
    struct line l = line_open(AF_INET);
    struct caller theirs = identify(*state, &l.from, &l.to);
    struct caller ours = identify(*state, &l.to, &l.from);

    assert_int_equal(theirs.inode, inode_of(l.client));
    assert_int_equal(ours.inode, inode_of(l.accepted));
    line_close(&l);
}

static void
an_address_of_another_machine_has_no_uid(void **state)
{
    struct line l = line_open(AF_INET);
    struct address elsewhere;
    struct sockaddr_storage from;
    struct caller c;
    bool parsed = address_parse(TEXT("192.0.2.7"), &elsewhere);

    assert_true(parsed);
    (void)address_to_sockaddr(&elsewhere, 40000, &from);
    c = identify(*state, &from, &l.to);
    assert_false(c.has_uid);
    assert_true(address_equals(&c.address, &elsewhere));
    line_close(&l);
}

/* The kernel answers with the listener when there is no connection: that is not who
 * called. */
static void
a_listener_is_not_taken_for_a_caller(void **state)
{
    struct line l = line_open(AF_INET);
    struct sockaddr_storage nobody = l.to;

    ((struct sockaddr_in *)(void *)&nobody)->sin_port = htons(1);
    assert_false(identify(*state, &l.to, &nobody).has_uid);
    line_close(&l);
}

static void
a_half_closed_connection_keeps_its_owner(void **state)
{
    struct line l = line_open(AF_INET);

    assert_int_equal(shutdown(l.client, SHUT_WR), 0);
    assert_true(identify(*state, &l.from, &l.to).has_uid);
    line_close(&l);
}

static void
a_connection_its_process_has_closed_has_no_uid(void **state)
{
    struct line l = line_open(AF_INET);

    (void)close(l.client);
    l.client = -1;
    assert_false(identify(*state, &l.from, &l.to).has_uid); /* FIN_WAIT, no owner */
    (void)close(l.accepted);
    l.accepted = -1;
    assert_false(identify(*state, &l.from, &l.to).has_uid); /* TIME_WAIT */
    line_close(&l);
}

static void
without_a_lookup_nobody_is_known(void **state)
{
    struct line l = line_open(AF_INET);

    (void)state;
    assert_false(identify(NULL, &l.from, &l.to).has_uid);
    line_close(&l);
}

static void
what_cannot_be_established_does_not_match(void **state)
{
    static const struct {
        struct caller caller;
        struct conf_caller demanded;
        bool matches;
    } rows[] = {
        { { .has_uid = true, .uid = 1000 }, { .uid = 1000 }, true },
        { { .has_uid = true, .uid = 1001 }, { .uid = 1000 }, false },
        { { .has_uid = false, .uid = 1000 }, { .uid = 1000 }, false },
        { { .has_uid = false, .uid = 0 }, { .uid = 0 }, false },
        { { .has_uid = true, .uid = 0 }, { .uid = 0 }, true },
        { { .has_uid = false }, { .any = true, .uid = -1 }, true },
        { { .has_uid = true, .uid = UINT32_MAX }, { .uid = -1 }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(caller_matches(&rows[i].caller, &rows[i].demanded),
                         rows[i].matches);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_of_a_loopback_connection_is_known),
        cmocka_unit_test(a_caller_that_connects_by_a_mapped_address_is_known),
        cmocka_unit_test(a_caller_of_a_door_for_both_families_is_known),
        cmocka_unit_test(a_process_of_another_uid_is_known_by_that_uid),
        cmocka_unit_test(the_two_ends_of_a_connection_are_never_mixed_up),
        cmocka_unit_test(an_address_of_another_machine_has_no_uid),
        cmocka_unit_test(a_listener_is_not_taken_for_a_caller),
        cmocka_unit_test(a_half_closed_connection_keeps_its_owner),
        cmocka_unit_test(a_connection_its_process_has_closed_has_no_uid),
        cmocka_unit_test(without_a_lookup_nobody_is_known),
        cmocka_unit_test(what_cannot_be_established_does_not_match),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

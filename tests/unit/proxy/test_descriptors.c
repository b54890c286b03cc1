/* proxy/descriptors.c: the last descriptors are main's, and clients stop before
 * services do. */
#include "tests/unit/proxy/stage.h"

#include "proxy/descriptors.h"
#include "proxy/link.h"

#include <errno.h>
#include <sys/resource.h>

static struct rlimit before;

/* A process of this hard limit, as far as descriptors.c can see. */
static void
live_under(rlim_t most, int64_t connections)
{
    struct conf_limits limits = { .connections = connections };
    struct rlimit now = before;

    now.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(descriptors_raise(&limits, 2), REASON_OK);
}

static int
begin(void **state)
{
    return getrlimit(RLIMIT_NOFILE, &before) != 0 ? -1 : stage_begin(state);
}

static int
finish(void **state)
{
    struct conf_limits limits = { .connections = 1 };

    return setrlimit(RLIMIT_NOFILE, &before) != 0 ||
                   descriptors_raise(&limits, 1) != REASON_OK
               ? -1
               : stage_end(state);
}

#define DESCRIPTORS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

static void
what_connections_need_is_raised_to_and_the_last_are_kept_back(void **state)
{
    struct rlimit now;

    (void)state;
    live_under(64, 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, 2 * 2 * 100 + 128);
    assert_true(descriptors_allow_upstream(396) && !descriptors_allow_upstream(400));
    assert_true(descriptors_allow_client(299) && !descriptors_allow_client(300));
    assert_false(log_says("turned away"));
}

static void
a_larger_limit_is_left_as_it_is(void **state)
{
    struct rlimit now;

    (void)state;
    live_under(1000, 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, 1000);
    assert_true(descriptors_allow_upstream(871) && !descriptors_allow_upstream(872));
}

static void
a_hard_limit_below_the_need_is_said(void **state)
{
    (void)state;
    live_under(before.rlim_max, 100 * 1000 * 1000);
    assert_true(log_says("the hard limit is"));
}

static void
a_socket_that_would_be_one_of_mains_is_let_go(void **state)
{
    struct bell bell;
    struct link l;
    struct address here = loopback();
    uint16_t port;
    int door = listening_socket(&port), taken[512], n = 0;

    (void)state;
    bell_hang(&bell);
    live_under(200, 1);
    while (n < 512 && (taken[n] = dup(door)) >= 0 && taken[n] < 160)
        n++;
    errno = 0;
    assert_int_equal(link_connect(&l, loop, &here, port, 4096, &bell.wake),
                     REASON_CONNECT_FAILED);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(l.fd, -1);
    link_close(&l);
    for (int i = 0; i <= n; i++)
        close(taken[i]);
    assert_int_equal(link_connect(&l, loop, &here, port, 4096, &bell.wake), REASON_OK);
    link_close(&l);
    close(door);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DESCRIPTORS_TEST(what_connections_need_is_raised_to_and_the_last_are_kept_back),
        DESCRIPTORS_TEST(a_larger_limit_is_left_as_it_is),
        DESCRIPTORS_TEST(a_hard_limit_below_the_need_is_said),
        DESCRIPTORS_TEST(a_socket_that_would_be_one_of_mains_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

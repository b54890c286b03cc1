/* A pool, and services at the other end of what it holds, for tests. */
#ifndef TESTS_UNIT_PROXY_POOLING_H
#define TESTS_UNIT_PROXY_POOLING_H

#include "proxy/pool.h"
#include "tests/unit/proxy/stage.h"

enum { CEILING = 64 * 1024, LONG_MS = 60 * 1000, PER_KEY = 2, IN_ALL = 3 };

static const struct wire_limits limits = { 16384, 100, 8192, 65536, 100 };

static struct pool *pool;
static struct address here;
static uint16_t port;
static int door;
static int peers[8]; /* the services' ends, as they were dialled … */
static int peer;     /* … and the last of them */
static size_t n_peers;

static inline int
pooling_begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    here = loopback();
    door = listening_socket(&port);
    pool = pool_new(loop, PER_KEY, IN_ALL, LONG_MS);
    n_peers = 0;
    return 0;
}

static inline int
pooling_end(void **state)
{
    pool_free(pool);
    while (n_peers > 0)
        close(peers[--n_peers]);
    close(door);
    return stage_end(state);
}

#define POOL_TEST(name)                                                                \
    cmocka_unit_test_setup_teardown(name, pooling_begin, pooling_end)

static inline void
on_change(void *user)
{
    (void)user;
}

static inline struct upstream_key
key_of(const char *name)
{
    struct upstream_key key;

    memset(&key, 0, sizeof key);
    key.target = (struct authority){ host_of(name), 443 };
    memcpy(key.task, "t-1", 4);
    return key;
}

/* Dialled, found to speak this, and its dialler rides on it. */
static inline struct upstream *
dial_one(const struct upstream_key *key, enum wire_version version)
{
    struct upstream *u = upstream_dial(loop, key, &here, port, &limits, CEILING,
                                       on_change, pool);

    assert_non_null(u);
    UNTIL(u->link.state == LINK_OPEN);
    assert_true(n_peers < sizeof peers / sizeof *peers);
    peer = peers[n_peers++] = accept(door, NULL, NULL);
    not_blocking(peer);
    upstream_speak(u, version);
    pool_share(pool, u);
    u->user = NULL;
    return u;
}

#endif

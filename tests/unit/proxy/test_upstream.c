/* proxy/upstream.c: on which connection a request may ride, and for how long one waits
 * for the next. */
#include "tests/unit/proxy/stage.h"

#include "proxy/pool.h"

enum { CEILING = 64 * 1024, LONG_MS = 60 * 1000, PER_KEY = 2, PEERS = 8 };

static const struct wire_limits limits = { 16384, 100, 8192, 65536, 1 };

static struct pool *pool;
static struct address here;
static uint16_t port;
static int door, peers[PEERS];
static size_t n_peers;
static unsigned changes;

static int
begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    here = loopback();
    door = listening_socket(&port);
    pool = pool_new(loop, PER_KEY, 1000, LONG_MS);
    n_peers = 0;
    return 0;
}

static int
end(void **state)
{
    pool_free(pool);
    for (size_t i = 0; i < n_peers; i++)
        close(peers[i]);
    close(door);
    return stage_end(state);
}

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
on_change(void *user)
{
    unsigned *n = user;

    ++*n;
}

static struct upstream_key
key_of(const char *name)
{
    struct upstream_key key;

    memset(&key, 0, sizeof key);
    key.target = (struct authority){ host_of(name), 443 };
    return key;
}

/* Connected; peers[] has the service's end of it. */
static struct upstream *
dial_one(const struct upstream_key *key)
{
    struct upstream *u = upstream_dial(loop, key, &here, port, &limits, CEILING,
                                       on_change, &changes);

    assert_non_null(u);
    changes = 0;
    UNTIL(changes > 0);
    assert_int_equal(u->link.state, LINK_OPEN);
    assert_true(n_peers < PEERS);
    peers[n_peers++] = accept(door, NULL, NULL);
    not_blocking(peers[n_peers - 1]);
    upstream_speak(u, WIRE_HTTP1);
    return u;
}

/* The service sees its end: a FIN or a reset. */
static bool
is_closed(int peer)
{
    char c;
    ssize_t n = recv(peer, &c, 1, 0);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void
a_connection_is_used_again_for_the_same_key(void **state)
{
    struct upstream_key key = key_of("api.example"), same = key_of("api.example");
    struct upstream *u = dial_one(&key);

    (void)state;
    assert_false(u->used_before);
    assert_null(pool_take(pool, &key)); /* in use */
    pool_give(pool, u);
    assert_ptr_equal(pool_take(pool, &same), u);
    assert_true(u->used_before);
    assert_null(pool_take(pool, &key));
    upstream_close(u);
}

/* G9: one row a member. */
static void
a_connection_of_another_key_is_never_used(void **state)
{
    static const char grants[2];
    struct upstream_key kept = key_of("api.example"), rows[8];
    struct upstream *u;

    (void)state;
    kept.client = (const void *)&grants[0];
    kept.grant = &grants[0];
    strcpy(kept.task, "task-1");
    u = dial_one(&kept);
    pool_give(pool, u);
    for (size_t i = 0; i < 8; i++)
        rows[i] = kept;
    rows[0].target.host = host_of("api2.example");
    rows[1].target.port = 8443;
    rows[2].client = NULL;
    rows[3].client = (const void *)&grants[1];
    rows[4].grant = &grants[1];
    strcpy(rows[5].task, "task-2");
    rows[6].task[0] = '\0';
    rows[7].presents = true;
    for (size_t i = 0; i < 8; i++)
        if (pool_take(pool, &rows[i]) != NULL)
            fail_msg("row %zu was given the connection", i);
    assert_ptr_equal(pool_take(pool, &kept), u);
    upstream_close(u);
}

static void
the_freshest_is_taken_first(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *first = dial_one(&key), *second = dial_one(&key);

    (void)state;
    pool_give(pool, first);
    pool_give(pool, second);
    assert_ptr_equal(pool_take(pool, &key), second);
    assert_ptr_equal(pool_take(pool, &key), first);
    upstream_close(first);
    upstream_close(second);
}

static void
no_more_are_kept_than_the_bound_for_each_key(void **state)
{
    struct upstream_key key = key_of("api.example"), other = key_of("b.example");
    struct upstream *u[PER_KEY + 2];

    (void)state;
    for (size_t i = 0; i < PER_KEY + 1; i++)
        u[i] = dial_one(&key);
    u[PER_KEY + 1] = dial_one(&other);
    for (size_t i = 0; i < PER_KEY + 2; i++)
        pool_give(pool, u[i]);
    assert_true(is_closed(peers[PER_KEY]));
    assert_false(is_closed(peers[0]) || is_closed(peers[1]) ||
                 is_closed(peers[PER_KEY + 1]));
}

/* However many keys there are: the one that waited longest makes way. */
static void
no_more_are_kept_than_the_bound_for_all_keys_together(void **state)
{
    static const char *const names[] = { "a.example", "b.example", "c.example" };
    struct pool *narrow = pool_new(loop, PER_KEY, 2, LONG_MS);
    struct upstream_key key = key_of(names[1]);
    struct upstream *u[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct upstream_key one = key_of(names[i]);

        u[i] = dial_one(&one);
    }
    for (size_t i = 0; i < 3; i++)
        pool_give(narrow, u[i]);
    assert_true(is_closed(peers[0]));
    assert_false(is_closed(peers[1]) || is_closed(peers[2]));
    assert_ptr_equal(pool_take(narrow, &key), u[1]); /* which makes room again */
    pool_give(narrow, u[1]);
    assert_false(is_closed(peers[1]) || is_closed(peers[2]));
    pool_free(narrow);
}

static void
what_comes_while_idle_closes(void **state)
{
    static const char *const rows[] = { "HTTP/1.1 200 OK\r\n\r\n", "\n", "" };
    struct upstream_key key = key_of("api.example");

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pool_give(pool, dial_one(&key));
        if (*rows[i] != '\0')
            put_bytes(peers[i], text_z(rows[i]));
        else
            shutdown(peers[i], SHUT_WR);
        UNTIL(is_closed(peers[i]));
        assert_null(pool_take(pool, &key));
    }
}

static void
a_reset_while_idle_closes(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key);

    (void)state;
    pool_give(pool, u);
    reset_socket(peers[--n_peers]);
    UNTIL(pool_take(pool, &key) == NULL);
}

/* One whose turn comes before the bell of an idle connection is answered. */
struct taker {
    struct wake wake;
    struct upstream_key key;
    struct upstream *taken;
    bool has_run;
};

/* Runs again until the bytes are in the buffer and the bell that tells it still hangs
 * behind this one: the round in which both are answered. */
static void
on_taker(void *owner)
{
    struct taker *t = owner;

    t->has_run = true;
    t->taken = pool_take(pool, &t->key);
    if (t->taken == NULL || buf_length(&t->taken->link.in) > 0)
        return;
    pool_give(pool, t->taken);
    t->taken = NULL;
    wake_ring(loop, &t->wake);
}

/* Response poisoning: the answer to nobody's request must not be the next one's. */
static void
a_connection_with_bytes_nobody_asked_for_is_not_taken_before_its_bell(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct taker t = { .wake = { .answer = on_taker, .owner = &t }, .key = key };

    (void)state;
    pool_give(pool, dial_one(&key));
    wake_ring(loop, &t.wake);
    put_bytes(peers[0], TEXT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    UNTIL(is_closed(peers[0]) || t.taken != NULL);
    assert_true(t.has_run);
    assert_null(t.taken);
}

/* A bell rung for the last user, and answered after he has left. */
static void
a_bell_that_tells_of_nothing_closes_nothing(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key);

    (void)state;
    wake_ring(loop, &u->bell);
    pool_give(pool, u);
    settle();
    assert_false(is_closed(peers[0]));
    assert_ptr_equal(pool_take(pool, &key), u);
    upstream_close(u);
}

static void
one_that_cannot_be_used_again_is_closed_when_it_is_given(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key);
    struct stream *s = wire_open(u->wire);

    (void)state;
    assert_non_null(s);
    stream_close(s); /* an exchange was begun and never ended */
    pool_give(pool, u);
    UNTIL(is_closed(peers[0]));
    u = dial_one(&key);
    shutdown(peers[1], SHUT_WR);
    UNTIL(u->link.read_ended);
    pool_give(pool, u);
    UNTIL(is_closed(peers[1]));
    u = dial_one(&key);
    put_bytes(peers[2], TEXT("x"));
    UNTIL(buf_length(&u->link.in) > 0);
    pool_give(pool, u);
    UNTIL(is_closed(peers[2]));
    assert_null(pool_take(pool, &key));
}

static void
an_idle_connection_is_closed_in_time_and_one_in_use_is_not(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct pool *hasty = pool_new(loop, PER_KEY, 1000, 60);
    struct upstream *busy = dial_one(&key), *idle = dial_one(&key);

    (void)state;
    pool_give(hasty, busy);
    assert_ptr_equal(pool_take(hasty, &key), busy);
    pool_give(hasty, idle);
    UNTIL(is_closed(peers[1]));
    assert_null(pool_take(hasty, &key));
    assert_false(is_closed(peers[0]));
    upstream_close(busy);
    pool_free(hasty);
}

static void
the_end_of_the_pool_closes_what_is_idle(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *used = dial_one(&key);

    (void)state;
    pool_give(pool, dial_one(&key));
    pool_free(pool);
    pool = NULL;
    assert_true(is_closed(peers[1]));
    assert_false(is_closed(peers[0]));
    upstream_close(used);
    upstream_close(NULL);
}

static void
what_waits_for_a_task_that_has_ended_is_closed_and_nothing_else(void **state)
{
    static const char *const tasks[] = { "t-one", "t-two", "", "t-one", "t-on" };
    static const char *const hosts[] = { "a.example", "a.example", "a.example",
                                         "b.example", "a.example" };
    struct upstream_key keys[5];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        keys[i] = key_of(hosts[i]);
        strcpy(keys[i].task, tasks[i]);
        pool_give(pool, dial_one(&keys[i]));
    }
    pool_drop_task(pool, TEXT("t-one"));
    assert_int_equal(pool_count(pool), 3);
    for (size_t i = 0; i < 5; i++) {
        struct upstream *u = pool_take(pool, &keys[i]);

        assert_int_equal(is_closed(peers[i]), strcmp(tasks[i], "t-one") == 0);
        assert_int_equal(u == NULL, strcmp(tasks[i], "t-one") == 0);
        upstream_close(u);
    }
    pool_drop_task(pool, TEXT("t-one"));
}

static void
what_cannot_even_begin_is_no_connection(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct address nowhere;

    (void)state;
    assert_true(address_parse(TEXT("fe80::1"), &nowhere));
    assert_null(upstream_dial(loop, &key, &nowhere, 443, &limits, CEILING, on_change,
                              &changes));
    assert_int_not_equal(errno, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(a_connection_is_used_again_for_the_same_key),
        POOL_TEST(a_connection_of_another_key_is_never_used),
        POOL_TEST(the_freshest_is_taken_first),
        POOL_TEST(no_more_are_kept_than_the_bound_for_each_key),
        POOL_TEST(no_more_are_kept_than_the_bound_for_all_keys_together),
        POOL_TEST(what_comes_while_idle_closes),
        POOL_TEST(a_reset_while_idle_closes),
        POOL_TEST(
            a_connection_with_bytes_nobody_asked_for_is_not_taken_before_its_bell),
        POOL_TEST(a_bell_that_tells_of_nothing_closes_nothing),
        POOL_TEST(one_that_cannot_be_used_again_is_closed_when_it_is_given),
        POOL_TEST(an_idle_connection_is_closed_in_time_and_one_in_use_is_not),
        POOL_TEST(the_end_of_the_pool_closes_what_is_idle),
        POOL_TEST(what_waits_for_a_task_that_has_ended_is_closed_and_nothing_else),
        POOL_TEST(what_cannot_even_begin_is_no_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

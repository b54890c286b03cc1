/* proxy/pool.c: how much it keeps, for how long, and who has a place. */
#include "tests/unit/proxy/pooling.h"

#include "tests/unit/http/frames.h"

/* The service's end of a connection: we have closed ours. */
static bool
is_closed(int fd)
{
    char bytes[4096];
    ssize_t n;

    do
        n = recv(fd, bytes, sizeof bytes, 0);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

static void
keep_one(const struct upstream_key *key)
{
    pool_give(pool, dial_one(key, WIRE_HTTP1));
}

static void
say(struct buf *b)
{
    struct text t = buf_text(b);

    assert_int_equal(send(peer, t.at, t.n, 0), t.n);
    buf_free(b);
}

/* ---- full */

/* It takes so many streams at once. */
static struct upstream *
dial_narrow(const struct upstream_key *key, uint32_t streams)
{
    struct upstream *u = dial_one(key, WIRE_HTTP2);
    struct buf b = { 0 };

    add_frame_head(&b, 6, F_SETTINGS, 0, 0);
    buf_add(&b, text_of("\0\3", 2)); /* MAX_CONCURRENT_STREAMS */
    add_u32(&b, streams);
    say(&b);
    UNTIL(wire_is_greeted(u->wire));
    return u;
}

static void
a_pool_is_full_while_no_place_is_left_on_what_many_ride_on(void **state)
{
    struct upstream_key key = key_of("api.example"), other = key_of("b.example");
    struct upstream *first = dial_narrow(&key, 1), *second;
    struct stream *one, *two;

    (void)state;
    assert_false(pool_is_full(pool, &key));
    one = wire_open(first->wire);
    assert_true(pool_is_full(pool, &key));
    assert_null(pool_take(pool, &key));
    assert_false(pool_is_full(pool, &other));
    second = dial_narrow(&key, 1);
    assert_false(pool_is_full(pool, &key));
    two = wire_open(second->wire);
    assert_true(pool_is_full(pool, &key));
    stream_close(one);
    assert_false(pool_is_full(pool, &key));
    stream_close(two);
    pool_give(pool, first);
    pool_give(pool, second);
}

static void
what_one_rides_on_alone_fills_no_pool(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP1);

    (void)state;
    assert_false(pool_is_full(pool, &key)); /* it is on no list while in use */
    pool_give(pool, u);
    assert_false(pool_is_full(pool, &key));
}

/* To wait for a place there would be in vain. */
static void
one_that_carries_no_more_fills_no_pool(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_narrow(&key, 1);
    struct stream *s = wire_open(u->wire);
    struct buf b = { 0 };

    (void)state;
    assert_true(pool_is_full(pool, &key));
    stream_close(s);
    add_frame_head(&b, 8, F_GOAWAY, 0, 0);
    add_u32(&b, 0);
    add_u32(&b, 0);
    say(&b);
    UNTIL(wire_is_over(u->wire));
    assert_false(pool_is_full(pool, &key));
    assert_null(pool_take(pool, &key));
    pool_give(pool, u);
    assert_int_equal(pool_count(pool), 0);
}

/* ---- how much is kept */

static void
of_one_key_no_more_are_kept_than_may_be(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *all[PER_KEY + 1];

    (void)state;
    for (size_t i = 0; i <= PER_KEY; i++)
        all[i] = dial_one(&key, WIRE_HTTP1);
    for (size_t i = 0; i <= PER_KEY; i++)
        pool_give(pool, all[i]);
    assert_int_equal(pool_count(pool), PER_KEY);
    UNTIL(is_closed(peers[PER_KEY]));
    for (size_t i = 0; i < PER_KEY; i++)
        assert_false(is_closed(peers[i]));
}

static void
the_one_that_is_idle_longest_makes_way(void **state)
{
    static const char *const names[] = { "a.example", "b.example", "c.example",
                                         "d.example" };
    struct upstream_key first = key_of(names[0]), last = key_of(names[IN_ALL]);
    struct upstream *u;

    (void)state;
    for (size_t i = 0; i <= IN_ALL; i++) {
        struct upstream_key key = key_of(names[i]);

        keep_one(&key);
    }
    assert_int_equal(pool_count(pool), IN_ALL);
    UNTIL(is_closed(peers[0]));
    assert_null(pool_take(pool, &first));
    u = pool_take(pool, &last);
    assert_non_null(u);
    pool_give(pool, u);
}

static void
a_pool_that_may_keep_none_keeps_none(void **state)
{
    struct upstream_key key = key_of("api.example");

    (void)state;
    pool_free(pool);
    pool = pool_new(loop, 0, IN_ALL, LONG_MS);
    keep_one(&key);
    assert_int_equal(pool_count(pool), 0);
    UNTIL(is_closed(peer));
}

static void
the_freshest_is_taken_first(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *older = dial_one(&key, WIRE_HTTP1);
    struct upstream *fresher = dial_one(&key, WIRE_HTTP1);

    (void)state;
    pool_give(pool, older);
    pool_give(pool, fresher);
    assert_ptr_equal(pool_take(pool, &key), fresher);
    assert_true(fresher->used_before);
    assert_ptr_equal(pool_take(pool, &key), older);
    assert_int_equal(pool_count(pool), 0);
    pool_give(pool, older);
    pool_give(pool, fresher);
}

/* ---- how long */

static void
one_that_is_idle_for_too_long_is_closed(void **state)
{
    struct upstream_key key = key_of("api.example");

    (void)state;
    pool_free(pool);
    pool = pool_new(loop, PER_KEY, IN_ALL, 1);
    keep_one(&key);
    UNTIL(pool_count(pool) == 0);
    UNTIL(is_closed(peer));
}

static void
one_that_is_taken_has_its_time_anew(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP1);

    (void)state;
    pool_give(pool, u);
    assert_int_not_equal(u->idle_alarm.due, 0);
    assert_ptr_equal(pool_take(pool, &key), u);
    assert_int_equal(u->idle_alarm.due, 0);
    pool_give(pool, u);
}

static void
what_is_let_go_is_what_was_idle_longest(void **state)
{
    struct upstream_key first = key_of("a.example"), second = key_of("b.example");

    (void)state;
    assert_false(pool_let_go(pool));
    keep_one(&first);
    keep_one(&second);
    assert_true(pool_let_go(pool));
    UNTIL(is_closed(peers[0]));
    assert_false(is_closed(peers[1]));
    assert_int_equal(pool_count(pool), 1);
    assert_true(pool_let_go(pool));
    assert_false(pool_let_go(pool));
    assert_int_equal(pool_count(pool), 0);
}

static void
one_whose_service_speaks_unasked_is_kept_no_longer(void **state)
{
    struct upstream_key key = key_of("api.example");

    (void)state;
    keep_one(&key);
    assert_int_equal(send(peer, "HTTP/1.1 200 OK\r\n", 17, 0), 17);
    UNTIL(pool_count(pool) == 0);
    assert_null(pool_take(pool, &key));
}

static void
the_end_of_a_task_closes_none_of_anothers(void **state)
{
    struct upstream_key own = key_of("api.example"), other = key_of("api.example");

    (void)state;
    other.task[2] = '2';
    keep_one(&own);
    keep_one(&other);
    pool_drop_task(pool, TEXT("t-1"));
    UNTIL(is_closed(peers[0]));
    assert_false(is_closed(peers[1]));
    assert_int_equal(pool_count(pool), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(a_pool_is_full_while_no_place_is_left_on_what_many_ride_on),
        POOL_TEST(what_one_rides_on_alone_fills_no_pool),
        POOL_TEST(one_that_carries_no_more_fills_no_pool),
        POOL_TEST(of_one_key_no_more_are_kept_than_may_be),
        POOL_TEST(the_one_that_is_idle_longest_makes_way),
        POOL_TEST(a_pool_that_may_keep_none_keeps_none),
        POOL_TEST(the_freshest_is_taken_first),
        POOL_TEST(one_that_is_idle_for_too_long_is_closed),
        POOL_TEST(one_that_is_taken_has_its_time_anew),
        POOL_TEST(what_is_let_go_is_what_was_idle_longest),
        POOL_TEST(one_whose_service_speaks_unasked_is_kept_no_longer),
        POOL_TEST(the_end_of_a_task_closes_none_of_anothers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

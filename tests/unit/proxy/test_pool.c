/* proxy/pool.c: what many may ride on, and who is on the way to it. */
#include "tests/unit/proxy/pooling.h"

#include "tests/unit/http/frames.h"

static struct buf heard;

/* What it was sent so far stands in `heard`. */
static bool
is_closed(void)
{
    ssize_t n;

    do {
        n = recv(peer, buf_reserve(&heard, 4096), 4096, 0);
        buf_commit(&heard, n > 0 ? (size_t)n : 0);
    } while (n > 0);
    return n == 0 || errno != EAGAIN;
}

/* Its last word was GOAWAY, with this code. */
static bool
has_heard_goaway(uint32_t code)
{
    struct text all = buf_text(&heard), last = text_of("", 0);

    assert_true(text_starts(all, MAGIC));
    for (size_t at = MAGIC.n, n; at < all.n; at += n) {
        const unsigned char *h = (const unsigned char *)all.at + at;

        assert_true(all.n - at >= 9);
        n = 9 + ((size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2]);
        assert_true(n <= all.n - at);
        last = text_of(all.at + at, n);
    }
    return last.n >= 17 && last.at[3] == F_GOAWAY && last.at[16] == (char)code;
}

/* ---- ends */

static void
end_its_task(void)
{
    pool_drop_task(pool, TEXT("t-1"));
}

static void
let_the_oldest_go(void)
{
    assert_true(pool_let_go(pool));
}

static void
end_the_pool(void)
{
    pool_free(pool);
    pool = pool_new(loop, PER_KEY, IN_ALL, LONG_MS);
}

/* ---- many on one */

static void
one_connection_of_http2_carries_many_of_its_key_and_no_other(void **state)
{
    struct upstream_key key = key_of("api.example"), other = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    struct stream *streams[5];

    (void)state;
    assert_true(upstream_is_shared(u));
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(pool_take(pool, &key), u);
        streams[i] = wire_open(u->wire);
        assert_non_null(streams[i]);
    }
    other.task[2] = '2';
    assert_null(pool_take(pool, &other));
    other = key;
    other.http = CONF_HTTP_1;
    assert_null(pool_take(pool, &other));
    assert_int_equal(u->n_riders, 6);
    assert_int_equal(pool_count(pool), 0);
    for (int i = 0; i < 5; i++)
        stream_close(streams[i]);
    upstream_close(u);
}

static void
one_of_http1_is_taken_by_one_alone(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP1);

    (void)state;
    assert_null(pool_take(pool, &key));
    pool_give(pool, u);
    assert_ptr_equal(pool_take(pool, &key), u);
    assert_null(pool_take(pool, &key));
    upstream_close(u);
}

static void
it_is_idle_when_the_last_has_left_and_not_before(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    (void)state;
    assert_ptr_equal(pool_take(pool, &key), u);
    pool_give(pool, u);
    assert_int_equal(pool_count(pool), 0);
    pool_give(pool, u);
    assert_int_equal(pool_count(pool), 1);
    settle();
    assert_ptr_equal(pool_take(pool, &key), u);
    assert_int_equal(pool_count(pool), 0);
    pool_give(pool, u);
}

static void
when_its_task_ends_nothing_new_rides_and_the_last_closes_it(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    (void)state;
    assert_ptr_equal(pool_take(pool, &key), u);
    pool_drop_task(pool, TEXT("t-1"));
    assert_null(pool_take(pool, &key));
    pool_give(pool, u);
    settle();
    assert_false(is_closed());
    pool_give(pool, u);
    assert_true(is_closed());
}

/* A service that hears nothing cannot tell whether a request was lost. */
static void
one_that_is_idle_says_goaway_before_it_is_closed(void **state)
{
    static void (*const ends[])(void) = { end_its_task, let_the_oldest_go,
                                          end_the_pool };
    struct upstream_key key = key_of("api.example");

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        buf_drop(&heard, buf_length(&heard));
        pool_give(pool, dial_one(&key, WIRE_HTTP2));
        settle();
        assert_false(is_closed());
        assert_false(has_heard_goaway(0));
        ends[i]();
        UNTIL(is_closed());
        assert_true(has_heard_goaway(0));
    }
}

/* Whoever does not read is not waited for. */
static void
one_whose_socket_is_full_is_closed_without_a_word(void **state)
{
    static const char much[64 * 1024];
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    (void)state;
    settle();
    while (send(u->link.fd, much, sizeof much, 0) > 0)
        continue;
    pool_give(pool, u);
    end_its_task();
    assert_int_equal(pool_count(pool), 0);
    UNTIL(is_closed());
}

static void
a_pool_that_goes_leaves_those_in_use_to_their_riders(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    (void)state;
    pool_free(pool);
    pool = pool_new(loop, 0, 0, 0);
    settle();
    assert_false(is_closed());
    pool_give(pool, u);
    assert_true(is_closed());
}

static void
one_whose_service_is_gone_is_not_taken_and_closes_behind_the_last(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct upstream *u = dial_one(&key, WIRE_HTTP2);

    (void)state;
    shutdown(peer, SHUT_WR);
    UNTIL(u->link.read_ended);
    assert_null(pool_take(pool, &key));
    pool_give(pool, u);
    assert_true(is_closed());
}

/* ---- on the way */

struct walker {
    struct wake wake;
    struct follower follower;
    unsigned rung;
};

static void
on_walker(void *owner)
{
    struct walker *w = owner;

    w->rung++;
}

static void
walker_init(struct walker *w)
{
    memset(w, 0, sizeof *w);
    w->wake = (struct wake){ .answer = on_walker, .owner = w };
    w->follower.bell = &w->wake;
}

static void
who_follows_is_woken_once_whatever_came_of_it(void **state)
{
    struct upstream_key key = key_of("api.example"), other = key_of("b.example");
    struct approach first = { .key = key };
    struct walker a, b, left;

    (void)state;
    walker_init(&a);
    walker_init(&b);
    walker_init(&left);
    assert_false(approach_follow(pool, &key, &a.follower));
    approach_begin(pool, &first, &key);
    assert_false(approach_follow(pool, &other, &a.follower));
    assert_true(approach_follow(pool, &key, &a.follower));
    assert_true(approach_follow(pool, &key, &b.follower));
    assert_true(approach_follow(pool, &key, &left.follower));
    approach_leave(&left.follower);
    approach_end(pool, &first);
    approach_end(pool, &first);
    settle();
    assert_int_equal(a.rung, 1);
    assert_int_equal(b.rung, 1);
    assert_int_equal(left.rung, 0);
    assert_false(approach_follow(pool, &key, &a.follower));
}

static void
who_may_not_share_follows_nobody(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct approach first = { .key = key };
    struct walker a;

    (void)state;
    walker_init(&a);
    key.http = CONF_HTTP_1;
    approach_begin(pool, &first, &key);
    assert_false(approach_follow(pool, &key, &a.follower));
    approach_end(pool, &first);
}

/* Waiting for one that carries one request at a time would cost a handshake's time and
 * win nothing; a service that changes is noticed by the next that dials it. */
static void
a_service_of_http1_is_remembered_and_one_that_changes_too(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct approach first = { .key = key };
    struct walker a;

    (void)state;
    walker_init(&a);
    pool_give(pool, dial_one(&key, WIRE_HTTP1));
    approach_begin(pool, &first, &key);
    assert_false(approach_follow(pool, &key, &a.follower));
    pool_give(pool, dial_one(&key, WIRE_HTTP2));
    assert_true(approach_follow(pool, &key, &a.follower));
    approach_end(pool, &first);
}

static void
a_pool_that_goes_wakes_who_follows(void **state)
{
    struct upstream_key key = key_of("api.example");
    struct approach first = { .key = key };
    struct walker a;

    (void)state;
    walker_init(&a);
    approach_begin(pool, &first, &key);
    assert_true(approach_follow(pool, &key, &a.follower));
    pool_free(pool);
    pool = pool_new(loop, PER_KEY, IN_ALL, LONG_MS);
    settle();
    assert_int_equal(a.rung, 1);
    approach_end(pool, &first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(one_connection_of_http2_carries_many_of_its_key_and_no_other),
        POOL_TEST(one_of_http1_is_taken_by_one_alone),
        POOL_TEST(it_is_idle_when_the_last_has_left_and_not_before),
        POOL_TEST(when_its_task_ends_nothing_new_rides_and_the_last_closes_it),
        POOL_TEST(one_that_is_idle_says_goaway_before_it_is_closed),
        POOL_TEST(one_whose_socket_is_full_is_closed_without_a_word),
        POOL_TEST(a_pool_that_goes_leaves_those_in_use_to_their_riders),
        POOL_TEST(one_whose_service_is_gone_is_not_taken_and_closes_behind_the_last),
        POOL_TEST(who_follows_is_woken_once_whatever_came_of_it),
        POOL_TEST(who_may_not_share_follows_nobody),
        POOL_TEST(a_service_of_http1_is_remembered_and_one_that_changes_too),
        POOL_TEST(a_pool_that_goes_wakes_who_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

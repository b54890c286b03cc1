/* proxy/rate.c: so many a second, and a second's worth at most at once. */
#include "tests/unit/proxy/house.h"

#include "proxy/rate.h"

#include <pthread.h>

static unsigned
take_all(struct rate *r, int64_t per_second, int64_t now_ms)
{
    unsigned n = 0;

    while (rate_take(r, per_second, now_ms))
        n++;
    return n;
}

static void
a_second_holds_so_many_and_saves_no_more_than_a_second(void **state)
{
    struct rate r = { 0 };

    (void)state;
    assert_int_equal(take_all(&r, 20, 1000), 20);
    assert_int_equal(take_all(&r, 20, 1049), 0);
    assert_int_equal(take_all(&r, 20, 1050), 1);
    assert_int_equal(take_all(&r, 20, 1550), 10);
    assert_int_equal(take_all(&r, 20, 100000), 20);
    assert_int_equal(take_all(&r, 1, 100000), 0);
    assert_int_equal(take_all(&r, 1, 102000), 1);
}

static struct rate contested;

static void *
take_some(void *n)
{
    *(unsigned *)n = take_all(&contested, 1000, 5000);
    return NULL;
}

static void
threads_that_share_it_get_no_more_together(void **state)
{
    pthread_t threads[4];
    unsigned n[4], sum = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_some, &n[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += n[i];
    }
    assert_int_equal(sum, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_holds_so_many_and_saves_no_more_than_a_second),
        cmocka_unit_test(threads_that_share_it_get_no_more_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The memory of proofs: once each, never forgotten while alive, never growing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tokens/binding.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define KEY TEXT("thumbprint")

static enum reason
enter(struct replay_cache *c, uint64_t id, int64_t expires_s, int64_t now_s)
{
    return replay_cache_enter(c, KEY, text_of((const char *)&id, sizeof id), expires_s,
                              now_s);
}

static void
a_proof_is_taken_once_and_refused_while_it_is_alive(void **state)
{
    struct replay_cache *c = replay_cache_new(100);

    (void)state;
    assert_int_equal(enter(c, 1, 60, 0), REASON_OK);
    assert_int_equal(enter(c, 1, 60, 0), REASON_PROOF_REPLAYED);
    assert_int_equal(enter(c, 2, 60, 0), REASON_OK);
    assert_int_equal(enter(c, 1, 60, 60), REASON_PROOF_REPLAYED);
    replay_cache_free(c);
}

static void
key_and_id_are_kept_apart(void **state)
{
    struct replay_cache *c = replay_cache_new(100);

    (void)state;
    assert_int_equal(replay_cache_enter(c, TEXT("ab"), TEXT("c"), 60, 0), REASON_OK);
    assert_int_equal(replay_cache_enter(c, TEXT("a"), TEXT("bc"), 60, 0), REASON_OK);
    assert_int_equal(replay_cache_enter(c, TEXT("abc"), TEXT(""), 60, 0), REASON_OK);
    assert_int_equal(replay_cache_enter(c, TEXT("a"), TEXT("bc"), 60, 0),
                     REASON_PROOF_REPLAYED);
    replay_cache_free(c);
}

static void
a_full_cache_refuses_and_forgets_nothing(void **state)
{
    static const size_t sizes[] = { 1, 2, 7, 100, 1000 };

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct replay_cache *c = replay_cache_new(sizes[k]);

        for (uint64_t i = 0; i < sizes[k]; i++)
            assert_int_equal(enter(c, i, 60 + (int64_t)i % 5, 0), REASON_OK);
        for (uint64_t i = 0; i < 10; i++)
            assert_int_equal(enter(c, 1000000 + i, 60, 60), REASON_REPLAY_CACHE_FULL);
        for (uint64_t i = 0; i < sizes[k]; i++)
            assert_int_equal(enter(c, i, 60 + (int64_t)i % 5, 60),
                             REASON_PROOF_REPLAYED);
        replay_cache_free(c);
    }
}

static void
a_full_cache_takes_as_many_as_have_expired(void **state)
{
    struct replay_cache *c = replay_cache_new(100);

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(enter(c, i, i < 30 ? 10 : 60, 0), REASON_OK);
    assert_int_equal(enter(c, 500, 60, 10), REASON_REPLAY_CACHE_FULL);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(enter(c, 1000 + i, 60, 11), REASON_OK);
    assert_int_equal(enter(c, 2000, 60, 11), REASON_REPLAY_CACHE_FULL);
    for (uint64_t i = 30; i < 100; i++)
        assert_int_equal(enter(c, i, 60, 11), REASON_PROOF_REPLAYED);
    for (uint64_t i = 0; i < 100; i++) /* a round in vain has not made it give up */
        assert_int_equal(enter(c, 3000 + i, 120, 61), REASON_OK);
    assert_int_equal(enter(c, 4000, 120, 61), REASON_REPLAY_CACHE_FULL);
    replay_cache_free(c);
}

/* Forty thousand proofs, six thousand of them alive at a time. */
static void
a_cache_is_used_for_ever_in_the_memory_it_began_with(void **state)
{
    struct replay_cache *c = replay_cache_new(8000); /* striped */
    uint64_t id = 0;

    (void)state;
    for (int64_t now = 0; now < 40; now++) {
        for (int i = 0; i < 1000; i++, id++)
            assert_int_equal(enter(c, id, now + 5, now), REASON_OK);
        assert_int_equal(enter(c, id - 1, now + 5, now), REASON_PROOF_REPLAYED);
        assert_int_equal(enter(c, id - 1000, now + 5, now), REASON_PROOF_REPLAYED);
    }
    replay_cache_free(c);
}

static void
a_proof_that_has_expired_is_not_taken(void **state)
{
    struct replay_cache *c = replay_cache_new(100);

    (void)state;
    assert_int_equal(enter(c, 1, 59, 60), REASON_PROOF_EXPIRED);
    assert_int_equal(enter(c, 1, 60, 60), REASON_OK);
    replay_cache_free(c);
}

static void
a_clock_set_back_does_not_bring_a_forgotten_proof_to_life(void **state)
{
    struct replay_cache *c = replay_cache_new(1);

    (void)state;
    assert_int_equal(enter(c, 1, 60, 0), REASON_OK);
    assert_int_equal(enter(c, 2, 5060, 5000),
                     REASON_OK); /* makes it forget the first */
    assert_int_equal(enter(c, 1, 60, 0), REASON_PROOF_EXPIRED);
    replay_cache_free(c);
}

enum { THREADS = 8, IDS = 2000 };

struct hammer {
    struct replay_cache *c;
    pthread_barrier_t start;
    atomic_int taken[IDS];
    atomic_int other_answers;
};

static void *
hammer(void *arg)
{
    struct hammer *h = arg;

    pthread_barrier_wait(&h->start);
    for (uint64_t id = 0; id < IDS; id++) {
        switch (enter(h->c, id, 60, 0)) {
        case REASON_OK:
            atomic_fetch_add(&h->taken[id], 1);
            break;
        case REASON_PROOF_REPLAYED:
            break;
        default:
            atomic_fetch_add(&h->other_answers, 1);
        }
    }
    return NULL;
}

static void
of_many_threads_with_one_proof_exactly_one_is_told_yes(void **state)
{
    static struct hammer h;
    pthread_t threads[THREADS];

    (void)state;
    h.c = replay_cache_new(3 * IDS);
    pthread_barrier_init(&h.start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &h), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t id = 0; id < IDS; id++)
        assert_int_equal(h.taken[id], 1);
    assert_int_equal(h.other_answers, 0);
    pthread_barrier_destroy(&h.start);
    replay_cache_free(h.c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_is_taken_once_and_refused_while_it_is_alive),
        cmocka_unit_test(key_and_id_are_kept_apart),
        cmocka_unit_test(a_full_cache_refuses_and_forgets_nothing),
        cmocka_unit_test(a_full_cache_takes_as_many_as_have_expired),
        cmocka_unit_test(a_cache_is_used_for_ever_in_the_memory_it_began_with),
        cmocka_unit_test(a_proof_that_has_expired_is_not_taken),
        cmocka_unit_test(a_clock_set_back_does_not_bring_a_forgotten_proof_to_life),
        cmocka_unit_test(of_many_threads_with_one_proof_exactly_one_is_told_yes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

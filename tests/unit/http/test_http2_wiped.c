/* What HTTP/2 wrote is not left in memory: its head may have carried a credential. */
#include "asking.h"

#include "tests/unit/needle.h"

/* Letters that no program holds anyway, and never in one place unflipped. */
static void
flipped_secret(unsigned char flipped[NEEDLE_SIZE])
{
    for (int i = 0; i < NEEDLE_SIZE; i++)
        flipped[i] = (unsigned char)(('A' + (i * 7 + 3) % 26) ^ 0xff);
}

static void
write_request(struct stream *s, const unsigned char flipped[NEEDLE_SIZE])
{
    char secret[NEEDLE_SIZE];
    struct request r = { .method = TEXT("GET") };
    struct arena *a = arena_new();

    for (int i = 0; i < NEEDLE_SIZE; i++)
        secret[i] = (char)(flipped[i] ^ 0xff);
    headers_init(&r.headers, a);
    headers_add_secret(&r.headers, TEXT("authorization"),
                       text_of(secret, sizeof secret));
    stream_write_request(s, &r, TEXT("/"), text_of(NULL, 0), TEXT("a.test"));
    assert_true(count_in_memory(flipped) > 1); /* here, and where it waits */
    stream_write_end(s, NULL);
    arena_free(a);
    explicit_bzero(secret, sizeof secret);
}

static void
nothing_is_left_of_a_head_that_was_sent(void **state)
{
    unsigned char flipped[NEEDLE_SIZE];
    struct end e = { .is_broken = false };
    struct stream *s;

    (void)state;
    flipped_secret(flipped);
    e.wire = wire_new(WIRE_HTTP2, WIRE_CLIENT, &usual_limits, &e.in, &e.out);
    s = wire_open(e.wire);
    write_request(s, flipped);
    assert_true(count_in_memory(flipped) > 0);
    wire_send(e.wire);
    assert_true(buf_length(&e.out) > 0);
    buf_drop(&e.out, buf_length(&e.out));
    assert_int_equal(count_in_memory(flipped), 0);
    stream_close(s);
    end_free(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_a_head_that_was_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

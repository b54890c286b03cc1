/* How much a sender may have on its way to a reader who takes nothing, by HTTP/2: that
 * is what a stream's bytes cost us in memory, and what a long body's rate is bounded
 * by. */
#include "asking.h"

enum { KIB = 1024, MIB = 1024 * KIB, STREAMS = 5, PIECE = 16 * KIB };

struct scene {
    struct wire_limits limits;
    struct pair pair;
    struct peer client[STREAMS], server[STREAMS];
    int n;
};

static void
scene_begin(struct scene *s, size_t ceiling, int n)
{
    memset(s, 0, sizeof *s);
    s->limits = usual_limits;
    s->limits.ceiling = ceiling;
    s->n = n;
    pair_init_within(&s->pair, &s->limits);
    pair_settle(&s->pair);
    for (int i = 0; i < n; i++) {
        peer_ask(&s->client[i], &s->pair, "GET", (struct body_frame){ BODY_NONE, 0 });
        pair_settle(&s->pair);
        peer_accept(&s->server[i], &s->pair);
        peer_answer(&s->server[i], 200, (struct body_frame){ BODY_STREAM, 0 });
        pair_settle(&s->pair);
        assert_int_equal(peer_read_response(&s->client[i]), FLOW_OK);
    }
}

static void
leave(struct scene *s, int i)
{
    stream_write_end(s->server[i].stream, NULL);
    pair_settle(&s->pair);
    assert_int_equal(peer_read_body(&s->client[i]), FLOW_END);
    peer_close(&s->client[i]);
    peer_close(&s->server[i]);
    pair_settle(&s->pair);
}

static void
scene_end(struct scene *s)
{
    for (int i = 0; i < s->n; i++) {
        peer_free(&s->client[i]);
        peer_free(&s->server[i]);
    }
    pair_free(&s->pair);
}

/* Sends as much as goes, while nobody reads. */
static void
fill(struct scene *s, int i)
{
    static const char piece[PIECE];

    do {
        while (!stream_is_full(s->server[i].stream))
            stream_write_body(s->server[i].stream, text_of(piece, sizeof piece));
        pair_settle(&s->pair);
    } while (!stream_is_full(s->server[i].stream));
}

/* Reads all that came, and how much that was. */
static size_t
drain(struct scene *s, int i)
{
    size_t n;

    assert_int_equal(peer_read_body(&s->client[i]), FLOW_WAIT);
    n = buf_length(&s->client[i].body);
    buf_drop(&s->client[i].body, n);
    return n;
}

static size_t
held(struct scene *s, int i)
{
    fill(s, i);
    return drain(s, i);
}

/* Until its body is a long one. */
static void
read_long(struct scene *s, int i)
{
    size_t all = 0;

    while (all < 2 * MIB)
        all += held(s, i);
}

static const struct {
    size_t ceiling, alone, among;
} windows[] = {
    { 4 * KIB, 64 * KIB, 16 * KIB },
    { 64 * KIB, MIB, 256 * KIB },
    { 128 * KIB, MIB, 512 * KIB },
    { MIB, 4 * MIB, 4 * MIB },
};

static void
a_long_body_that_has_its_connection_for_itself_gets_a_wide_window(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(windows); row++) {
        struct scene s;

        scene_begin(&s, windows[row].ceiling, 1);
        assert_int_equal(held(&s, 0), windows[row].ceiling);
        read_long(&s, 0);
        assert_int_equal(held(&s, 0), windows[row].alone);
        assert_int_equal(held(&s, 0), windows[row].alone);
        scene_end(&s);
    }
}

static void
of_long_bodies_on_one_connection_a_few_get_some_more(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(windows); row++) {
        struct scene s;

        scene_begin(&s, windows[row].ceiling, STREAMS);
        for (int i = 0; i < STREAMS; i++)
            read_long(&s, i);
        for (int i = 0; i < STREAMS - 1; i++)
            assert_int_equal(held(&s, i), windows[row].among);
        assert_int_equal(held(&s, STREAMS - 1), windows[row].ceiling);
        scene_end(&s);
    }
}

static void
one_whose_neighbours_have_left_gets_more(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, 64 * KIB, 2);
    read_long(&s, 0);
    assert_int_equal(held(&s, 0), 256 * KIB);
    leave(&s, 1);
    read_long(&s, 0);
    assert_int_equal(held(&s, 0), MIB);
    scene_end(&s);
}

static void
what_piled_up_is_lent_a_ceiling_at_a_time(void **state)
{
    struct text piece;
    enum reason why;
    struct scene s;
    size_t all = 0;

    (void)state;
    scene_begin(&s, 64 * KIB, 1);
    read_long(&s, 0);
    fill(&s, 0);
    while (stream_read_body(s.client[0].stream, s.client[0].arena, &piece, &why) ==
           FLOW_OK) {
        assert_true(piece.n <= 64 * KIB);
        all += piece.n;
    }
    assert_int_equal(all, MIB);
    scene_end(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_long_body_that_has_its_connection_for_itself_gets_a_wide_window),
        cmocka_unit_test(of_long_bodies_on_one_connection_a_few_get_some_more),
        cmocka_unit_test(one_whose_neighbours_have_left_gets_more),
        cmocka_unit_test(what_piled_up_is_lent_a_ceiling_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Floods of frames from both sides of an HTTP/2 wire: the work they cost is bounded,
 * and who sends them is told to calm down. */
#include "hostile.h"

static void
add_settings(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame(b, F_SETTINGS, 0, 0, text_of("", 0));
}

/* The table of HPACK up and down. */
static void
add_table_flip(struct buf *b, uint32_t i)
{
    add_frame_head(b, 6, F_SETTINGS, 0, 0);
    buf_add(b, text_of("\0\1", 2));
    add_u32(b, i % 2 == 0 ? 0 : 65536);
}

static void
add_priority(struct buf *b, uint32_t i)
{
    add_frame(b, F_PRIORITY, 0, 2 * (i % 1000) + 1, text_of("\0\0\0\0\20", 5));
}

static void
add_unknown(struct buf *b, uint32_t i)
{
    add_frame(b, 0x20 + i % 200, (unsigned)i % 256, i % 5, TEXT("?"));
}

static void
add_goaway(struct buf *b, uint32_t i)
{
    static const char debug[1000];

    (void)i;
    add_frame_head(b, 8 + sizeof debug, F_GOAWAY, 0, 0);
    add_u32(b, 0);
    add_u32(b, 0);
    buf_add(b, text_of(debug, sizeof debug));
}

/* Of a stream that is long closed, or, for a client, of one it opened. */
static void
add_empty_data(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame(b, F_DATA, 0, 1, text_of("", 0));
}

static void
add_padding(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame(b, F_DATA, F_PADDED, 1, text_of("\3\0\0\0", 4));
}

static void
add_continuation(struct buf *b, uint32_t i)
{
    if (i == 0)
        add_frame(b, F_HEADERS, 0, 1, text_of("", 0));
    else
        add_frame(b, F_CONTINUATION, 0, 1, text_of("", 0));
}

static void
add_rapid_reset(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_GET, F_END_STREAM);
    add_frame_u32(b, F_RST_STREAM, 2 * i + 3, 8);
}

/* RST_STREAM of one stream over and over. */
static void
add_reset(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame_u32(b, F_RST_STREAM, 1, 8);
}

/* MadeYouReset: a window that overflows is the stream's fault, and we reset it. */
static void
add_made_you_reset(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_GET, F_END_STREAM);
    add_frame_u32(b, F_WINDOW_UPDATE, 2 * i + 3, INT32_MAX);
}

static void
add_zero_window(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_GET, F_END_STREAM);
    add_frame_u32(b, F_WINDOW_UPDATE, 2 * i + 3, 0);
}

static void
add_data_after_end(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_GET, F_END_STREAM);
    add_frame(b, F_DATA, 0, 2 * i + 3, TEXT("x"));
}

static void
add_short_priority(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_GET, F_END_STREAM);
    add_frame(b, F_PRIORITY, 0, 2 * i + 3, TEXT("x"));
}

static void
add_endless_stream(struct buf *b, uint32_t i)
{
    add_head(b, 2 * i + 3, HEAD_OF_POST, 0);
}

enum { BOTH = 3, OF_CLIENTS = 1, OF_SERVERS = 2 };

static const struct {
    const char *name;
    unsigned from;
    void (*add)(struct buf *b, uint32_t i);
    uint32_t most; /* of these before the peer is cut, but for what time refills */
    enum reason why;
} floods[] = {
    { "ping", BOTH, add_ping, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "settings", BOTH, add_settings, GUARD_IDLE / GUARD_SETTINGS, REASON_HTTP2_FLOOD },
    { "table flip", BOTH, add_table_flip, GUARD_IDLE / GUARD_SETTINGS,
      REASON_HTTP2_FLOOD },
    { "window flip", BOTH, add_window_flip, GUARD_IDLE / GUARD_SETTINGS,
      REASON_HTTP2_FLOOD },
    { "priority", BOTH, add_priority, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "window update", BOTH, add_window_update, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "unknown frames", BOTH, add_unknown, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "goaway", BOTH, add_goaway, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "empty data", BOTH, add_empty_data, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "padding", BOTH, add_padding, GUARD_IDLE, REASON_HTTP2_FLOOD },
    { "continuation", BOTH, add_continuation, 10, REASON_HTTP2_FLOOD },
    { "reset", BOTH, add_reset, GUARD_RESETS, REASON_HTTP2_FLOOD },
    { "rapid reset", OF_CLIENTS, add_rapid_reset, GUARD_RESETS, REASON_HTTP2_FLOOD },
    { "made you reset", OF_CLIENTS, add_made_you_reset, GUARD_RESETS,
      REASON_HTTP2_FLOOD },
    { "zero window", OF_CLIENTS, add_zero_window, 1, REASON_HTTP2_PROTOCOL },
    { "data after the end", OF_CLIENTS, add_data_after_end, 1, REASON_HTTP2_PROTOCOL },
    { "short priority", OF_CLIENTS, add_short_priority, 1, REASON_HTTP2_PROTOCOL },
    /* The settings were never acknowledged: each stream too many is refused. */
    { "endless streams", OF_CLIENTS, add_endless_stream, 100 + GUARD_RESETS,
      REASON_HTTP2_FLOOD },
};

/* What time gives back is little, but a machine may be slow: each pass of the clock
 * refills, so the count is bounded by attempts, not by time. */
static void
flood(size_t row, enum wire_role role)
{
    enum { ATTEMPTS = 20000, MEMORY = 1 << 20 };
    size_t before = allocated(), most_out = 0;
    struct peer victim;
    struct end e;
    uint32_t i = 0;

    end_init(&e, role);
    open_one(&e, role, &victim);
    for (; i < ATTEMPTS && !e.is_broken; i++) {
        floods[row].add(&e.in, i);
        end_receive(&e);
        if (buf_length(&e.out) > most_out)
            most_out = buf_length(&e.out);
        if (!e.is_broken)
            buf_drop(&e.out, buf_length(&e.out));
    }
    if (!e.is_broken || e.why != floods[row].why || i < floods[row].most / 2)
        fail_msg("%s: %s after %u", floods[row].name, reason_token(e.why), i);
    assert_true(stream_is_gone(victim.stream) && victim.rings > 0);
    assert_int_equal(goaway_code(&e) == ENHANCE_YOUR_CALM, e.why == REASON_HTTP2_FLOOD);
    assert_true(most_out < 2 * usual_limits.ceiling);
    assert_true(allocated() < before + MEMORY);
    peer_free(&victim);
    end_free(&e);
}

static void
every_flood_is_cut_from_either_side(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(floods); row++) {
        if (floods[row].from & OF_CLIENTS)
            flood(row, WIRE_SERVER);
        if (floods[row].from & OF_SERVERS)
            flood(row, WIRE_CLIENT);
    }
}

/* All at once, with nobody who reads what we say. */
static void
a_flood_in_one_read_is_cut_where_it_is_too_much(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT(floods); row++) {
        size_t before = allocated();
        struct end e;

        if ((floods[row].from & OF_CLIENTS) == 0)
            continue;
        end_init(&e, WIRE_SERVER);
        add_head(&e.in, 1, HEAD_OF_POST, 0);
        for (uint32_t i = 0; i < GUARD_IDLE + 100; i++)
            floods[row].add(&e.in, i);
        end_receive(&e);
        if (!e.is_broken)
            fail_msg("%s", floods[row].name);
        assert_true(buf_length(&e.out) < 2 * usual_limits.ceiling);
        assert_true(allocated() < before + (1 << 20));
        end_free(&e);
    }
}

/* Some readers open both windows for every few hundred bytes they take. */
static void
windows_for_each_small_read_of_a_long_body_are_no_flood(void **state)
{
    enum { PIECES = 640, SMALL_READ = 512 };
    static const char piece[16 * 1024];
    struct response r = { .status = 200, .body = { BODY_STREAM, 0 } };
    struct peer p;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    open_one(&e, WIRE_SERVER, &p);
    headers_init(&r.headers, p.arena);
    stream_write_response(p.stream, &r);
    for (int i = 0; i < PIECES && !e.is_broken; i++) {
        stream_write_body(p.stream, text_of(piece, sizeof piece));
        wire_send(e.wire);
        assert_true(buf_length(&e.out) > sizeof piece);
        buf_drop(&e.out, buf_length(&e.out));
        for (size_t n = 0; n < sizeof piece; n += SMALL_READ) {
            add_frame_u32(&e.in, F_WINDOW_UPDATE, 0, SMALL_READ);
            add_frame_u32(&e.in, F_WINDOW_UPDATE, 1, SMALL_READ);
        }
        end_receive(&e);
    }
    assert_false(e.is_broken);
    peer_free(&p);
    end_free(&e);
}

/* ---- who takes back what was asked for */

enum { ROUNDS = 10 * GUARD_RESETS };

static void
answer_next(struct end *e)
{
    struct stream *s;
    struct peer p;

    if (wire_next(e->wire, &s) != FLOW_OK)
        return;
    peer_init(&p, s);
    if (peer_read_request(&p) == FLOW_OK)
        peer_read_body(&p);
    peer_answer(&p, p.is_broken ? 400 : 200, nothing);
    peer_free(&p);
}

static void
turn(struct end *e)
{
    end_receive(e);
    answer_next(e);
    wire_send(e->wire);
    if (!e->is_broken)
        buf_drop(&e->out, buf_length(&e->out));
}

/* So many requests that wait for their answers. */
static void
ask_in_earnest(struct end *e, uint32_t *id, unsigned n)
{
    for (; n > 0 && !e->is_broken; n--, *id += 2) {
        add_head(&e->in, *id, HEAD_OF_GET, F_END_STREAM);
        turn(e);
    }
}

static void
ask_and_take_back(struct end *e, uint32_t *id, unsigned n)
{
    for (; n > 0 && !e->is_broken; n--, *id += 2) {
        add_head(&e->in, *id, HEAD_OF_GET, F_END_STREAM);
        add_frame_u32(&e->in, F_RST_STREAM, *id, 8);
        turn(e);
    }
}

static void
who_takes_back_no_more_than_is_answered_goes_on(void **state)
{
    uint32_t id = 1;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    for (int i = 0; i < ROUNDS; i++) {
        ask_in_earnest(&e, &id, 1);
        ask_and_take_back(&e, &id, 1);
    }
    assert_false(e.is_broken);
    end_free(&e);
}

static void
who_lets_one_in_four_be_answered_is_cut_all_the_same(void **state)
{
    uint32_t id = 1;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    for (int i = 0; i < ROUNDS && !e.is_broken; i++) {
        ask_in_earnest(&e, &id, 1);
        ask_and_take_back(&e, &id, 3);
    }
    assert_true(e.is_broken);
    assert_int_equal(e.why, REASON_HTTP2_FLOOD);
    end_free(&e);
}

/* However much was answered before, no more may be taken back at once. */
static void
answers_are_not_saved_up(void **state)
{
    uint32_t id = 1;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    ask_in_earnest(&e, &id, ROUNDS);
    assert_false(e.is_broken);
    ask_and_take_back(&e, &id, ROUNDS);
    assert_true(e.is_broken);
    assert_int_equal(e.why, REASON_HTTP2_FLOOD);
    end_free(&e);
}

/* It is work that was begun, and is told so. */
static void
the_answer_to_a_request_that_its_client_broke_pays_for_none(void **state)
{
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    for (uint32_t id = 1; id < 2 * ROUNDS && !e.is_broken; id += 2) {
        add_head(&e.in, id, HEAD_OF_POST "|content-length: 1", 0);
        add_frame(&e.in, F_DATA, F_END_STREAM, id, TEXT("xx"));
        turn(&e);
    }
    assert_true(e.is_broken);
    assert_int_equal(e.why, REASON_HTTP2_FLOOD);
    end_free(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flood_is_cut_from_either_side),
        cmocka_unit_test(a_flood_in_one_read_is_cut_where_it_is_too_much),
        cmocka_unit_test(windows_for_each_small_read_of_a_long_body_are_no_flood),
        cmocka_unit_test(who_takes_back_no_more_than_is_answered_goes_on),
        cmocka_unit_test(who_lets_one_in_four_be_answered_is_cut_all_the_same),
        cmocka_unit_test(answers_are_not_saved_up),
        cmocka_unit_test(the_answer_to_a_request_that_its_client_broke_pays_for_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

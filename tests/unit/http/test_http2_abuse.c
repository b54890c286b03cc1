/* Peers that mean harm, from both sides of an HTTP/2 wire: the work they cost is
 * bounded, and they are told to calm down. */
#include "frames.h"
#include "pair.h"

static void
end_init(struct end *e, enum wire_role role)
{
    memset(e, 0, sizeof *e);
    e->wire = wire_new(WIRE_HTTP2, role, &usual_limits, &e->in, &e->out);
    add_preface(&e->in, role == WIRE_SERVER);
}

static void
end_receive(struct end *e)
{
    if (wire_receive(e->wire, &e->why) == FLOW_BROKEN)
        e->is_broken = true;
    wire_send(e->wire);
}

/* The error code of the GOAWAY that is the last frame of `out`. */
static unsigned
goaway_code(const struct end *e)
{
    struct text out = buf_text(&e->out);
    unsigned type = 0, code = 0;

    if (text_starts(out, MAGIC))
        out = text_of(out.at + MAGIC.n, out.n - MAGIC.n);
    while (out.n >= 9) {
        const unsigned char *h = (const unsigned char *)out.at;
        size_t n = 9 + ((size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2]);

        assert_true(n <= out.n);
        type = h[3];
        if (type == F_GOAWAY)
            code = (unsigned)h[13] << 24 | (unsigned)h[14] << 16 |
                   (unsigned)h[15] << 8 | h[16];
        out = text_of(out.at + n, out.n - n);
    }
    assert_int_equal(out.n, 0);
    assert_int_equal(type, F_GOAWAY);
    return code;
}

enum { ENHANCE_YOUR_CALM = 0xb, PROTOCOL_ERROR = 1 };

static void
a_flood_of_pings_is_told_to_calm_down(void **state)
{
    (void)state;
    for (int role = WIRE_SERVER; role <= WIRE_CLIENT; role++) {
        struct end e;

        end_init(&e, (enum wire_role)role);
        for (int i = 0; i < 20000 && !e.is_broken; i++) {
            add_frame(&e.in, F_PING, 0, 0, TEXT("12345678"));
            end_receive(&e);
            if (!e.is_broken)
                buf_drop(&e.out, buf_length(&e.out));
        }
        assert_true(e.is_broken && wire_is_over(e.wire));
        assert_int_equal(e.why, REASON_HTTP2_FLOOD);
        assert_int_equal(goaway_code(&e), ENHANCE_YOUR_CALM);
        end_free(&e);
    }
}

static void
bytes_that_are_no_http2_break_the_wire(void **state)
{
    static const char *const junk[] = { "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
                                        "HTTP/1.1 400 Bad Request\r\n\r\n" };

    (void)state;
    for (int role = WIRE_SERVER; role <= WIRE_CLIENT; role++) {
        struct end e;

        end_init(&e, (enum wire_role)role);
        buf_drop(&e.in, buf_length(&e.in));
        buf_add_z(&e.in, junk[role]);
        end_receive(&e);
        assert_true(e.is_broken);
        assert_int_equal(e.why, REASON_HTTP2_PROTOCOL);
        assert_int_equal(goaway_code(&e) != 0, true);
        end_free(&e);
    }
}

static void
a_head_without_a_path_is_refused_and_can_be_answered(void **state)
{
    struct peer server;
    struct stream *s;
    struct end e;

    (void)state;
    end_init(&e, WIRE_SERVER);
    add_head(&e.in, 1, ":method: GET|:scheme: https|:authority: a.test", F_END_STREAM);
    end_receive(&e);
    assert_int_equal(wire_next(e.wire, &s), FLOW_OK);
    peer_init(&server, s);
    assert_int_equal(peer_read_request(&server), FLOW_BROKEN);
    assert_int_equal(server.why, REASON_PSEUDO_FIELD);
    peer_answer(&server, 400, (struct body_frame){ BODY_NONE, 0 });
    peer_free(&server);
    wire_send(e.wire);
    assert_false(e.is_broken || wire_is_over(e.wire));
    end_free(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_pings_is_told_to_calm_down),
        cmocka_unit_test(bytes_that_are_no_http2_break_the_wire),
        cmocka_unit_test(a_head_without_a_path_is_refused_and_can_be_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

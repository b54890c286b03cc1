/* A wire whose peer means harm, and what that costs, for tests. */
#ifndef TESTS_HTTP_HOSTILE_H
#define TESTS_HTTP_HOSTILE_H

#include "asking.h"

#include "base/poison.h"
#include "http/http2_guard.h"

#include <malloc.h>

#ifdef POISON_WORKS
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static inline size_t
allocated(void)
{
#ifdef POISON_WORKS
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks + mallinfo2().hblkhd;
#endif
}

static inline void
end_init(struct end *e, enum wire_role role)
{
    memset(e, 0, sizeof *e);
    e->wire = wire_new(WIRE_HTTP2, role, &usual_limits, &e->in, &e->out);
    add_preface(&e->in, role == WIRE_SERVER);
}

static inline void
end_receive(struct end *e)
{
    if (wire_receive(e->wire, &e->why) == FLOW_BROKEN)
        e->is_broken = true;
    wire_send(e->wire);
}

/* The error code of the GOAWAY that is the last frame of `out`. */
static inline unsigned
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

/* A stream of ours that a hostile service can send frames of; a client of its own. */
static inline void
open_one(struct end *e, enum wire_role role, struct peer *p)
{
    struct stream *s;

    if (role == WIRE_CLIENT) {
        struct request r = { .method = TEXT("GET") };

        peer_init(p, wire_open(e->wire));
        headers_init(&r.headers, p->arena);
        stream_write_request(p->stream, &r, TEXT("/"), text_of(NULL, 0),
                             TEXT("a.test"));
        stream_write_end(p->stream, NULL);
        wire_send(e->wire);
        add_head(&e->in, 1, ":status: 200", 0);
        end_receive(e);
        return;
    }
    add_head(&e->in, 1, HEAD_OF_POST, 0);
    end_receive(e);
    assert_int_equal(wire_next(e->wire, &s), FLOW_OK);
    peer_init(p, s);
}

static inline void
add_ping(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame(b, F_PING, 0, 0, TEXT("12345678"));
}

static inline void
add_window_flip(struct buf *b, uint32_t i)
{
    add_frame_head(b, 6, F_SETTINGS, 0, 0);
    buf_add(b, text_of("\0\4", 2));
    add_u32(b, i % 2 == 0 ? 0 : INT32_MAX);
}

static inline void
add_window_update(struct buf *b, uint32_t i)
{
    (void)i;
    add_frame_u32(b, F_WINDOW_UPDATE, 0, 1);
}

#endif

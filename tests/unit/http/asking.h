/* One HTTP/2 request made by hand, and a server's wire that reads it, for tests. */
#ifndef TESTS_HTTP_ASKING_H
#define TESTS_HTTP_ASKING_H

#include "frames.h"
#include "pair.h"

static const struct body_frame nothing = { BODY_NONE, 0 };

struct asking {
    struct end server;
    struct peer peer;
    enum flow flow;
};

static inline void
asking_begin(struct asking *a)
{
    memset(a, 0, sizeof *a);
    a->server.wire = wire_new(WIRE_HTTP2, WIRE_SERVER, &usual_limits, &a->server.in,
                              &a->server.out);
    add_preface(&a->server.in, true);
}

static inline void
asking_receive(struct asking *a)
{
    wire_receive(a->server.wire, &a->server.why);
    wire_send(a->server.wire);
}

static inline void
asking_take(struct asking *a)
{
    struct stream *s;

    asking_receive(a);
    assert_int_equal(a->server.why, REASON_OK);
    assert_int_equal(wire_next(a->server.wire, &s), FLOW_OK);
    peer_init(&a->peer, s);
    a->flow = peer_read_request(&a->peer);
}

static inline void
ask(struct asking *a, const char *lines, bool is_all)
{
    asking_begin(a);
    add_head(&a->server.in, 1, lines, is_all ? F_END_STREAM : 0);
    asking_take(a);
}

static inline void
asking_end(struct asking *a)
{
    peer_free(&a->peer);
    end_free(&a->server);
}

#endif

/* An exchange between two HTTP/2 wires whose heads have been said, for tests. */
#ifndef TESTS_HTTP_TALK_H
#define TESTS_HTTP_TALK_H

#include "asking.h"

static const struct body_frame streamed = { BODY_STREAM, 0 };

/* A client and a server that have exchanged heads, with both bodies open. */
struct talk {
    struct pair pair;
    struct peer client, server;
};

static inline void
talk_begin(struct talk *t)
{
    pair_init(&t->pair);
    peer_ask(&t->client, &t->pair, "POST", streamed);
    pair_settle(&t->pair);
    peer_accept(&t->server, &t->pair);
    peer_answer(&t->server, 200, streamed);
    pair_settle(&t->pair);
    assert_int_equal(peer_read_response(&t->client), FLOW_OK);
    t->client.rings = t->server.rings = 0;
}

static inline void
talk_end(struct talk *t)
{
    peer_free(&t->client);
    peer_free(&t->server);
    pair_settle(&t->pair);
    assert_false(t->pair.client.is_broken || t->pair.server.is_broken);
    assert_true(wire_may_reuse(t->pair.client.wire));
    pair_free(&t->pair);
}

#endif

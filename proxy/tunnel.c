/* A WebSocket, once its service has accepted it, or TLS that passes unopened: bytes as
 * they come, both ways, each way at its reader's pace. Either side may say its end and
 * still listen; when both have, it is over. */
#include "proxy/relay_parts.h"

struct way {
    struct stream *from, *to;
    struct link *link; /* of `to` */
    bool shared;       /* likewise: others say things there, too */
    uint64_t *count;
};

bool
is_tunnel(const struct exchange *x)
{
    return x->answered && x->response.body.kind == BODY_TUNNEL;
}

static enum progress
pump(struct exchange *x, const struct way *w, enum reason *why)
{
    enum progress progress = STUCK;
    struct text piece;

    while (!stream_has_written_all(w->to) && !stream_is_full(w->to)) {
        switch (stream_read_body(w->from, x->arena, &piece, why)) {
        case FLOW_OK:
            *w->count += piece.n;
            relay_pass(w->to, w->link, piece);
            progress = MOVED;
            break;
        case FLOW_END:
            stream_write_end(w->to, NULL);
            return MOVED;
        case FLOW_BROKEN:
            return BROKE;
        case FLOW_WAIT:
        default:
            return progress;
        }
    }
    return progress;
}

/* Where a connection carries nothing else, its end is the end of the stream; it can be
 * said when all that came before it has gone. */
static void
say_end(const struct way *w)
{
    if (!w->shared && stream_has_written_all(w->to) && buf_length(&w->link->out) == 0)
        link_shut_write(w->link);
}

static bool
is_said(const struct way *w)
{
    return stream_has_written_all(w->to) && (w->shared || w->link->write_shut);
}

/* Of a side that was full and is no more nobody would ring. */
static bool
goes_on(enum progress progress, bool was_full, const struct way *w)
{
    return progress == MOVED || (was_full && !stream_is_full(w->to));
}

static enum progress
pump_both(struct exchange *x, const struct way *up, const struct way *down,
          enum reason *why)
{
    for (unsigned rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        enum progress request = pump(x, up, why);
        enum progress response = request == BROKE ? BROKE : pump(x, down, why);
        bool up_was_full = stream_is_full(up->to);
        bool down_was_full = stream_is_full(down->to);

        if (response == BROKE)
            return BROKE;
        upstream_move(x->up);
        conn_move(x->conn);
        say_end(up);
        say_end(down);
        if (!goes_on(request, up_was_full, up) &&
            !goes_on(response, down_was_full, down))
            return STUCK;
    }
    exchange_wake(x); /* others have a turn first */
    return MOVED;
}

/* It ended without a word, and what it had said before has been passed on; where it is
 * shared only its wire knows that. One that had said its end is not asked for more. */
static bool
service_is_lost(const struct exchange *x, const struct way *down)
{
    const struct link *l = &x->up->link;
    bool is_gone = upstream_is_shared(x->up) ? stream_is_gone(x->up_stream)
                                             : l->state == LINK_DEAD || l->truncated;

    return is_gone && !stream_has_written_all(down->to) && !stream_is_full(down->to);
}

static bool
is_over(const struct exchange *x, const struct way *up, const struct way *down)
{
    const struct link *service = &x->up->link, *client = &x->conn->link;
    bool nobody_listens = service->state == LINK_DEAD || stream_is_gone(x->up_stream);
    bool nobody_speaks = client->state == LINK_DEAD || client->truncated ||
                         stream_is_gone(x->down);

    return is_said(down) && (is_said(up) || nobody_listens || nobody_speaks);
}

bool
tunnel_is_told(const struct exchange *x)
{
    return is_tunnel(x) && stream_has_written_all(x->down) &&
           (conn_is_shared(x->conn) || x->conn->link.write_shut);
}

enum pace
relay_tunnel(struct exchange *x)
{
    const struct way up = { x->down, x->up_stream, &x->up->link,
                            upstream_is_shared(x->up), &x->body_in };
    const struct way down = { x->up_stream, x->down, &x->conn->link,
                              conn_is_shared(x->conn), &x->body_out };
    enum reason why = REASON_UPSTREAM_CLOSED;
    enum progress progress;

    relay_notice_ends(x);
    progress = pump_both(x, &up, &down, &why);
    if (progress == BROKE)
        return relay_fail(x, why);
    if (is_over(x, &up, &down))
        return go(x, STEP_FINISH);
    if (x->conn->link.state == LINK_DEAD)
        return relay_fail(x, REASON_CLIENT_GONE);
    if (progress == STUCK && service_is_lost(x, &down))
        return relay_fail(x, REASON_UPSTREAM_CLOSED);
    return relay_wait(x);
}

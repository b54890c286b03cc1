/* A wire's life: what comes goes through the guard to the session, streams ring, and
 * what they write goes out by turns. */
#include "http/http2.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

static struct http2 *
http2_of_wire(const struct wire *w)
{
    return (struct http2 *)(uintptr_t)w;
}

static void
ring_bells(struct http2 *h)
{
    while (!list_is_empty(&h->ringing)) {
        struct http2_stream *s = LIST_OWNER(h->ringing.next, struct http2_stream, bell);

        list_remove(&s->bell);
        s->ring(s->owner);
    }
}

/* ---- ends */

void
http2_stop(struct http2 *h)
{
    h->is_ending = true;
    for (struct list *m = h->streams.next; m != &h->streams; m = m->next) {
        struct http2_stream *s = LIST_OWNER(m, struct http2_stream, all);

        if (h->role == WIRE_CLIENT && s->writing == HTTP2_WRITE_HEAD)
            http2_stream_go(s, true);
    }
}

/* Its service has said all, its client has not. */
static bool
is_half_a_tunnel(const struct http2_stream *s)
{
    return s->asked.is_websocket && s->is_owned && !s->has_come;
}

/* An answer that is here to its end is as good as it was, and so is one of ours that
 * only waits to be sent, if it still can be. Nobody half closes HTTP/2: a client whose
 * process has died looks like this, and what it asked for is to end where it leads. */
static bool
survives(const struct http2_stream *s, bool may_write)
{
    if (http2_of(&s->stream)->role == WIRE_CLIENT)
        return s->has_come;
    if (!may_write || is_half_a_tunnel(s))
        return false;
    return s->writing == HTTP2_WRITE_ALL || s->ends_quietly;
}

static void
lose_streams(struct http2 *h, bool may_write)
{
    for (struct list *m = h->streams.next; m != &h->streams; m = m->next) {
        struct http2_stream *s = LIST_OWNER(m, struct http2_stream, all);

        if (!survives(s, may_write))
            http2_stream_go(s, !s->has_sent);
    }
}

static void
drop_fresh(struct http2 *h)
{
    while (!list_is_empty(&h->fresh)) {
        struct http2_stream *s = LIST_OWNER(h->fresh.next, struct http2_stream, fresh);

        http2_forget(s);
        http2_stream_free(s);
    }
}

static void
break_wire(struct http2 *h, enum reason why)
{
    if (h->broken != REASON_OK)
        return;
    h->broken = why;
    h->is_ending = true;
    drop_fresh(h);
    lose_streams(h, false);
}

static void
drain(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);

    if (h->is_draining || h->broken != REASON_OK)
        return;
    h->is_draining = true;
    http2_session_drain(h);
}

static bool
is_over(const struct wire *w)
{
    const struct http2 *h = http2_of_wire(w);

    return h->broken != REASON_OK ||
           (h->n_streams == 0 && (h->is_ending || h->is_closed));
}

static bool
has_unread(const struct wire *w)
{
    return http2_of_wire(w)->n_left > 0;
}

static void
cut_unread(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);

    for (struct list *m = h->streams.next; m != &h->streams; m = m->next)
        http2_stream_expire(LIST_OWNER(m, struct http2_stream, all));
}

/* ---- what comes and goes */

static void
end_by(struct http2 *h, enum reason fault)
{
    if (fault == REASON_OK || h->broken != REASON_OK)
        return;
    break_wire(h, fault);
    http2_session_abort(h);
}

/* The session may have found a fault in what came, and has written why. */
static void
give(struct http2 *h)
{
    http2_session_give(h);
    if (h->broken == REASON_OK && h->has_told_fault)
        break_wire(h, REASON_HTTP2_PROTOCOL);
    if (guard_is_spent(&h->guard)) {
        end_by(h, REASON_HTTP2_FLOOD);
        http2_session_give(h);
    }
}

/* The guard first, as far as it lets; what came to there may pay for the rest. */
static void
act_on(struct http2 *h, struct text came)
{
    while (came.n > 0 && h->broken == REASON_OK) {
        size_t n = guard_watch(&h->guard, came);

        end_by(h, http2_session_take(h, text_of(came.at, n)));
        if (guard_is_spent(&h->guard))
            end_by(h, REASON_HTTP2_FLOOD);
        came = text_of(came.at + n, came.n - n);
    }
}

static void
take_in(struct http2 *h)
{
    if (!h->is_closed)
        act_on(h, buf_text(h->in));
    buf_drop(h->in, buf_length(h->in));
}

/* What came before the end may be what a stream waits for. */
static void
read_closed(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);

    if (h->is_closed)
        return;
    take_in(h);
    h->is_closed = true;
    lose_streams(h, true);
    ring_bells(h);
}

static enum flow
receive(struct wire *w, enum reason *why)
{
    struct http2 *h = http2_of_wire(w);

    take_in(h);
    give(h);
    ring_bells(h);
    *why = h->broken;
    return h->broken == REASON_OK ? FLOW_OK : FLOW_BROKEN;
}

static void
send_waiting(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);

    give(h);
    ring_bells(h);
}

/* ---- streams */

static enum flow
next(struct wire *w, struct stream **out)
{
    struct http2 *h = http2_of_wire(w);
    struct http2_stream *s;

    assert(h->role == WIRE_SERVER);
    *out = NULL;
    if (h->broken != REASON_OK)
        return FLOW_BROKEN;
    if (list_is_empty(&h->fresh))
        return is_over(w) ? FLOW_END : FLOW_WAIT;
    s = LIST_OWNER(h->fresh.next, struct http2_stream, fresh);
    list_remove(&s->fresh);
    s->is_owned = true;
    *out = &s->stream;
    return FLOW_OK;
}

static bool
may_reuse(const struct wire *w)
{
    const struct http2 *h = http2_of_wire(w);

    if (h->broken != REASON_OK || h->is_ending || h->is_draining || h->is_closed)
        return false;
    if (h->role == WIRE_SERVER)
        return h->n_streams < h->limits.streams;
    return h->n_streams < h->limits.streams && h->n_streams < http2_session_room(h);
}

static struct stream *
open_stream(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);
    struct http2_stream *s;

    assert(h->role == WIRE_CLIENT);
    if (!may_reuse(w))
        return NULL;
    s = http2_stream_new(h);
    s->is_owned = true;
    return &s->stream;
}

static bool
is_greeted(const struct wire *w)
{
    return http2_of_wire(w)->is_greeted;
}

static bool
takes_websocket(const struct wire *w)
{
    return http2_session_takes_websocket(http2_of_wire(w));
}

static bool
is_busy(const struct wire *w)
{
    const struct http2 *h = http2_of_wire(w);

    return h->role == WIRE_CLIENT ? h->n_streams > 0 : guard_is_amid(&h->guard);
}

/* No other wire can take the place of one that holds its peer's compression state. */
static bool
is_fresh(const struct wire *w)
{
    (void)w;
    return false;
}

static void
free_wire(struct wire *w)
{
    struct http2 *h = http2_of_wire(w);

    http2_session_close(h);
    while (!list_is_empty(&h->streams)) {
        struct http2_stream *s = LIST_OWNER(h->streams.next, struct http2_stream, all);

        assert(!s->is_owned);
        http2_stream_free(s);
    }
    free(h);
}

static const struct codec http2 = {
    .is_multiplexed = true,
    .free = free_wire,
    .read_closed = read_closed,
    .receive = receive,
    .send = send_waiting,
    .drain = drain,
    .is_over = is_over,
    .has_unread = has_unread,
    .cut_unread = cut_unread,
    .next = next,
    .open = open_stream,
    .takes_websocket = takes_websocket,
    .is_greeted = is_greeted,
    .is_busy = is_busy,
    .is_fresh = is_fresh,
    .may_reuse = may_reuse,
    .set_bell = http2_set_bell,
    .is_gone = http2_is_gone,
    .is_unprocessed = http2_is_unprocessed,
    .read_request = http2_take_request,
    .read_response = http2_take_response,
    .read_body = http2_read_body,
    .trailers = http2_trailers,
    .has_read_all = http2_has_read_all,
    .write_request = http2_write_request,
    .write_response = http2_write_response,
    .write_body = http2_write_body,
    .is_full = http2_is_full,
    .writes_plain = http2_writes_plain,
    .pass_body = http2_pass_body,
    .write_end = http2_write_end,
    .has_written_all = http2_has_written_all,
    .close_after = http2_close_after,
    .close = http2_close,
};

struct wire *
http2_new(enum wire_role role, const struct wire_limits *limits, struct buf *in,
          struct buf *out)
{
    struct http2 *h = memory_new(sizeof *h);

    h->wire.codec = &http2;
    h->role = role;
    h->limits = *limits;
    h->in = in;
    h->out = out;
    list_init(&h->streams);
    list_init(&h->fresh);
    list_init(&h->ringing);
    guard_init(&h->guard, role == WIRE_SERVER);
    http2_session_open(h);
    return &h->wire;
}

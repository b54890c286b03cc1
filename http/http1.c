/* A wire's life: which exchange has its place, and whether another may follow. */
#include "http/http1.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <assert.h>
#include <string.h>

/* A wire towards a client is made for a request and freed behind it. */
static _Thread_local struct shelf spares = { .size = sizeof(struct http1), .keep = 64 };

static struct http1 *
http1_of_wire(const struct wire *w)
{
    return (struct http1 *)(void *)w;
}

static size_t
unread(const struct http1 *h)
{
    return buf_length(h->in) - h->lent;
}

static const struct headers *
trailers(const struct stream *s)
{
    const struct headers *t = &http1_of(s)->place.trailers;

    return t->n == 0 ? NULL : t;
}

static bool
has_read_all(const struct stream *s)
{
    return http1_of(s)->place.reading == READ_ALL;
}

static bool
has_written_all(const struct stream *s)
{
    return http1_of(s)->place.writing == WRITE_ALL;
}

static void
read_closed(struct wire *w)
{
    http1_of_wire(w)->is_closed = true;
}

static struct stream *
take_place(struct http1 *h)
{
    h->place = (struct place){ .is_open = true };
    lexer_begin_head(&h->lexer);
    return &h->stream;
}

/* RFC 9112 section 2.2: one empty line before a request line, which old clients send
 * behind a body. True when a request has begun. */
static bool
has_begun(struct http1 *h)
{
    struct text in = buf_text(h->in);

    if (text_starts(in, TEXT("\r\n")) && !h->has_skipped_line) {
        buf_drop(h->in, 2);
        h->has_skipped_line = true;
        in = buf_text(h->in);
    }
    return in.n > 1 || (in.n == 1 && in.at[0] != '\r');
}

static enum flow
next(struct wire *w, struct stream **s)
{
    struct http1 *h = http1_of_wire(w);

    assert(h->role == WIRE_SERVER);
    *s = NULL;
    if (h->broken != REASON_OK)
        return FLOW_BROKEN;
    if (h->place.is_open)
        return FLOW_WAIT;
    if (h->is_ending)
        return FLOW_END;
    if (!has_begun(h))
        return h->is_closed ? FLOW_END : FLOW_WAIT;
    h->has_skipped_line = false;
    *s = take_place(h);
    return FLOW_OK;
}

static bool
may_reuse(const struct wire *w)
{
    const struct http1 *h = http1_of_wire(w);
    const struct place *p = &h->place;

    if (h->is_ending || h->broken != REASON_OK)
        return false;
    if (p->is_open && (p->reading != READ_ALL || p->writing != WRITE_ALL))
        return false;
    /* Bytes that nobody asked for are taken for the answer to the next request
     * (SECURITY.md B9). */
    return h->role == WIRE_SERVER || (unread(h) == 0 && !h->is_closed);
}

static struct stream *
open_stream(struct wire *w)
{
    struct http1 *h = http1_of_wire(w);

    assert(h->role == WIRE_CLIENT);
    if (h->place.is_open || !may_reuse(w))
        return NULL;
    return take_place(h);
}

static bool
is_busy(const struct wire *w)
{
    const struct http1 *h = http1_of_wire(w);

    if (h->role == WIRE_CLIENT)
        return h->place.is_open;
    return h->place.is_open ? h->place.reading == READ_HEAD : buf_length(h->in) > 0;
}

static bool
is_fresh(const struct wire *w)
{
    const struct http1 *h = http1_of_wire(w);

    return h->role == WIRE_SERVER && !h->place.is_open && !h->is_closed &&
           !h->is_ending && h->broken == REASON_OK && !h->has_skipped_line &&
           buf_length(h->in) == 0;
}

static void
drain(struct wire *w)
{
    http1_of_wire(w)->is_ending = true;
}

static bool
is_over(const struct wire *w)
{
    const struct http1 *h = http1_of_wire(w);

    return !h->place.is_open && (h->is_ending || h->broken != REASON_OK);
}

static void
close_after(struct stream *s)
{
    http1_of(s)->is_ending = true;
}

static void
close_stream(struct stream *s)
{
    struct http1 *h = http1_of(s);

    http1_take_back(h);
    if (!may_reuse(&h->wire))
        h->is_ending = true;
    lexer_forget(&h->lexer);
    h->place = (struct place){ .is_open = false };
}

static void
free_wire(struct wire *w)
{
    struct http1 *h = http1_of_wire(w);

    lexer_forget(&h->lexer);
    parser_free(h->parser);
    shelf_give(&spares, h);
}

/* Nobody reads ahead of the one exchange there is: its connection's bell is its own. */
static void
set_bell(struct stream *s, void (*ring)(void *owner), void *owner)
{
    (void)s;
    (void)ring;
    (void)owner;
}

static bool
is_never(const struct stream *s)
{
    (void)s;
    return false;
}

static bool
is_always(const struct wire *w)
{
    (void)w;
    return true;
}

static bool
is_full(const struct stream *s)
{
    const struct http1 *h = http1_of(s);

    return buf_length(h->out) >= h->limits.ceiling;
}

static const struct codec http1 = {
    .free = free_wire,
    .read_closed = read_closed,
    .drain = drain,
    .is_over = is_over,
    .next = next,
    .open = open_stream,
    .takes_websocket = is_always,
    .is_greeted = is_always,
    .is_busy = is_busy,
    .is_fresh = is_fresh,
    .may_reuse = may_reuse,
    .set_bell = set_bell,
    .is_gone = is_never,
    .is_unprocessed = is_never,
    .read_request = http1_read_request,
    .read_response = http1_read_response,
    .read_body = http1_read_body,
    .trailers = trailers,
    .has_read_all = has_read_all,
    .write_request = http1_write_request,
    .write_response = http1_write_response,
    .write_body = http1_write_body,
    .is_full = is_full,
    .writes_plain = http1_writes_plain,
    .pass_body = http1_pass_body,
    .write_end = http1_write_end,
    .has_written_all = has_written_all,
    .close_after = close_after,
    .close = close_stream,
};

struct wire *
http1_new(enum wire_role role, const struct wire_limits *limits, struct buf *in,
          struct buf *out)
{
    struct http1 *h = shelf_take(&spares);

    if (h == NULL)
        h = memory_new_raw(sizeof *h);
    memset(h, 0, sizeof *h);
    assert(limits->head_bytes <= INT32_MAX / 2); /* the lexer's offsets */
    assert(limits->ceiling > 0);                 /* or nothing is ever written */
    h->wire.codec = &http1;
    h->stream.wire = &h->wire;
    h->role = role;
    h->limits = *limits;
    h->in = in;
    h->out = out;
    lexer_init(&h->lexer, role, &h->limits);
    h->parser = parser_new(role);
    return &h->wire;
}

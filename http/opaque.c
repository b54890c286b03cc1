/* TLS that is passed on unopened, as a wire: one stream whose request is a CONNECT, and
 * whose bodies are the bytes as they come. The first of them are a ClientHello, which
 * is read for the name in it and then goes on with the rest: not a byte is taken away
 * or added. Above wire.h it is an exchange like any other.
 *
 * Until its service is there and the exchange is allowed the client hears nothing; what
 * it then hears is its service, or an alert of ours (RFC 8446 section 6) in place of an
 * answer that nobody could read here. */
#include "http/client_hello.h"
#include "http/codec.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <assert.h>
#include <string.h>

enum alert {
    ALERT_ACCESS_DENIED = 49,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_UNRECOGNIZED_NAME = 112
};

struct opaque {
    struct wire wire; /* first: wire.h's view of it */
    struct stream stream;
    enum wire_role role;
    struct wire_limits limits;
    struct buf *in, *out;
    size_t lent;     /* bytes at the front of `in` that are on loan as the last piece */
    bool is_open;    /* the stream has its one exchange, … */
    bool was_opened; /* … or had it */
    bool is_closed;  /* the peer sends no more */
    bool is_joined;  /* the two ends may hear each other */
    bool has_answered; /* client: for its service, which answers to nobody's CONNECT */
    bool has_read_all, has_written_all;
};

static _Thread_local struct shelf spares = { .size = sizeof(struct opaque),
                                             .keep = 64 };

static struct opaque *
of_wire(const struct wire *w)
{
    return (struct opaque *)(void *)w;
}

static struct opaque *
of(const struct stream *s)
{
    return of_wire(s->wire);
}

/* ---- its life */

static struct stream *
take_place(struct opaque *o)
{
    o->is_open = o->was_opened = true;
    return &o->stream;
}

static enum flow
next(struct wire *w, struct stream **s)
{
    struct opaque *o = of_wire(w);

    assert(o->role == WIRE_SERVER);
    *s = NULL;
    if (o->is_open)
        return FLOW_WAIT;
    if (o->was_opened)
        return FLOW_END;
    if (buf_length(o->in) == 0)
        return o->is_closed ? FLOW_END : FLOW_WAIT;
    *s = take_place(o);
    return FLOW_OK;
}

static struct stream *
open_stream(struct wire *w)
{
    struct opaque *o = of_wire(w);

    assert(o->role == WIRE_CLIENT);
    return o->was_opened ? NULL : take_place(o);
}

static void
take_back(struct opaque *o)
{
    buf_drop(o->in, o->lent);
    o->lent = 0;
}

static void
close_stream(struct stream *s)
{
    take_back(of(s));
    of(s)->is_open = false;
}

static void
free_wire(struct wire *w)
{
    shelf_give(&spares, of_wire(w));
}

static void
read_closed(struct wire *w)
{
    of_wire(w)->is_closed = true;
}

/* It carries one exchange in any case. */
static void
drain(struct wire *w)
{
    (void)w;
}

static void
close_after(struct stream *s)
{
    (void)s;
}

static bool
is_over(const struct wire *w)
{
    return of_wire(w)->was_opened && !of_wire(w)->is_open;
}

static bool
is_busy(const struct wire *w)
{
    const struct opaque *o = of_wire(w);

    return o->is_open && (o->role == WIRE_CLIENT || !o->is_joined);
}

static bool
is_no_wire(const struct wire *w)
{
    (void)w;
    return false;
}

static bool
is_any_wire(const struct wire *w)
{
    (void)w;
    return true;
}

static bool
is_no_stream(const struct stream *s)
{
    (void)s;
    return false;
}

/* Its connection's bell is its own. */
static void
set_bell(struct stream *s, void (*ring)(void *owner), void *owner)
{
    (void)s;
    (void)ring;
    (void)owner;
}

/* ---- reading */

/* What the name is worth, and whether a hidden one may pass, is judged above. */
static void
describe(const struct client_hello *hello, struct arena *a, struct request *out)
{
    *out = (struct request){ .method = TEXT("CONNECT"),
                             .form = TARGET_AUTHORITY,
                             .host = arena_copy(a, client_hello_name(hello)),
                             .hides_host = hello->hides_name,
                             .body.kind = BODY_TUNNEL };
    headers_init(&out->headers, a);
}

/* The bytes stay where they are: they are the first of the body. */
static enum flow
read_request(struct stream *s, struct arena *a, struct request *out, enum reason *why)
{
    struct opaque *o = of(s);
    struct client_hello hello;
    enum flow flow = client_hello_read(buf_text(o->in), &hello);

    assert(o->role == WIRE_SERVER && !o->is_joined);
    if (flow == FLOW_WAIT && buf_length(o->in) < o->limits.ceiling)
        return FLOW_WAIT;
    *why = flow == FLOW_OK ? REASON_OK : REASON_CLIENT_HELLO;
    if (flow != FLOW_OK)
        return FLOW_BROKEN;
    describe(&hello, a, out);
    return FLOW_OK;
}

static enum flow
read_response(struct stream *s, struct arena *a, struct response *out, enum reason *why)
{
    struct opaque *o = of(s);

    assert(o->role == WIRE_CLIENT && o->is_joined && !o->has_answered);
    *why = REASON_OK;
    *out = (struct response){ .status = 200, .body.kind = BODY_TUNNEL };
    headers_init(&out->headers, a);
    o->has_answered = true;
    return FLOW_OK;
}

static enum flow
read_body(struct stream *s, struct arena *a, struct text *piece, enum reason *why)
{
    struct opaque *o = of(s);

    (void)a;
    take_back(o);
    *why = REASON_OK;
    *piece = text_of("", 0);
    if (!o->is_joined)
        return FLOW_WAIT;
    *piece = buf_text(o->in);
    o->lent = piece->n;
    if (piece->n > 0)
        return FLOW_OK;
    o->has_read_all = o->is_closed;
    return o->is_closed ? FLOW_END : FLOW_WAIT;
}

static const struct headers *
trailers(const struct stream *s)
{
    (void)s;
    return NULL;
}

static bool
has_read_all(const struct stream *s)
{
    return of(s)->has_read_all;
}

/* ---- writing */

static void
write_request(struct stream *s, const struct request *r, struct text path,
              struct text query, struct text host)
{
    struct opaque *o = of(s);

    (void)path;
    (void)query;
    (void)host;
    assert(o->role == WIRE_CLIENT && r->body.kind == BODY_TUNNEL && r->headers.n == 0);
    o->is_joined = true;
}

static void
add_alert(struct buf *out, enum alert description)
{
    const char record[] = { 21, 3, 3, 0, 2, 2 /* fatal */, (char)description };

    buf_add(out, text_of(record, sizeof record));
}

/* 421: the names do not agree. */
static enum alert
alert_for(int status)
{
    if (status == 421)
        return ALERT_UNRECOGNIZED_NAME;
    return status < 500 ? ALERT_ACCESS_DENIED : ALERT_INTERNAL_ERROR;
}

static void
write_response(struct stream *s, const struct response *r)
{
    struct opaque *o = of(s);

    assert(o->role == WIRE_SERVER && !o->is_joined && r->status >= 200);
    if (r->body.kind == BODY_TUNNEL)
        o->is_joined = true;
    else
        add_alert(o->out, alert_for(r->status));
}

/* Of a refusal no more is told than its alert. */
static void
write_body(struct stream *s, struct text piece)
{
    struct opaque *o = of(s);

    assert(!o->has_written_all);
    if (o->is_joined)
        buf_add(o->out, piece);
}

static bool
is_full(const struct stream *s)
{
    return buf_length(of(s)->out) >= of(s)->limits.ceiling;
}

static bool
writes_plain(const struct stream *s)
{
    return of(s)->is_joined;
}

static void
pass_body(struct stream *s, size_t n)
{
    (void)n;
    assert(of(s)->is_joined);
}

static void
write_end(struct stream *s, const struct headers *sent)
{
    (void)sent;
    of(s)->has_written_all = true;
}

static bool
has_written_all(const struct stream *s)
{
    return of(s)->has_written_all;
}

static const struct codec opaque = {
    .free = free_wire,
    .read_closed = read_closed,
    .drain = drain,
    .is_over = is_over,
    .next = next,
    .open = open_stream,
    .takes_websocket = is_no_wire,
    .is_greeted = is_any_wire,
    .is_busy = is_busy,
    .is_fresh = is_no_wire,
    .may_reuse = is_no_wire,
    .set_bell = set_bell,
    .is_gone = is_no_stream,
    .is_unprocessed = is_no_stream,
    .read_request = read_request,
    .read_response = read_response,
    .read_body = read_body,
    .trailers = trailers,
    .has_read_all = has_read_all,
    .write_request = write_request,
    .write_response = write_response,
    .write_body = write_body,
    .is_full = is_full,
    .writes_plain = writes_plain,
    .pass_body = pass_body,
    .write_end = write_end,
    .has_written_all = has_written_all,
    .close_after = close_after,
    .close = close_stream,
};

struct wire *
opaque_new(enum wire_role role, const struct wire_limits *limits, struct buf *in,
           struct buf *out)
{
    struct opaque *o = shelf_take(&spares);

    if (o == NULL)
        o = memory_new_raw(sizeof *o);
    memset(o, 0, sizeof *o);
    o->wire.codec = &opaque;
    o->stream.wire = &o->wire;
    o->role = role;
    o->limits = *limits;
    o->in = in;
    o->out = out;
    return &o->wire;
}

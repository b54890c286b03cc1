#include "proxy/ops.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/wire.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 4 * 1024,
    HEAD_FIELDS = 64,
    TARGET_BYTES = 1024,
    READ_BYTES = 2 * 1024,
    IGNORED_BYTES = 64 * 1024, /* of what nobody reads, before we turn away */
    ACCEPT_AT_ONCE = 16,
    ANSWER_S = 5, /* until a head is whole; until its answer is taken */
    IDLE_S = 60,  /* between requests */
    REST_MS = 200
};

static const struct wire_limits limits = { HEAD_BYTES, HEAD_FIELDS, TARGET_BYTES,
                                           READ_BYTES, 1 };

struct ops {
    struct event_base *base;
    struct ops_answers answers;
    struct event *listener, *rest;
    struct list visitors; /* the one that has waited longest first */
    size_t n_visitors;
};

struct visitor {
    struct ops *ops;
    struct list member;
    int fd;
    struct event io, deadline;
    short armed;
    struct buf in, out;
    struct wire *wire;
    struct stream *stream; /* of the request whose head is coming */
    struct arena *arena;
    size_t ignored; /* bytes that came after our last word */
    bool leaving;   /* nothing more is answered */
    bool shut;      /* we send no more */
    bool gone;      /* the visitor sends no more */
};

static void
end(struct visitor *v)
{
    if (v->armed != 0)
        event_del(&v->io);
    event_del(&v->deadline);
    list_remove(&v->member);
    v->ops->n_visitors--;
    wire_free(v->wire);
    arena_free(v->arena);
    buf_free(&v->in);
    buf_free(&v->out);
    close(v->fd);
    free(v);
}

static void
set_deadline(struct visitor *v, int seconds)
{
    struct timeval in = { seconds, 0 };

    event_add(&v->deadline, &in);
}

/* ---- answers */

struct answer_to_give {
    int status;
    const char *phrase, *type;
    struct buf body;
};

static void
say(struct answer_to_give *a, int status, const char *phrase, const char *body)
{
    a->status = status;
    a->phrase = phrase;
    buf_add_z(&a->body, body);
}

static void
tell_state(struct answer_to_give *a, bool (*is_well)(void *owner, struct buf *why),
           void *owner)
{
    struct buf why = { 0 };

    if (is_well(owner, &why))
        say(a, 200, "OK", "ok\n");
    else
        say(a, 503, "Service Unavailable", "");
    buf_add(&a->body, buf_text(&why));
    buf_free(&why);
}

/* ---- Accept (RFC 9110 section 12.5.1), as far as it matters here */

/* A weight of nothing but noughts means: anything but this. */
static bool
is_wanted(struct text parameters)
{
    struct text one;

    while (text_split(&parameters, ';', &one)) {
        one = text_trim(one);
        if (one.n < 3 || (one.at[0] | 0x20) != 'q' || one.at[1] != '=')
            continue;
        for (size_t i = 2; i < one.n; i++)
            if (one.at[i] != '0' && one.at[i] != '.')
                return true;
        return false;
    }
    return true;
}

static enum page_format
choose_format(const struct headers *h)
{
    for (size_t i = 0; i < h->n; i++) {
        struct text rest = h->at[i].value, range, type;

        if (!text_equals_nocase(h->at[i].name, TEXT("Accept")))
            continue;
        while (text_split(&rest, ',', &range)) {
            (void)text_split(&range, ';', &type);
            if (text_equals_nocase(text_trim(type),
                                   TEXT("application/openmetrics-text")) &&
                is_wanted(range))
                return PAGE_OPEN_METRICS;
        }
    }
    return PAGE_TEXT;
}

/* ---- requests */

static struct text
path_of(const struct request *r)
{
    struct text rest = r->target, path = { 0 };

    (void)text_split(&rest, '?', &path);
    return path;
}

static void
answer_path(struct ops *o, const struct request *r, struct answer_to_give *a)
{
    struct text path = path_of(r);

    if (r->form != TARGET_ORIGIN) {
        say(a, 404, "Not Found", "not found\n");
    } else if (text_equals(path, TEXT("/healthz"))) {
        tell_state(a, o->answers.is_healthy, o->answers.owner);
    } else if (text_equals(path, TEXT("/readyz"))) {
        tell_state(a, o->answers.is_ready, o->answers.owner);
    } else if (text_equals(path, TEXT("/metrics"))) {
        enum page_format format = choose_format(&r->headers);

        say(a, 200, "OK", "");
        a->type = metrics_page_type(format);
        o->answers.write_metrics(o->answers.owner, format, &a->body);
    } else {
        say(a, 404, "Not Found", "not found\n");
    }
}

static void
send_answer(struct visitor *v, struct stream *s, struct answer_to_give *a, bool is_head)
{
    struct response r = { .status = a->status, .reason_phrase = text_z(a->phrase) };

    headers_init(&r.headers, v->arena);
    headers_add(&r.headers, TEXT("Content-Type"),
                text_z(a->type != NULL ? a->type : "text/plain; charset=utf-8"));
    headers_add(&r.headers, TEXT("Cache-Control"), TEXT("no-store"));
    headers_add(&r.headers, TEXT("X-Content-Type-Options"), TEXT("nosniff"));
    if (a->status == 405)
        headers_add(&r.headers, TEXT("Allow"), TEXT("GET, HEAD"));
    if (is_head) {
        r.has_length = true;
        r.told_length = buf_length(&a->body);
    } else {
        r.body = (struct body_frame){ BODY_LENGTH, buf_length(&a->body) };
    }
    /* One answer a turn: who sends on without waiting for it is not answered twice. */
    if (!stream_has_read_all(s) || buf_length(&v->in) > 0)
        stream_close_after(s);
    stream_write_response(s, &r);
    if (!is_head && buf_length(&a->body) > 0)
        stream_write_body(s, buf_text(&a->body));
    stream_write_end(s, NULL);
    buf_free(&a->body);
}

static void
answer(struct visitor *v, struct stream *s, const struct request *r)
{
    struct answer_to_give a = { 0 };
    bool is_head = text_equals(r->method, TEXT("HEAD"));

    if (is_head || text_equals(r->method, TEXT("GET")))
        answer_path(v->ops, r, &a);
    else
        say(&a, 405, "Method Not Allowed", "read-only: GET or HEAD\n");
    send_answer(v, s, &a, is_head);
}

static void
answer_badly(struct visitor *v, struct stream *s, enum reason why)
{
    struct answer_to_give a = { 0 };

    if (why == REASON_METHOD)
        say(&a, 405, "Method Not Allowed", "read-only: GET or HEAD\n");
    else
        say(&a, reason_status(why), "Refused", "");
    stream_close_after(s);
    send_answer(v, s, &a, false);
}

static void
answer_next(struct visitor *v)
{
    struct request request;
    enum reason why = REASON_CLIENT_GONE;
    enum flow flow = FLOW_OK;

    if (v->stream == NULL && (flow = wire_next(v->wire, &v->stream)) == FLOW_OK)
        set_deadline(v, ANSWER_S);
    if (flow == FLOW_OK)
        flow = stream_read_request(v->stream, v->arena, &request, &why);
    if (flow == FLOW_OK)
        answer(v, v->stream, &request);
    else if (flow == FLOW_BROKEN && reason_status(why) != 0)
        answer_badly(v, v->stream, why);
    if (flow == FLOW_WAIT)
        return;
    if (v->stream != NULL)
        stream_close(v->stream);
    v->stream = NULL;
    arena_reset(v->arena);
    v->leaving = flow != FLOW_OK || !wire_may_reuse(v->wire);
}

/* ---- bytes */

static bool
read_some(struct visitor *v)
{
    ssize_t n = recv(v->fd, buf_reserve(&v->in, READ_BYTES), READ_BYTES, 0);

    buf_commit(&v->in, n > 0 ? (size_t)n : 0);
    if (n == 0) {
        v->gone = true;
        wire_read_closed(v->wire);
    }
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool
write_some(struct visitor *v)
{
    struct text out = buf_text(&v->out);
    ssize_t n;

    if (out.n == 0)
        return true;
    n = send(v->fd, out.at, out.n, MSG_NOSIGNAL);
    if (n > 0)
        buf_drop(&v->out, (size_t)n);
    if (buf_length(&v->out) == 0) {
        set_deadline(v, v->leaving ? ANSWER_S : IDLE_S);
        list_remove(&v->member); /* it has waited for nothing yet */
        list_add_last(&v->ops->visitors, &v->member);
    }
    return n > 0 || errno == EAGAIN || errno == EINTR;
}

/* What was answered is read before the connection goes: until the visitor has closed
 * too, whatever else it sends is dropped. False: it is over. */
static bool
linger(struct visitor *v)
{
    v->ignored += buf_length(&v->in);
    buf_drop(&v->in, buf_length(&v->in));
    if (buf_length(&v->out) == 0 && !v->shut) {
        v->shut = true;
        (void)shutdown(v->fd, SHUT_WR);
    }
    return !(v->shut && v->gone) && v->ignored < IGNORED_BYTES;
}

static void on_io(evutil_socket_t fd, short what, void *arg);

static void
arm(struct visitor *v)
{
    short what = buf_length(&v->out) > 0 ? EV_WRITE | EV_PERSIST : EV_READ | EV_PERSIST;

    if (what == v->armed)
        return;
    if (v->armed != 0)
        event_del(&v->io);
    event_assign(&v->io, v->ops->base, v->fd, what, on_io, v);
    event_add(&v->io, NULL);
    v->armed = what;
}

/* While an answer is being taken nothing more is read: what stands in `out` is never
 * more than one page. */
static void
turn(struct visitor *v)
{
    bool lives = buf_length(&v->out) > 0 || read_some(v);

    if (lives && !v->leaving && buf_length(&v->out) == 0)
        answer_next(v);
    lives = lives && write_some(v) && (!v->leaving || linger(v));
    if (lives)
        arm(v);
    else
        end(v);
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end(arg);
}

/* ---- visitors */

/* When all places are taken the one that has waited longest makes way: an honest one
 * asks at once, and is answered in this turn. */
static void
admit(struct ops *o, int fd)
{
    struct visitor *v = memory_new(sizeof *v);

    if (o->n_visitors >= OPS_CONNECTIONS)
        end(LIST_OWNER(o->visitors.next, struct visitor, member));
    v->ops = o;
    v->fd = fd;
    v->arena = arena_new();
    v->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &limits, &v->in, &v->out);
    event_assign(&v->deadline, o->base, -1, 0, on_deadline, v);
    list_add_last(&o->visitors, &v->member);
    o->n_visitors++;
    set_deadline(v, ANSWER_S);
    turn(v);
}

static void
on_listener(evutil_socket_t listener, short what, void *arg)
{
    static const struct timeval rest = { 0, REST_MS * 1000 };
    struct ops *o = arg;

    (void)what;
    for (size_t i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            admit(o, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_warn("the ops door rests: %s", strerror(errno));
            event_del(o->listener);
            event_add(o->rest, &rest);
        }
        return;
    }
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct ops *o = arg;

    (void)fd;
    (void)what;
    event_add(o->listener, NULL);
}

struct ops *
ops_new(struct event_base *base, int listener, const struct ops_answers *answers)
{
    struct ops *o = memory_new(sizeof *o);

    o->base = base;
    o->answers = *answers;
    list_init(&o->visitors);
    o->listener = event_new(base, listener, EV_READ | EV_PERSIST, on_listener, o);
    o->rest = event_new(base, -1, 0, on_rested, o);
    assert(o->listener != NULL && o->rest != NULL);
    event_add(o->listener, NULL);
    return o;
}

void
ops_free(struct ops *o)
{
    if (o == NULL)
        return;
    while (!list_is_empty(&o->visitors))
        end(LIST_OWNER(o->visitors.next, struct visitor, member));
    event_free(o->listener);
    event_free(o->rest);
    free(o);
}

#include "proxy/errand.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/wire.h"
#include "proxy/link.h"
#include "proxy/resolve.h"

#include <assert.h>
#include <stdlib.h>

/* Of an answer's head; and what is read ahead of its reader. */
static const struct wire_limits limits = { 16 * 1024, 64, 8 * 1024, 64 * 1024, 1 };
enum { CEILING = 32 * 1024, HEADS_MAX = 8 }; /* 1xx ones among them */

/* What it waits for. */
enum stage { RESOLVING, CONNECTING, SHAKING, ANSWERING, OVER };

struct errand {
    struct loop *loop;
    struct resolver *resolver;
    struct wake *owner; /* rung when it is over */
    struct tls_client *client;
    struct pair *pair; /* a reference, or NULL */
    struct authority to;
    struct arena *arena; /* what is asked, and the answer's head */
    struct request request;
    struct text path, query, host, body;
    size_t answer_max;
    int64_t end_ms; /* monotonic */
    bool is_retry;

    enum stage stage;
    enum reason why;
    struct wake bell; /* the look-up's and the link's */
    struct alarm alarm;
    struct lookup lookup;
    size_t next_address;
    struct link link; /* fd -1: none */
    struct wire *wire;
    struct stream *stream;
    struct response answer; /* status 0: not here yet */
    unsigned heads;
    struct buf answer_body;
};

/* ---- its end */

static void
hang_up(struct errand *e)
{
    wire_free(e->wire);
    e->wire = NULL;
    link_close(&e->link);
}

static void
let_go(struct errand *e)
{
    e->stage = OVER;
    alarm_clear(&e->alarm);
    wake_cancel(&e->bell);
    lookup_drop(&e->lookup);
    hang_up(e);
}

static void
end(struct errand *e, enum reason why)
{
    let_go(e);
    e->why = why;
    wake_ring(e->loop, e->owner);
}

/* ---- to its service */

static int64_t
time_left(const struct errand *e)
{
    int64_t left = e->end_ms - clock_monotonic_ms();

    return left > 0 ? left : 0;
}

/* An address that says nothing may have its share of the time: the others have theirs.
 */
static int64_t
share_of_time(const struct errand *e)
{
    return time_left(e) / (int64_t)(e->lookup.n - e->next_address + 1);
}

/* An answer with one address in it that nothing may be sent to is no answer. */
static enum reason
judge_addresses(const struct lookup *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (address_is_metadata(&l->addresses[i]))
            return REASON_ADDRESS_PROHIBITED;
    return REASON_OK;
}

static void
connect_next(struct errand *e)
{
    enum reason why = REASON_CONNECT_FAILED;

    e->stage = CONNECTING;
    while (why != REASON_OK && e->next_address < e->lookup.n) {
        const struct address *to = &e->lookup.addresses[e->next_address++];

        link_close(&e->link);
        why = link_connect_own(&e->link, e->loop, to, e->to.port, CEILING, &e->bell);
    }
    if (why != REASON_OK)
        end(e, why);
    else
        alarm_set(e->loop, &e->alarm, share_of_time(e));
}

static void
resolve(struct errand *e)
{
    enum reason why = e->lookup.why;

    if (!e->lookup.done)
        return;
    if (why == REASON_OK)
        why = judge_addresses(&e->lookup);
    if (why == REASON_OK)
        connect_next(e);
    else
        end(e, why);
}

static void
greet(struct errand *e)
{
    const struct address *judged = &e->lookup.addresses[e->next_address - 1];
    struct tls *t;

    if (!link_peer_is(&e->link, judged, e->to.port)) {
        end(e, link_has_peer(&e->link) ? REASON_PEER_ADDRESS : REASON_CONNECT_FAILED);
        return;
    }
    t = tls_dial(e->client, e->link.fd, &e->to.host, ALPN_H1);
    tls_wipe_behind(t); /* an answer may be an access token, which ends with its task */
    if (e->is_retry)
        tls_quieten(t);
    if (e->pair != NULL && !tls_show(t, e->pair)) {
        tls_free(t);
        end(e, REASON_CREDENTIAL_UNAVAILABLE);
        return;
    }
    e->stage = SHAKING;
    alarm_set(e->loop, &e->alarm, time_left(e));
    link_dial_tls(&e->link, t);
}

static void
follow_connection(struct errand *e)
{
    if (e->link.state == LINK_DEAD)
        connect_next(e);
    else if (e->link.state == LINK_OPEN)
        greet(e);
}

/* ---- what is asked, and what is answered */

static void
ask(struct errand *e)
{
    e->stage = ANSWERING;
    e->wire = wire_new(WIRE_HTTP1, WIRE_CLIENT, &limits, &e->link.in, &e->link.out);
    e->stream = wire_open(e->wire);
    stream_write_request(e->stream, &e->request, e->path, e->query, e->host);
    if (e->body.n > 0)
        stream_write_body(e->stream, e->body);
    stream_write_end(e->stream, NULL);
}

static void
follow_handshake(struct errand *e)
{
    if (e->link.state == LINK_DEAD)
        end(e, link_why_lost(&e->link));
    else if (e->link.state == LINK_OPEN && e->pair != NULL &&
             !tls_has_shown(e->link.tls))
        end(e, REASON_CLIENT_CERTIFICATE_UNASKED);
    else if (e->link.state == LINK_OPEN)
        ask(e);
}

static enum flow
read_head(struct errand *e, enum reason *why)
{
    enum flow flow = FLOW_OK;

    while (flow == FLOW_OK && e->answer.status < 200) {
        flow = stream_read_response(e->stream, e->arena, &e->answer, why);
        if (flow == FLOW_OK && ++e->heads > HEADS_MAX) {
            *why = REASON_UPSTREAM_MALFORMED;
            return FLOW_BROKEN;
        }
    }
    return flow;
}

static enum flow
read_body(struct errand *e, enum reason *why)
{
    enum flow flow = FLOW_OK;
    struct text piece;

    while (flow == FLOW_OK) {
        flow = stream_read_body(e->stream, e->arena, &piece, why);
        if (flow == FLOW_OK && buf_length(&e->answer_body) + piece.n > e->answer_max) {
            *why = REASON_ANSWER_TOO_LARGE;
            return FLOW_BROKEN;
        }
        if (flow == FLOW_OK)
            buf_add(&e->answer_body, piece);
    }
    return flow;
}

/* It dies of what we send without a bell: what it has said is read first. */
static void
go_on(struct errand *e)
{
    link_move(&e->link);
    if (e->link.state == LINK_DEAD)
        wake_ring(e->loop, &e->bell);
}

/* A service that stops without saying so inside TLS may have been cut by somebody else:
 * only what frames itself is whole then. */
static void
follow_answer(struct errand *e)
{
    enum reason why = REASON_UPSTREAM_CLOSED;
    enum flow flow;

    if (e->link.read_ended && !e->link.truncated)
        wire_read_closed(e->wire);
    flow = e->answer.status < 200 ? read_head(e, &why) : FLOW_OK;
    if (flow == FLOW_OK)
        flow = read_body(e, &why);
    if (flow == FLOW_END)
        end(e, REASON_OK);
    else if (flow == FLOW_BROKEN && why != REASON_UPSTREAM_CLOSED)
        end(e, why);
    else if (flow == FLOW_BROKEN || e->link.state == LINK_DEAD || e->link.read_ended)
        end(e, link_why_lost(&e->link));
    else
        go_on(e);
}

/* ---- its life */

static void
run(void *owner)
{
    static void (*const stages[])(struct errand * e) = {
        [RESOLVING] = resolve,
        [CONNECTING] = follow_connection,
        [SHAKING] = follow_handshake,
        [ANSWERING] = follow_answer,
    };
    struct errand *e = owner;
    enum stage before;

    do {
        before = e->stage;
        stages[before](e);
    } while (e->stage != before && e->stage != OVER);
}

static void
on_due(void *owner)
{
    static const enum reason late[] = {
        [RESOLVING] = REASON_DNS_TIMEOUT,
        [CONNECTING] = REASON_CONNECT_TIMEOUT,
        [SHAKING] = REASON_UPSTREAM_TLS_TIMEOUT,
        [ANSWERING] = REASON_UPSTREAM_TIMEOUT,
    };
    struct errand *e = owner;

    if (e->stage == CONNECTING && e->next_address < e->lookup.n)
        connect_next(e);
    else
        end(e, late[e->stage]);
}

static void
copy_ask(struct errand *e, const struct errand_ask *ask)
{
    struct arena *a = e->arena = arena_new();
    char printed[AUTHORITY_PRINT_SIZE];

    e->to = ask->url->to;
    e->host = arena_copy(a, authority_print(&e->to, 443, printed));
    e->path = arena_copy(a, ask->url->path);
    e->query = ask->url->query;
    if (e->query.at != NULL)
        e->query = arena_copy(a, e->query);
    e->body = arena_copy(a, ask->body);
    e->request.method = arena_copy(a, ask->method);
    headers_init(&e->request.headers, a);
    for (size_t i = 0; i < ask->n_fields; i++)
        headers_add(&e->request.headers, arena_copy(a, ask->fields[i].name),
                    arena_copy(a, ask->fields[i].value));
    if (e->body.n > 0)
        e->request.body = (struct body_frame){ BODY_LENGTH, e->body.n };
}

struct errand *
errand_new(struct loop *loop, struct resolver *resolver, const struct errand_ask *ask,
           struct wake *bell)
{
    struct errand *e = memory_new(sizeof *e);

    e->loop = loop;
    e->resolver = resolver;
    e->owner = bell;
    e->client = ask->client;
    if ((e->pair = ask->pair) != NULL)
        pair_ref(e->pair);
    e->answer_max = ask->answer_max;
    e->is_retry = ask->is_retry;
    e->link.fd = -1;
    e->bell = (struct wake){ .answer = run, .owner = e };
    e->alarm = (struct alarm){ .on_due = on_due, .owner = e };
    e->end_ms = clock_monotonic_ms() + ask->timeout_ms;
    copy_ask(e, ask);
    alarm_set(loop, &e->alarm, ask->timeout_ms);
    lookup_start(resolver, &e->to.host, &e->lookup, &e->bell);
    return e;
}

bool
errand_is_over(const struct errand *e)
{
    return e->stage == OVER;
}

enum reason
errand_why(const struct errand *e)
{
    assert(e->stage == OVER);
    return e->why;
}

int
errand_status(const struct errand *e)
{
    assert(e->stage == OVER && e->why == REASON_OK);
    return e->answer.status;
}

struct text
errand_field(const struct errand *e, struct text name)
{
    const struct field *f = headers_get(&e->answer.headers, name);

    assert(e->stage == OVER && e->why == REASON_OK);
    return f != NULL ? f->value : text_of(NULL, 0);
}

struct text
errand_body(const struct errand *e)
{
    assert(e->stage == OVER && e->why == REASON_OK);
    return buf_text(&e->answer_body);
}

void
errand_free(struct errand *e)
{
    if (e == NULL)
        return;
    if (e->stage != OVER)
        let_go(e);
    pair_unref(e->pair);
    buf_wipe(&e->answer_body);
    arena_free(e->arena);
    free(e);
}

/* DIAL: resolve, judge every address, connect to one that was judged, verify who is
 * there. */
#include "proxy/dial_parts.h"

#include "base/clock.h"
#include "proxy/ending.h"

#include <errno.h>

enum { FOLLOWS_MAX = 16 }; /* a place must come of one of so many connections */

static void
on_upstream(void *user)
{
    exchange_wake(user);
}

/* A gate's service is the operator's own word; everything else is judged, address by
 * address. */
static enum reason
judge_addresses(struct exchange *x, const struct address *at, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (worker_is_own_door(x->worker, &at[i], port))
            return REASON_OWN_PORT;
    if (dial_is_gate(x))
        return REASON_OK;
    return chain_judge_addresses(generation_chain(x->epoch->generation), &x->view, at,
                                 n);
}

/* Others may ride where this one may not. */
static void
give_back(struct exchange *x, struct upstream *u)
{
    if (upstream_is_shared(u))
        pool_give(x->epoch->pool, u);
    else
        upstream_close(u);
}

/* A pooled connection was judged for the rule that dialled it; this may be another rule
 * of the same grant. */
static bool
take_pooled(struct exchange *x, const struct upstream_key *key)
{
    struct upstream *u;

    if (x->fresh_only || x->view.opaque || (u = pool_take(x->epoch->pool, key)) == NULL)
        return false;
    if ((dial_wants_websocket(x) && !wire_is_greeted(u->wire)) ||
        (u->judged_for != x->view.rule &&
         judge_addresses(x, &u->address, 1, u->port) != REASON_OK)) {
        give_back(x, u);
        return false;
    }
    tally_add(&x->worker->metrics->reused, 1);
    u->judged_for = x->view.rule;
    if (!upstream_is_shared(u)) {
        u->on_change = on_upstream;
        u->user = x;
    }
    x->up = u;
    return true;
}

/* When descriptors are short, who is served goes before who may come back. */
static struct upstream *
dial_address(struct exchange *x, const struct upstream_key *key,
             const struct address *to)
{
    struct wire_limits wire = generation_wire_limits(x->epoch->generation);
    struct upstream *u;

    do
        u = upstream_dial(x->worker->loop, key, to, key->target.port, &wire,
                          wire.ceiling, on_upstream, x);
    while (u == NULL && errno == EMFILE && pool_let_go(x->epoch->pool));
    if (u != NULL)
        u->link.traffic = &x->worker->metrics->traffic[SIDE_UPSTREAM];
    return u;
}

/* To the next judged address, until one takes the connection. */
static enum pace
connect_next(struct exchange *x)
{
    struct upstream_key key = dial_key(x);
    enum reason why = REASON_CONNECT_FAILED;

    while (x->next_address < x->lookup.n) {
        x->up = dial_address(x, &key, &x->lookup.addresses[x->next_address++]);
        if (x->up != NULL)
            return wait_for(x, exchange_limits(x)->connect_timeout_ms,
                            REASON_CONNECT_TIMEOUT);
        if (errno == EMFILE)
            why = REASON_TOO_MANY_CONNECTIONS;
    }
    return refuse(x, why);
}

/* Where nobody reads what is asked of the other end, the client's own choice of it
 * counts: it was led here on its way to this address, and pins what is there. */
static enum reason
keep_original(struct exchange *x)
{
    const struct address *original = &x->conn->original;

    if (!x->view.opaque || original->family == 0)
        return REASON_OK;
    for (size_t i = 0; i < x->lookup.n; i++)
        if (address_equals(&x->lookup.addresses[i], original)) {
            x->lookup.addresses[0] = *original;
            x->lookup.n = 1;
            return REASON_OK;
        }
    return REASON_ORIGINAL_ADDRESS;
}

static enum pace
take_answer(struct exchange *x)
{
    struct upstream_key key = dial_key(x);
    enum reason why = x->lookup.why;

    if (why == REASON_OK)
        why = judge_addresses(x, x->lookup.addresses, x->lookup.n, key.target.port);
    if (why == REASON_OK)
        why = keep_original(x);
    if (why != REASON_OK)
        return refuse(x, why);
    return connect_next(x);
}

/* In the clear the config says what is spoken, in TLS the two have agreed. */
static enum wire_version
version_of(const struct upstream *u)
{
    bool is_http2 = u->link.tls == NULL ? u->key.http == CONF_HTTP_2
                                        : tls_protocol(u->link.tls) == ALPN_H2;

    if (u->key.opaque)
        return WIRE_OPAQUE;
    return is_http2 ? WIRE_HTTP2 : WIRE_HTTP1;
}

static enum pace
ride(struct exchange *x)
{
    if (dial_wants_websocket(x) && !wire_takes_websocket(x->up->wire))
        return refuse(x, REASON_WEBSOCKET_NOT_TAKEN);
    return go(x, STEP_PRESENT);
}

static bool
may_still_greet(const struct upstream *u)
{
    return !u->link.read_ended && !wire_is_over(u->wire);
}

/* A service of HTTP/2 says with its first frame how many streams it takes, and whether
 * WebSockets (RFC 8441 section 3). Who connected waits for that, and shares the
 * connection then: whoever had come before would be refused, and more than once. */
static enum pace
settle(struct exchange *x)
{
    if (!wire_is_greeted(x->up->wire) && may_still_greet(x->up))
        return wait_once(x, exchange_limits(x)->handshake_timeout_ms,
                         REASON_UPSTREAM_TIMEOUT);
    /* Its task may have ended while it was on the way: nothing would close it then. */
    if (!x->view.opaque && ending_may_keep(x))
        pool_share(x->epoch->pool, x->up);
    approach_end(x->epoch->pool, &x->approach);
    return ride(x);
}

/* Fresh, and what it should be. */
static enum pace
use_fresh(struct exchange *x)
{
    struct metrics *m = x->worker->metrics;

    upstream_speak(x->up, version_of(x->up));
    tally_add(&m->opened, 1);
    histogram_add(&m->connect, clock_monotonic_us() - x->up->began_us);
    alarm_clear(&x->alarm);
    return settle(x);
}

/* A service that resets at once takes its address along: that is no other address. */
static enum reason
judge_peer(const struct exchange *x, const struct upstream *u)
{
    enum reason why = REASON_OK;

    if (!link_peer_is(&u->link, &u->address, u->port))
        why = REASON_PEER_ADDRESS;
    else if (worker_has_port(x->worker, u->port) && link_is_to_this_machine(&u->link))
        why = REASON_OWN_PORT;
    return why == REASON_OK || link_has_peer(&u->link) ? why : REASON_CONNECT_FAILED;
}

/* Connected: is it who we judged, and can it prove its name? */
static enum pace
greet(struct exchange *x)
{
    struct upstream *u = x->up;
    enum reason why;

    if ((why = judge_peer(x, u)) != REASON_OK)
        return refuse(x, why);
    if (u->key.client == NULL)
        return use_fresh(x);
    if (!upstream_begin_tls(u,
                            generation_client(x->epoch->generation,
                                              dial_is_gate(x)
                                                  ? exchange_door(x)->upstream_trust
                                                  : x->view.rule->upstream_trust),
                            x->pair, x->epoch->sessions))
        return refuse(x, REASON_CREDENTIAL_UNAVAILABLE);
    return wait_for(x, exchange_limits(x)->handshake_timeout_ms,
                    REASON_UPSTREAM_TLS_TIMEOUT);
}

static enum pace
follow_connection(struct exchange *x)
{
    struct upstream *u = x->up;
    struct metrics *m = x->worker->metrics;
    bool handshaken = u->link.tls != NULL;
    enum reason why = link_why_lost(&u->link);

    switch (u->link.state) {
    case LINK_OPEN:
        if (u->wire != NULL)
            return settle(x);
        if (!handshaken)
            return greet(x);
        metrics_handshake(m, SIDE_UPSTREAM, true, tls_is_resumed(u->link.tls));
        return upstream_is_known(u) ? use_fresh(x)
                                    : refuse(x, REASON_CLIENT_CERTIFICATE_UNASKED);
    case LINK_DEAD:
        if (u->wire != NULL)
            return refuse(x, why);
        if (handshaken) { /* a certificate that is bad at one address is not tried at
                             the next */
            metrics_handshake(m, SIDE_UPSTREAM, false, false);
            return refuse(x, why);
        }
        upstream_close(u);
        x->up = NULL;
        return connect_next(x);
    case LINK_CONNECTING:
    case LINK_HANDSHAKING:
    default:
        return WAIT;
    }
}

/* Once: what did not come of the first will be tried by each for himself. Again when
 * one came and is full: of those without a place one connects, or each would. */
static bool
follow_another(struct exchange *x, const struct upstream_key *key)
{
    unsigned most = pool_is_full(x->epoch->pool, key) ? FOLLOWS_MAX : 1;

    if (x->n_followed >= most || x->fresh_only || x->view.opaque)
        return false;
    x->follower.bell = &x->wake;
    if (!approach_follow(x->epoch->pool, key, &x->follower))
        return false;
    x->n_followed++;
    return true;
}

enum pace
dial(struct exchange *x)
{
    struct upstream_key key;
    enum reason why;

    if (x->up != NULL)
        return follow_connection(x);
    if (x->lookup.done)
        return take_answer(x);
    if (x->lookup.query != NULL)
        return WAIT;
    if (list_is_linked(&x->follower.member))
        return WAIT;
    if ((why = dial_take_pair(x)) != REASON_OK)
        return refuse(x, why);
    key = dial_key(x);
    if (take_pooled(x, &key))
        return ride(x);
    if (follow_another(x, &key))
        return wait_for(x,
                        exchange_limits(x)->connect_timeout_ms +
                            exchange_limits(x)->handshake_timeout_ms,
                        REASON_CONNECT_TIMEOUT);
    alarm_clear(&x->alarm);
    if (!x->view.opaque) /* which carries nobody else */
        approach_begin(x->epoch->pool, &x->approach, &key);
    lookup_start(x->epoch->resolver, &key.target.host, &x->lookup, &x->wake);
    return WAIT; /* the look-up has a deadline of its own */
}

/* Who is followed may have several addresses to try, each with its time. */
static bool
stops_following(struct exchange *x)
{
    if (!list_is_linked(&x->follower.member))
        return false;
    approach_leave(&x->follower);
    x->n_followed = FOLLOWS_MAX;
    return true;
}

bool
dial_tries_next(struct exchange *x)
{
    if (stops_following(x))
        return true;
    if (x->up != NULL && x->up->link.state == LINK_HANDSHAKING)
        metrics_handshake(x->worker->metrics, SIDE_UPSTREAM, false, false);
    if (x->up == NULL || x->up->link.state != LINK_CONNECTING ||
        x->next_address >= x->lookup.n)
        return false;
    upstream_close(x->up);
    x->up = NULL;
    return true;
}

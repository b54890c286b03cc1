#include "proxy/upstream.h"

#include "base/clock.h"
#include "proxy/pool.h"
#include "proxy/sessions.h"
#include "proxy/turn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool
upstream_is_quiet(const struct upstream *u)
{
    return u->link.state == LINK_OPEN && !u->link.read_ended &&
           buf_length(&u->link.in) == 0 &&
           (u->link.tls == NULL || !tls_has_pending(u->link.tls));
}

/* ---- its turns */

bool
upstream_is_shared(const struct upstream *u)
{
    return u->wire != NULL && wire_is_multiplexed(u->wire);
}

/* Of no more use, whoever rides on it. */
static bool
is_over(const struct upstream *u)
{
    return u->link.state == LINK_DEAD || u->link.read_ended || wire_is_over(u->wire);
}

/* It is read whether or not it takes what we send, or two that wait for each other
 * would wait for ever: each stream's window bounds what comes. */
static void
turn_shared(struct upstream *u)
{
    bool broken;
    enum reason why;

    if (u->link.state == LINK_DEAD || u->link.read_ended)
        wire_read_closed(u->wire);
    broken = wire_receive(u->wire, &why) == FLOW_BROKEN;
    if (turn_send(u->wire, &u->link))
        wake_ring(u->link.loop, &u->bell);
    if (u->user != NULL)
        u->on_change(u->user);
    if ((broken || is_over(u)) && u->n_riders == 0)
        upstream_close(u);
}

/* The bell of an idle one may be its last user's, or TLS's own (a ticket). */
static void
on_bell(void *owner)
{
    struct upstream *u = owner;

    if (upstream_is_shared(u))
        turn_shared(u);
    else if (u->user != NULL)
        u->on_change(u->user);
    else if (!upstream_is_quiet(u))
        upstream_close(u);
}

void
upstream_move(struct upstream *u)
{
    if (upstream_is_shared(u))
        wake_ring(u->link.loop, &u->bell);
    else
        link_move(&u->link);
}

void
upstream_speak(struct upstream *u, enum wire_version version)
{
    assert(u->wire == NULL && u->link.state == LINK_OPEN);
    u->wire = wire_new(version, WIRE_CLIENT, &u->limits, &u->link.in, &u->link.out);
    u->link.reads_on = upstream_is_shared(u);
    upstream_move(u); /* HTTP/2 has a word to say first */
}

/* ---- its life */

static void
on_idle(void *owner)
{
    upstream_close(owner);
}

struct upstream *
upstream_dial(struct loop *loop, const struct upstream_key *key,
              const struct address *address, uint16_t port,
              const struct wire_limits *limits, size_t ceiling,
              void (*on_change)(void *user), void *user)
{
    struct upstream *u = calloc(1, sizeof *u);

    assert(u != NULL);
    u->bell = (struct wake){ .answer = on_bell, .owner = u };
    u->idle_alarm = (struct alarm){ .on_due = on_idle, .owner = u };
    u->key = *key;
    u->address = *address;
    u->port = port;
    u->on_change = on_change;
    u->user = user;
    u->limits = *limits;
    u->n_riders = 1;
    u->began_us = clock_monotonic_us();
    if (link_connect(&u->link, loop, address, port, ceiling, &u->bell) != REASON_OK) {
        upstream_close(u);
        return NULL;
    }
    return u;
}

static void
keep_session(void *owner, struct tls_session *session)
{
    struct upstream *u = owner;

    if (u->sessions != NULL)
        sessions_keep(u->sessions, &u->key, session);
    else
        tls_session_free(session);
}

void
upstream_forget_task(struct upstream *u)
{
    u->sessions = NULL;
}

bool
upstream_begin_tls(struct upstream *u, struct tls_client *c, const struct pair *shows,
                   struct sessions *sessions)
{
    static const enum alpn offers[] = {
        [CONF_HTTP_AUTO] = ALPN_BOTH, [CONF_HTTP_1] = ALPN_H1, [CONF_HTTP_2] = ALPN_H2
    };
    struct tls *t = tls_dial(c, u->link.fd, &u->key.target.host, offers[u->key.http]);
    struct tls_session *session;

    assert(strcmp(u->key.shows, shows != NULL ? pair_thumbprint(shows) : "") == 0);
    if (shows != NULL && !tls_show(t, shows)) {
        tls_free(t);
        return false;
    }
    session = sessions_take(sessions, &u->key);
    u->sessions = sessions;
    tls_keep_sessions(t, keep_session, u);
    if (session != NULL) {
        tls_resume(t, session);
        tls_session_free(session);
    }
    link_dial_tls(&u->link, t);
    return true;
}

bool
upstream_is_known(const struct upstream *u)
{
    return u->key.shows[0] == '\0' ||
           (u->link.tls != NULL && tls_has_shown(u->link.tls));
}

/* So that its service need not wonder whether a request is lost (RFC 9113 section 6.8).
 * What the socket does not take at once is nobody's to wait for. */
static void
take_leave(struct upstream *u)
{
    if (u->link.state != LINK_OPEN || u->link.read_ended || !upstream_is_shared(u))
        return;
    wire_drain(u->wire);
    wire_send(u->wire);
    link_move(&u->link);
}

void
upstream_close(struct upstream *u)
{
    if (u == NULL)
        return;
    take_leave(u);
    list_remove(&u->kept);
    pool_forget_idle(u);
    wake_cancel(&u->bell);
    wire_free(u->wire);
    link_close(&u->link);
    free(u);
}

/* ---- whose it is */

unsigned
upstream_key_hash(const struct upstream_key *key)
{
    unsigned h = 5381;

    for (size_t i = 0; i < key->target.host.n; i++)
        h = h * 33 + (unsigned char)key->target.host.name[i];
    return h + key->target.port;
}

bool
upstream_key_equals(const struct upstream_key *a, const struct upstream_key *b)
{
    return a->client == b->client && a->grant == b->grant &&
           a->presents == b->presents && a->http == b->http && a->opaque == b->opaque &&
           strcmp(a->shows, b->shows) == 0 &&
           authority_equals(&a->target, &b->target) && strcmp(a->task, b->task) == 0;
}

bool
upstream_key_is_of(const struct upstream_key *key, struct text task)
{
    return text_equals(text_z(key->task), task);
}

/* What came after CONNECT, or first at a transparent door or a gate. */
#include "proxy/conn_parts.h"

#include "proxy/exchange.h"

enum { TLS_HANDSHAKE = 0x16 };

/* ---- TLS, with a leaf for the name that CONNECT asked for */

/* The name in the ClientHello is the one CONNECT asked for, or there is none; at a
 * transparent door nobody has asked for one before, and it is settled here. */
static enum reason
choose_leaf(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct conn *c = owner;
    struct leaf_cache *cache;
    struct authority target;
    struct host host;
    struct metrics *m = c->worker->metrics;
    enum reason why;
    uint64_t minted;

    if (name.at != NULL &&
        (host_parse(name, &host) != REASON_OK || host.address.family != 0))
        return REASON_SERVER_NAME;
    if (c->target == NULL &&
        (why = conn_settle_original(c, name.at != NULL ? &host : NULL)) != REASON_OK)
        return why;
    authority_recall(c->target, &target);
    if (name.at != NULL && !host_equals(&host, &target.host))
        return REASON_NAMES_DISAGREE;
    cache = c->named ? c->worker->leaves : c->worker->refusal_leaves;
    *key = leaf_cache_key(cache);
    minted = leaf_cache_minted(cache);
    why = leaf_get(cache, &target.host, leaf);
    if (why == REASON_OK)
        tally_add(leaf_cache_minted(cache) == minted ? &m->leaf_hits : &m->leaf_misses,
                  1);
    return why;
}

/* Those that say nothing must not keep others out: when all places are taken, the
 * oldest makes way. An honest handshake is over long before it is that. */
static void
join_handshakes(struct conn *c)
{
    struct worker *w = c->worker;

    while (w->n_handshakes >= (size_t)conn_limits(c)->handshakes) {
        struct conn *oldest = LIST_OWNER(w->handshakes.next, struct conn, shaking);

        conn_fail_handshake(oldest, REASON_TOO_MANY_CONNECTIONS);
        conn_free(oldest);
    }
    list_add_last(&w->handshakes, &c->shaking);
    tally_set(&w->metrics->shaking, ++w->n_handshakes);
}

void
conn_leave_handshakes(struct conn *c)
{
    if (!list_is_linked(&c->shaking))
        return;
    list_remove(&c->shaking);
    tally_set(&c->worker->metrics->shaking, --c->worker->n_handshakes);
}

void
conn_begin_handshake(struct conn *c)
{
    bool gate = conn_door(c)->kind == DOOR_GATE; /* which shows its own certificate */

    join_handshakes(c);
    c->step = CONN_HANDSHAKE;
    conn_set_alarm(c, conn_limits(c)->handshake_timeout_ms);
    link_accept_tls(&c->link, generation_server(c->worker->now->generation, c->door),
                    conn_door(c)->http2 ? ALPN_BOTH : ALPN_H1,
                    gate ? NULL : choose_leaf, c);
}

/* ---- which of them it is */

static bool
is_letter(char b)
{
    return (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
}

void
conn_begin_sniffing(struct conn *c)
{
    c->step = CONN_SNIFF;
    conn_set_alarm(c, conn_limits(c)->head_timeout_ms);
}

/* TLS is opened, or passes unopened where a rule says so; what begins like a request is
 * judged as plain HTTP; anything else ends here and is never spliced. */
bool
conn_sniff(struct conn *c)
{
    struct text first = buf_text(&c->link.in);

    if (c->link.state == LINK_DEAD || (first.n == 0 && c->link.read_ended)) {
        conn_log_end(c, REASON_CLIENT_GONE);
        return false;
    }
    /* Of whoever was led here and has said nothing nobody knows what he would want. */
    if (first.n == 0 && c->orig != NULL && c->worker->draining)
        return false;
    /* Our 200 goes in the clear, all of it, before anything is said in TLS. */
    if (first.n == 0 || buf_length(&c->link.out) > 0)
        return true;
    if ((unsigned char)first.at[0] == TLS_HANDSHAKE) {
        conn_begin_tls(c);
        return true;
    }
    if (is_letter(first.at[0])) {
        conn_begin_serving(c);
        return true;
    }
    conn_log_end(c, REASON_NOT_HTTP);
    return false;
}

bool
conn_follow_handshake(struct conn *c)
{
    if (c->link.state == LINK_HANDSHAKING)
        return true;
    conn_leave_handshakes(c);
    if (c->link.state == LINK_DEAD) {
        conn_fail_handshake(c, c->link.why);
        return false;
    }
    metrics_handshake(c->worker->metrics, SIDE_CLIENT, true,
                      tls_is_resumed(c->link.tls));
    conn_begin_serving(c);
    return true;
}

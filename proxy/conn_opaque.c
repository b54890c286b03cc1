/* Whether TLS is opened. Of what passes unopened not a byte is answered by us: who it
 * is for has to be known before, by CONNECT, or by the name that its ClientHello says.
 */
#include "proxy/conn_parts.h"

#include "base/clock.h"
#include "http/client_hello.h"

static const struct grants *
grants_of(const struct conn *c)
{
    return chain_grants(generation_chain(c->worker->now->generation));
}

static bool
passes(const struct conn *c, const struct authority *target)
{
    return grants_pass_unopened(grants_of(c), &c->caller, target, clock_wall_s());
}

/* By the server name, to the port that it was meant for. It is the target then. */
static bool
name_passes(struct conn *c, const struct client_hello *hello)
{
    struct authority target = { .port = c->original_port };

    if (host_parse(client_hello_name(hello), &target.host) != REASON_OK ||
        !passes(c, &target))
        return false;
    c->target = authority_keep(&target);
    c->named = true;
    return true;
}

/* FLOW_OK: it passes unopened; FLOW_END: it is opened, whatever else it may be. */
static enum flow
sniff_name(struct conn *c)
{
    struct client_hello hello;
    enum flow flow;

    if (!grants_have_opaque(grants_of(c)))
        return FLOW_END;
    flow = client_hello_read(buf_text(&c->link.in), &hello);
    if (flow == FLOW_OK)
        return name_passes(c, &hello) ? FLOW_OK : FLOW_END;
    return flow == FLOW_WAIT && buf_length(&c->link.in) < c->link.ceiling &&
                   !c->link.read_ended
               ? FLOW_WAIT
               : FLOW_END;
}

static enum flow
look(struct conn *c)
{
    struct authority target;

    if (c->target == NULL)
        return sniff_name(c);
    authority_recall(c->target, &target);
    return passes(c, &target) ? FLOW_OK : FLOW_END;
}

void
conn_begin_tls(struct conn *c)
{
    enum flow flow = look(c);

    c->opaque = flow == FLOW_OK;
    if (c->opaque)
        conn_begin_serving(c);
    else if (flow == FLOW_END)
        conn_begin_handshake(c);
}

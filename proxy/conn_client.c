/* Whom a gate's client is by its certificate. It is verified in the handshake, and
 * again when a reload has changed by whom clients are trusted: a connection that lives
 * on is worth what a new one would be. */
#include "proxy/conn_parts.h"

static const struct trust *
trust_now(const struct conn *c, const struct generation *g)
{
    return c->link.tls != NULL ? tls_server_clients(generation_server(g, c->door))
                               : NULL;
}

static void
know(struct conn *c, const struct trust *by)
{
    client_identity_free(c->client);
    trust_unref(c->client_by);
    c->client = tls_read_client(c->link.tls, by);
    c->client_by = trust_ref(by);
}

void
conn_forget_client(struct conn *c)
{
    client_identity_free(c->client);
    trust_unref(c->client_by);
}

enum reason
conn_know_client(struct conn *c, const struct generation *g, int64_t now_s,
                 struct arena *arena, struct client_certificate *out)
{
    const struct trust *by = trust_now(c, g);

    *out = (struct client_certificate){ .kind = CLIENT_NAME_NONE };
    if (by == NULL)
        return REASON_OK;
    if (c->client_by != by)
        know(c, by);
    if (c->client == NULL)
        return tls_client_showed(c->link.tls) ? REASON_CLIENT_CERTIFICATE_UNTRUSTED
                                              : REASON_OK;
    if (now_s > client_identity_expires_s(c->client))
        return REASON_CLIENT_CERTIFICATE_UNTRUSTED;
    out->kind = client_identity_kind(c->client);
    out->name = arena_copy(arena, client_identity_name(c->client));
    out->thumbprint = arena_copy(arena, client_identity_thumbprint(c->client));
    return REASON_OK;
}

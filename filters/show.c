#include "filters/show.h"

#include "filters/present.h"

/* The credential itself, or the one that an oauth credential names. */
static const struct conf_credential *
certificate_of(const struct view *v)
{
    const struct conf_credential *c = conf_credential(v->conf, v->rule->credential);

    if (c == NULL || c->source.kind == SOURCE_CERTIFICATE)
        return c;
    return conf_client_certificate(v->conf, c);
}

enum reason
show_find_pair(const struct view *v, struct pair **out)
{
    const struct conf_credential *c;
    enum reason why;

    *out = NULL;
    if (present_binding(v) != BINDING_MTLS)
        return REASON_OK;
    if ((c = certificate_of(v)) == NULL || v->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((why = vault_pair(v->vault, c, out)) != REASON_OK ||
        !pair_is_expired(*out, v->now_s))
        return why;
    *out = NULL;
    return REASON_CLIENT_CERTIFICATE_EXPIRED;
}

#include "filters/show.h"

#include "filters/present.h"

/* Whose certificate goes with this credential; NULL: none. */
static const struct conf_credential *
certificate_of(const struct view *v, const struct conf_credential *c)
{
    (void)v;
    return c->source.kind == SOURCE_CERTIFICATE ? c : NULL;
}

enum reason
show_find_pair(const struct view *v, struct pair **out)
{
    const struct conf_credential *c;
    enum reason why;

    *out = NULL;
    if (!present_is_wanted(v))
        return REASON_OK;
    if ((c = conf_credential(v->conf, v->rule->credential)) == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((c = certificate_of(v, c)) == NULL)
        return REASON_OK;
    if (v->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((why = vault_pair(v->vault, c, out)) != REASON_OK ||
        !pair_is_expired(*out, v->now_s))
        return why;
    *out = NULL;
    return REASON_CLIENT_CERTIFICATE_EXPIRED;
}

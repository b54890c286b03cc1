/* What the log hears of a vault: what is wrong with its files, and where the config
 * names them. */
#include "tokens/vault_parts.h"

#include "base/log.h"

static void
tell_slot(const struct conf_credential *c, const struct slot *s)
{
    if (s->fault != NULL)
        log_reason(REASON_CREDENTIAL_UNAVAILABLE,
                   "%s:%u: credentials.%s: %s; requests that need it are refused until "
                   "then",
                   c->place.file, c->place.line, c->name, s->fault);
    else if (s->unsettled_ms != 0)
        log_warn("%s:%u: credentials.%s: %s; the certificate before is shown for up to "
                 "%d s",
                 c->place.file, c->place.line, c->name, s->pair_fault,
                 VAULT_SETTLE_MS / 1000);
}

static void
tell_secret(const struct vault *v, const struct conf_introspection *s)
{
    const struct held *h = vault_held(
        v, &(struct named){ s->client_secret, CONTENT_TEXT });

    if (h != NULL && h->fault != NULL)
        log_reason(REASON_CREDENTIAL_UNAVAILABLE,
                   "%s:%u: introspection.client_secret: %s; tokens that need it are "
                   "refused until then",
                   s->place.file, s->place.line, h->fault);
}

static void
tell_gate(const struct vault *v, const struct conf_door *door)
{
    const struct conf_issuer *issuers = door->issuers.at;

    for (size_t i = 0; i < door->issuers.n; i++)
        if (issuers[i].introspection.url != NULL)
            tell_secret(v, &issuers[i].introspection);
}

static void
tell_pod(const struct vault *v)
{
    const struct place *at = &v->workload->place;

    if (v->pod.fault != NULL)
        log_reason(REASON_CLAIM_MISSING,
                   "%s:%u: workload: %s; what is the pod's task's is refused until "
                   "then",
                   at->file, at->line, v->pod.fault);
    else if (vault_lacks_pod(v))
        log_info("workload: %s has no label %s yet: nobody has claimed this pod",
                 v->workload->claim_file, v->workload->claim_label);
}

void
vault_tell(const struct vault *v)
{
    tell_pod(v);
    for (size_t i = 0; i < v->n; i++)
        tell_slot(&v->credentials[i], &v->slots[i]);
    for (size_t i = 0; i < v->n_doors; i++)
        tell_gate(v, &v->doors[i]);
}

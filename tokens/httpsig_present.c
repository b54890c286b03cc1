/* The binding `httpsig`: who signs, and with what beside the signature. */
#include "tokens/carried.h"
#include "tokens/httpsig.h"
#include "tokens/presenter.h"

static enum reason
present_by(const struct httpsig_signer *by, struct text thumbprint,
           const struct presented *request, int64_t now_s, struct headers *headers,
           struct evidence *evidence)
{
    struct text id;
    enum reason why = httpsig_make(by, request, now_s, headers, &id);

    if (why == REASON_OK)
        *evidence = (struct evidence){
            .binding = "httpsig",
            .proof_id = id,
            .thumbprint = arena_copy(headers->arena, thumbprint),
        };
    return why;
}

/* The token is part of what is covered, so it stands there first. */
static enum reason
present_workload(const struct means *with, const struct presented *request,
                 int64_t now_s, struct headers *headers, struct evidence *evidence)
{
    const struct identity *i = with->presenter->identity;
    const struct httpsig_signer by = { .how = with->signature,
                                       .is_wimse = true,
                                       .key = with->presenter->key,
                                       .expires_s = i->expires_s };
    enum reason why;

    proof_strip(headers);
    headers_add_secret(headers, FIELD_TOKEN, arena_copy(headers->arena, i->wit));
    why = present_by(&by, presenter_thumbprint(with->presenter), request, now_s,
                     headers, evidence);
    if (why != REASON_OK)
        headers_remove(headers, FIELD_TOKEN);
    return why;
}

enum reason
httpsig_present(const struct means *with, const struct presented *request,
                int64_t now_s, struct headers *headers, struct evidence *evidence)
{
    const struct httpsig_signer by = { .how = with->signature,
                                       .key = with->signing_key,
                                       .key_id = with->signing_key_id };

    if (with->signature == NULL)
        return REASON_NO_BINDING;
    if (with->presenter != NULL)
        return present_workload(with, request, now_s, headers, evidence);
    if (with->signing_key == NULL)
        return REASON_NO_BINDING;
    return present_by(&by, with->signing_key_id, request, now_s, headers, evidence);
}

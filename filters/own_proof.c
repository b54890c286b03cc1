#include "filters/own_proof.h"

static bool
is_let(const struct view *v)
{
    return v->rule != NULL && v->rule->own_proof == CONF_PASS &&
           v->rule->credential == NULL && v->verified_tls;
}

static bool
is_bound_token(struct text value)
{
    return value.n > 5 && text_equals_nocase(text_of(value.at, 5), TEXT("DPoP "));
}

bool
own_proof_passes(const struct view *v, const struct field *f)
{
    if (!is_let(v))
        return false;
    return text_equals_nocase(f->name, TEXT("DPoP")) ||
           (text_equals_nocase(f->name, TEXT("Authorization")) &&
            is_bound_token(f->value));
}

/* The proof names the path as the workload spelt it, and the service compares that with
 * what it is sent. */
enum reason
own_proof_judge(const struct view *v)
{
    struct text rest = v->request->target, path;

    if (!is_let(v) || !headers_has(&v->request->headers, TEXT("DPoP")))
        return REASON_OK;
    return text_split(&rest, '?', &path) && text_equals(path, v->path)
               ? REASON_OK
               : REASON_OWN_PROOF_PATH;
}

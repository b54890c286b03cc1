#include "filters/own_proof.h"

#include "tokens/claims.h"
#include "tokens/dpop_verify.h"

#define FIELD_DPOP TEXT("DPoP")

static bool
is_let(const struct view *v)
{
    return v->rule != NULL && v->rule->own_proof == CONF_PASS &&
           v->rule->credential == NULL && v->verified_tls;
}

/* A proof names its token by a digest; one that is asked for at an authorization server
 * has none yet. */
static void
find(const struct headers *h, struct own_proof *out)
{
    const struct field *said = headers_get(h, FIELD_DPOP);
    struct text token, proof;
    struct jws j;

    if (headers_count(h, FIELD_DPOP) != 1 ||
        jws_parse_among(said->value, JWS_ALGS_ALL, &j) != JWS_FINE)
        return;
    out->proof = jws_typ_is(&j, "dpop+jwt") &&
                 !jwk_is_private(json_get(j.header, "jwk"));
    out->token = out->proof && dpop_find(h, &token, &proof) == REASON_OK &&
                 claim_is_digest(json_get(j.claims, "ath"), token);
    jws_clear(&j);
}

bool
own_proof_passes(const struct own_proof *own, const struct field *f)
{
    return (own->proof && text_equals_nocase(f->name, FIELD_DPOP)) ||
           (own->token && text_equals_nocase(f->name, TEXT("Authorization")));
}

/* The proof names the path as the workload spelt it, and the service compares that with
 * what it is sent. */
enum reason
own_proof_judge(const struct view *v, struct own_proof *out)
{
    struct text rest = v->request->target, path;

    *out = (struct own_proof){ .proof = false };
    if (!is_let(v))
        return REASON_OK;
    find(&v->request->headers, out);
    if (!out->proof)
        return REASON_OK;
    return text_split(&rest, '?', &path) && text_equals(path, v->path)
               ? REASON_OK
               : REASON_OWN_PROOF_PATH;
}

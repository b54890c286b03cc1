/* Access tokens at a gate: of an issuer that the door names, bound to a key that made a
 * proof (RFC 9449), or to a certificate (verify_certificate.c). A token that is good
 * for whoever has it is worth nothing here. */
#include "filters/verify_parts.h"

/* ---- whose it is */

/* A token without an issuer in it can be asked about; of whom, must be beyond doubt. */
static const struct issuer *
only_asked(const struct gate *g)
{
    const struct issuer *found = NULL;

    for (size_t i = 0; i < g->n_issuers; i++) {
        if (g->issuers[i].conf->introspection.url == NULL)
            continue;
        if (found != NULL)
            return NULL;
        found = &g->issuers[i];
    }
    return found;
}

const struct issuer *
gate_issuer(const struct gate *g, struct text token, struct arena *arena)
{
    struct text name;

    if (g->n_issuers == 1) /* whether it is its token is judged with the token */
        return g->issuers;
    name = access_token_issuer(token, arena);
    if (text_is_empty(name))
        return only_asked(g);
    for (size_t i = 0; i < g->n_issuers; i++)
        if (text_equals(g->issuers[i].policy.issuer, name))
            return &g->issuers[i];
    return NULL;
}

/* ---- what it says */

/* Identifiers of workloads are their authorities' to give: an issuer names one only
 * where the operator said that it may. */
static bool
is_trusted_with(const struct conf_issuer *c, struct text subject)
{
    if (c->subjects.n == 0)
        return !gate_is_workload(subject);
    return gate_names_subject(&c->subjects, subject);
}

static void
tell(const struct access *a, struct facts *f)
{
    f->subject = text_is_empty(a->subject) ? a->client_id : a->subject;
    f->issuer = a->issuer;
    f->client_id = a->client_id;
    f->scope = a->scope;
}

/* What cannot be read of an answer is the issuer's fault, and no token's. */
static enum reason
word_judge(const struct issuer *by, struct view *v, struct access *a)
{
    enum reason why = access_from_introspection(&by->policy, v->issuer_says, v->now_s,
                                                v->arena, a);

    return why == REASON_TOKEN_MALFORMED ? REASON_AS_MALFORMED : why;
}

static enum reason
token_judge(const struct issuer *by, struct text token, struct view *v,
            struct access *a)
{
    struct access_policy policy = by->policy;

    if (by->conf->introspection.url != NULL)
        return word_judge(by, v, a);
    policy.jwks = by->keys != NULL ? by->keys : v->issuer_keys;
    if (policy.jwks == NULL) /* nobody was asked */
        return REASON_AS_UNREACHABLE;
    return access_token_verify(&policy, token, v->now_s, v->arena, a);
}

enum reason
gate_access_judge(const struct gate *g, struct text token, struct view *v,
                  struct access *a)
{
    const struct issuer *by = gate_issuer(g, token, v->arena);
    enum reason why;

    if (by == NULL)
        return REASON_TOKEN_UNTRUSTED;
    if ((why = token_judge(by, token, v, a)) != REASON_OK)
        return why;
    tell(a, &v->facts);
    return is_trusted_with(by->conf, v->facts.subject) ? REASON_OK
                                                       : REASON_TOKEN_SUBJECT;
}

bool
gate_shows_certificate(const struct view *v, struct text x5t)
{
    return text_equals_constant_time(x5t, v->client.thumbprint);
}

/* ---- DPoP */

bool
tries_dpop(const struct view *v)
{
    return dpop_is_tried(&v->request->headers);
}

bool
token_dpop(const struct view *v, struct text *token)
{
    struct text proof;

    return dpop_find(&v->request->headers, token, &proof) == REASON_OK;
}

static void
offer_nonce(const struct gate *g, struct text thumbprint, struct view *v)
{
    char nonce[NONCE_SIZE];

    if (g->dpop.nonces != NULL)
        v->offered_nonce = arena_copy(
            v->arena, nonce_make(g->dpop.nonces, thumbprint, v->now_s, nonce));
}

static enum reason
dpop_judge(const struct gate *g, struct view *v, struct dpop_facts *told)
{
    const struct presented received = view_presented(v);
    struct text token, proof;
    struct access access;
    enum reason why;

    if ((why = dpop_find(&v->request->headers, &token, &proof)) != REASON_OK ||
        (why = gate_access_judge(g, token, v, &access)) != REASON_OK)
        return why;
    if (text_is_empty(access.jkt))
        return REASON_TOKEN_BEARER;
    if (!text_is_empty(access.x5t) && !gate_shows_certificate(v, access.x5t))
        return REASON_TOKEN_CERTIFICATE;
    return dpop_verify(&g->dpop, &v->request->headers, &received, access.jkt, v->now_s,
                       v->arena, told);
}

void
challenge_dpop(const struct gate *g, enum reason why, struct view *v)
{
    const char *error = dpop_error(why);

    if (error != NULL)
        v->challenge = arena_printf(v->arena, "DPoP error=\"%s\", algs=\"%s\"", error,
                                    g->dpop_words);
    else if (why == REASON_TOKEN_MISSING || why == REASON_TOKEN_REPEATED)
        v->challenge = arena_printf(v->arena, "DPoP algs=\"%s\"", g->dpop_words);
}

enum reason
judge_dpop(const struct gate *g, struct view *v)
{
    struct dpop_facts told = { .nonce_aged = false };
    enum reason why = dpop_judge(g, v, &told);

    if (told.nonce_aged || why != REASON_OK)
        offer_nonce(g, told.thumbprint, v);
    if (why != REASON_OK)
        return why;
    v->facts.proof_id = told.proof_id;
    v->facts.thumbprint = told.thumbprint;
    return REASON_OK;
}

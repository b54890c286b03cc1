/* Client certificates at a gate: a name of their own, or an access token that is bound
 * to one (RFC 8705 section 3). TLS has verified the certificate, and the key behind it
 * holds the connection; a request that comes by it is covered by nothing else. */
#include "filters/verify_parts.h"

#include "tokens/carried.h"
#include "tokens/identifier.h"

bool
tries_mtls(const struct view *v)
{
    return !text_is_empty(v->client.thumbprint);
}

bool
token_mtls(const struct view *v, struct text *token)
{
    const struct field *f = headers_get(&v->request->headers, TEXT("Authorization"));
    struct carried carried;

    if (!tries_mtls(v) || f == NULL || f->value.n < 7 ||
        !text_equals_nocase(text_of(f->value.at, 7), TEXT("Bearer ")))
        return false;
    carried_find(&v->request->headers, &carried);
    *token = carried.access;
    return !text_is_empty(*token) && !carried.access_repeated;
}

/* ---- the certificate's own name */

static bool
is_trusted_here(const struct conf_door *door, struct text name)
{
    const struct conf_trust *trust = door->trust.at;
    struct identifier id;

    if (!identifier_parse(name, &id))
        return false;
    for (size_t i = 0; i < door->trust.n; i++)
        if (text_equals(text_z(trust[i].domain), id.domain) &&
            gate_names_subject(&trust[i].subjects, name))
            return true;
    return false;
}

static enum reason
name_judge(struct view *v)
{
    const struct client_certificate *c = &v->client;

    if (c->kind == CLIENT_NAME_NONE)
        return REASON_CLIENT_CERTIFICATE_UNTRUSTED;
    if (c->kind == CLIENT_NAME_URI) {
        if (!is_trusted_here(v->door, c->name))
            return REASON_CLIENT_CERTIFICATE_UNTRUSTED;
        v->facts.context.workload = c->name;
    }
    v->facts.subject = c->name;
    return REASON_OK;
}

/* ---- a token that is bound to it */

/* One that is bound to a key of DPoP is good with a proof alone. */
static enum reason
token_judge(const struct gate *g, struct text token, struct view *v)
{
    struct access access;
    enum reason why = gate_access_judge(g, token, v, &access);

    if (why != REASON_OK)
        return why;
    if (text_is_empty(access.x5t) || !text_is_empty(access.jkt))
        return REASON_TOKEN_BEARER;
    return gate_shows_certificate(v, access.x5t) ? REASON_OK : REASON_TOKEN_CERTIFICATE;
}

/* A token that its issuers answer for goes nowhere unjudged: spelt so that it is none
 * here, it could be one behind us. */
static enum reason
bearer_judge(const struct view *v)
{
    const struct field *f = headers_get(&v->request->headers, TEXT("Authorization"));
    const struct text bearer = TEXT("Bearer");

    if (headers_count(&v->request->headers, TEXT("Authorization")) > 1)
        return REASON_TOKEN_REPEATED;
    return f != NULL && f->value.n >= bearer.n &&
                   text_equals_nocase(text_of(f->value.at, bearer.n), bearer)
               ? REASON_TOKEN_MALFORMED
               : REASON_OK;
}

enum reason
judge_mtls(const struct gate *g, struct view *v)
{
    struct text token;
    enum reason why;

    if (!tries_mtls(v))
        return REASON_CLIENT_CERTIFICATE_MISSING;
    v->facts.thumbprint = v->client.thumbprint;
    if (g->n_issuers == 0)
        return name_judge(v);
    if (token_mtls(v, &token))
        return token_judge(g, token, v);
    return (why = bearer_judge(v)) != REASON_OK ? why : name_judge(v);
}

void
challenge_mtls(const struct gate *g, enum reason why, struct view *v)
{
    const char *error = dpop_error(why);

    (void)g;
    if (error != NULL)
        v->challenge = arena_printf(v->arena, "Bearer error=\"%s\"", error);
}

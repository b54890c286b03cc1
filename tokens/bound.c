/* An access token that is bound: to a key that proves itself with each request (RFC
 * 9449), or to the client certificate of the connection (RFC 8705). Promises that
 * neither leaves without what it is bound to. */
#include "tokens/presenter.h"

enum { HTTPS_PORT = 443 };

static struct text
origin_spell(const struct presented *request, struct arena *arena)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text authority = authority_print(&request->authority, HTTPS_PORT, room);
    size_t n = sizeof "https://" - 1;
    char *origin = arena_alloc(arena, n + authority.n);

    memcpy(origin, "https://", n);
    memcpy(origin + n, authority.at, authority.n);
    return text_of(origin, n + authority.n);
}

enum reason
dpop_present(const struct means *with, const struct presented *request, int64_t now_s,
             struct headers *headers, struct evidence *evidence)
{
    struct dpop_ask ask = { .method = request->method,
                            .path = request->path,
                            .now_s = now_s };
    struct text proof, jti;
    enum reason why;

    if (with->token == NULL || with->dpop == NULL ||
        token_form(with->token) != FORM_DPOP)
        return REASON_NO_BINDING;
    /* A proof by another key would be a token shown for nothing. */
    if (token_key(with->token) != dpop_signer_key(with->dpop))
        return REASON_SIGN;
    ask.origin = origin_spell(request, headers->arena);
    ask.ath = token_ath(with->token);
    why = dpop_prove(with->dpop, &ask, headers->arena, &proof, &jti);
    if (why != REASON_OK)
        return why;
    secret_put(headers, TEXT("Authorization"), TEXT("DPoP "), token_value(with->token));
    headers_remove(headers, TEXT("DPoP"));
    headers_add_secret(headers, TEXT("DPoP"), proof);
    *evidence = (struct evidence){
        .binding = "dpop",
        .proof_id = jti,
        .thumbprint = arena_copy(headers->arena,
                                 dpop_key_thumbprint(dpop_signer_key(with->dpop))),
    };
    return REASON_OK;
}

enum reason
mtls_present(const struct means *with, const struct presented *request, int64_t now_s,
             struct headers *headers, struct evidence *evidence)
{
    (void)request;
    (void)now_s;
    if (with->token != NULL && token_form(with->token) != FORM_MTLS)
        return REASON_NO_BINDING;
    /* The certificate may have been rotated since the token was bound to it. */
    if (text_is_empty(with->connection_x5t) ||
        (with->token != NULL &&
         !text_equals(token_x5t(with->token), with->connection_x5t)))
        return REASON_CERTIFICATE_CHANGED;
    if (with->token != NULL)
        secret_put(headers, TEXT("Authorization"), TEXT("Bearer "),
                   token_value(with->token));
    *evidence = (struct evidence){
        .binding = "mtls",
        .thumbprint = arena_copy(headers->arena, with->connection_x5t),
    };
    return REASON_OK;
}

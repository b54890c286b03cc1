/* Judging DPoP proofs: the cheapest checks first, the signature when everything else
 * that a stranger can say has been looked at, the replay cache last. */
#include "tokens/dpop_verify.h"

#include "base/path.h"
#include "tokens/claims.h"

#include <string.h>

enum { HTTPS_PORT = 443 };

#define FIELD_DPOP TEXT("DPoP")
#define FIELD_AUTH TEXT("Authorization")

struct proof {
    struct jws jws;
    struct public_key *key;
    char thumbprint[THUMBPRINT_SIZE];
    struct text jti;
    int64_t iat_s;
};

/* ---- finding */

/* RFC 9110 section 11.2 */
static bool
is_token68(struct text t)
{
    size_t n = t.n;

    while (n > 0 && t.at[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        char c = t.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || memchr("-._~+/", c, 6) != NULL))
            return false;
    }
    return n > 0;
}

/* What stands behind the scheme and one blank or more. */
static bool
token_of(struct text value, const char *scheme, struct text *token)
{
    size_t n = strlen(scheme);

    if (value.n <= n || value.at[n] != ' ' ||
        !text_equals_nocase(text_of(value.at, n), text_of(scheme, n)))
        return false;
    *token = text_trim(text_of(value.at + n, value.n - n));
    return is_token68(*token);
}

bool
dpop_is_tried(const struct headers *h)
{
    const struct field *auth = headers_get(h, FIELD_AUTH);
    struct text token;

    return headers_has(h, FIELD_DPOP) ||
           (auth != NULL && token_of(auth->value, "DPoP", &token));
}

static enum reason
token_find(const struct headers *h, struct text *token)
{
    size_t n = headers_count(h, FIELD_AUTH);
    struct text value;

    if (n != 1)
        return n == 0 ? REASON_TOKEN_MISSING : REASON_TOKEN_REPEATED;
    value = headers_get(h, FIELD_AUTH)->value;
    if (token_of(value, "DPoP", token))
        return REASON_OK;
    return token_of(value, "Bearer", token) ? REASON_TOKEN_BEARER
                                            : REASON_TOKEN_MALFORMED;
}

enum reason
dpop_find(const struct headers *h, struct text *token, struct text *proof)
{
    size_t proofs = headers_count(h, FIELD_DPOP);
    enum reason why = token_find(h, token);

    if (why != REASON_OK)
        return why;
    if (proofs != 1)
        return proofs == 0 ? REASON_PROOF_MISSING : REASON_PROOF_REPEATED;
    *proof = headers_get(h, FIELD_DPOP)->value;
    return REASON_OK;
}

void
dpop_strip(struct headers *h)
{
    headers_remove(h, FIELD_DPOP);
    headers_remove(h, FIELD_AUTH);
}

/* ---- the proof and its key */

static enum reason
key_read(const struct dpop_policy *policy, struct proof *p)
{
    const struct json *jwk = json_get(p->jws.header, "jwk");
    struct text alg;

    if (!json_is_object(jwk))
        return REASON_PROOF_MALFORMED;
    if (jwk_is_private(jwk))
        return REASON_PROOF_PRIVATE_KEY;
    if (!jwk_thumbprint(jwk, p->thumbprint))
        return REASON_PROOF_MALFORMED;
    if ((p->key = jwk_import_among(jwk, policy->algs, &alg)) == NULL)
        return REASON_PROOF_MALFORMED;
    if (public_key_kind(p->key) != key_algorithm_kind(p->jws.alg) ||
        (!text_is_empty(alg) && !text_equals(alg, p->jws.alg_word)))
        return REASON_PROOF_ALGORITHM;
    return REASON_OK;
}

static enum reason
proof_read(const struct dpop_policy *policy, struct text compact, struct proof *p)
{
    enum jws_fault fault = jws_parse_among(compact, policy->algs, &p->jws);

    if (fault != JWS_FINE)
        return fault == JWS_ALGORITHM ? REASON_PROOF_ALGORITHM : REASON_PROOF_MALFORMED;
    if (!jws_typ_is(&p->jws, "dpop+jwt"))
        return REASON_PROOF_TYPE;
    return key_read(policy, p);
}

/* ---- what it was made for */

/* Scheme and authority of an absolute URI; what stands behind, up to query or fragment,
 * is the path. */
static bool
uri_split(struct text uri, struct text *authority, struct text *path)
{
    static const struct text scheme = { "https://", 8 };
    size_t i = scheme.n, end;

    if (uri.n <= scheme.n || !text_equals_nocase(text_of(uri.at, scheme.n), scheme))
        return false;
    while (i < uri.n && memchr("/?#", uri.at[i], 3) == NULL)
        i++;
    *authority = text_of(uri.at + scheme.n, i - scheme.n);
    for (end = i; end < uri.n && uri.at[end] != '?' && uri.at[end] != '#';)
        end++;
    *path = end == i ? TEXT("/") : text_of(uri.at + i, end - i);
    return true;
}

/* host_parse would drop a dot behind the name, which another reader keeps. */
static bool
has_plain_host(struct text authority)
{
    for (size_t i = 0; i < authority.n; i++)
        if (authority.at[i] == '.' &&
            (i + 1 == authority.n || authority.at[i + 1] == ':'))
            return false;
    return true;
}

/* RFC 3986 section 6.2.2 and 6.2.3: case, the default port, dot segments, escapes. */
static bool
uri_fits(struct text uri, const struct presented *received, struct arena *arena)
{
    struct text authority, path, normal, query;
    struct authority to;

    return uri_split(uri, &authority, &path) && has_plain_host(authority) &&
           authority_parse(authority, HTTPS_PORT, &to) == REASON_OK &&
           authority_equals(&to, &received->authority) &&
           path_normalise(arena, path, &normal, &query) == REASON_OK &&
           text_equals(normal, received->path);
}

/* The names are the operator's, never what the request says of itself. */
static bool
is_our_name(const struct dpop_policy *p, const struct presented *received)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text asked = authority_print(&received->authority, HTTPS_PORT, room);
    const size_t n = sizeof "https://" - 1;

    for (size_t i = 0; i < p->n_origins; i++) {
        struct text origin = text_z(p->origins[i]);

        if (origin.n == n + asked.n && text_ends(origin, asked))
            return true;
    }
    return false;
}

static enum reason
request_judge(const struct dpop_policy *p, const struct json *claims,
              const struct presented *received, struct arena *arena)
{
    struct text method, uri;

    if (!json_string(json_get(claims, "htm"), &method) ||
        !json_string(json_get(claims, "htu"), &uri))
        return REASON_PROOF_MALFORMED;
    if (!text_equals(method, received->method))
        return REASON_PROOF_METHOD;
    return is_our_name(p, received) && uri_fits(uri, received, arena)
               ? REASON_OK
               : REASON_PROOF_AUDIENCE;
}

static enum reason
time_judge(struct proof *p, int64_t now_s)
{
    if (claim_time(p->jws.claims, "iat", &p->iat_s) != CLAIM_GOOD)
        return REASON_PROOF_MALFORMED;
    if (p->iat_s > now_s + DPOP_AHEAD_S)
        return REASON_PROOF_NOT_YET;
    return now_s - p->iat_s > DPOP_BACK_S ? REASON_PROOF_EXPIRED : REASON_OK;
}

static enum reason
nonce_check(const struct dpop_policy *policy, const struct proof *p, int64_t now_s,
            struct dpop_facts *out)
{
    struct text thumbprint = text_of(p->thumbprint, THUMBPRINT_SIZE), nonce;
    enum nonce_verdict verdict;

    if (policy->nonces == NULL)
        return REASON_OK;
    if (!json_string(json_get(p->jws.claims, "nonce"), &nonce))
        return REASON_PROOF_NONCE;
    verdict = nonce_judge(policy->nonces, nonce, thumbprint, now_s);
    out->nonce_aged = verdict == NONCE_AGED;
    return verdict == NONCE_REFUSED ? REASON_PROOF_NONCE : REASON_OK;
}

/* ---- all of it */

/* Where it was shown and by whom belongs to what is remembered: nobody can use up
 * another's ids. */
static enum reason
enter(const struct dpop_policy *policy, const struct proof *p,
      const struct presented *received, int64_t now_s, struct arena *arena)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text to = authority_print(&received->authority, HTTPS_PORT, room);
    struct text key = arena_printf(arena, "%.*s %.*s%.*s", THUMBPRINT_SIZE,
                                   p->thumbprint, TEXT_ARG(to),
                                   TEXT_ARG(received->path));

    return replay_cache_enter(policy->replays, key, p->jti,
                              p->iat_s + DPOP_BACK_S + DPOP_AHEAD_S, now_s);
}

static enum reason
proof_judge(const struct dpop_policy *policy, struct proof *p, struct text token,
            const struct presented *received, struct text jkt, int64_t now_s,
            struct arena *arena, struct dpop_facts *out)
{
    const struct json *claims = p->jws.claims;
    enum reason why;

    if (!text_equals_constant_time(jkt, text_of(p->thumbprint, THUMBPRINT_SIZE)))
        return REASON_PROOF_KEY;
    if (!claim_id(claims, &p->jti))
        return REASON_PROOF_MALFORMED;
    if ((why = request_judge(policy, claims, received, arena)) != REASON_OK ||
        (why = time_judge(p, now_s)) != REASON_OK)
        return why;
    if (!claim_is_digest(json_get(claims, "ath"), token))
        return REASON_PROOF_AUTHORIZATION;
    if (!jws_verify(&p->jws, p->key))
        return REASON_PROOF_SIGNATURE;
    out->thumbprint = arena_copy(arena, text_of(p->thumbprint, THUMBPRINT_SIZE));
    if ((why = nonce_check(policy, p, now_s, out)) != REASON_OK)
        return why;
    return enter(policy, p, received, now_s, arena);
}

enum reason
dpop_verify(const struct dpop_policy *policy, const struct headers *h,
            const struct presented *received, struct text jkt, int64_t now_s,
            struct arena *arena, struct dpop_facts *out)
{
    struct proof p = { .key = NULL };
    struct text token, compact;
    enum reason why;

    memset(out, 0, sizeof *out);
    if ((why = dpop_find(h, &token, &compact)) != REASON_OK)
        return why;
    why = proof_read(policy, compact, &p);
    if (why == REASON_OK)
        why = proof_judge(policy, &p, token, received, jkt, now_s, arena, out);
    if (why == REASON_OK)
        out->proof_id = arena_copy(arena, p.jti);
    public_key_free(p.key);
    jws_clear(&p.jws);
    return why;
}

const char *
dpop_error(enum reason why)
{
    static const enum reason of_token[] = {
        REASON_TOKEN_MALFORMED, REASON_TOKEN_TYPE,      REASON_TOKEN_ALGORITHM,
        REASON_TOKEN_UNTRUSTED, REASON_TOKEN_SIGNATURE, REASON_TOKEN_EXPIRED,
        REASON_TOKEN_NOT_YET,   REASON_TOKEN_AUDIENCE,  REASON_TOKEN_KEY_UNKNOWN,
        REASON_TOKEN_INACTIVE,  REASON_TOKEN_BEARER,    REASON_TOKEN_CERTIFICATE,
    };
    static const enum reason of_proof[] = {
        REASON_PROOF_MISSING,       REASON_PROOF_REPEATED,    REASON_PROOF_MALFORMED,
        REASON_PROOF_TYPE,          REASON_PROOF_ALGORITHM,   REASON_PROOF_SIGNATURE,
        REASON_PROOF_EXPIRED,       REASON_PROOF_NOT_YET,     REASON_PROOF_AUDIENCE,
        REASON_PROOF_AUTHORIZATION, REASON_PROOF_METHOD,      REASON_PROOF_REPLAYED,
        REASON_PROOF_KEY,           REASON_PROOF_PRIVATE_KEY,
    };

    if (why == REASON_PROOF_NONCE)
        return "use_dpop_nonce";
    if (why == REASON_SCOPE_MISSING) /* RFC 6750 section 3.1 */
        return "insufficient_scope";
    for (size_t i = 0; i < sizeof of_token / sizeof *of_token; i++)
        if (of_token[i] == why)
            return "invalid_token";
    for (size_t i = 0; i < sizeof of_proof / sizeof *of_proof; i++)
        if (of_proof[i] == why)
            return "invalid_dpop_proof";
    return NULL;
}

/* Reading access tokens. What a claim is not there for decides nothing: every claim
 * that RFC 9068 demands has to be there, of its type. */
#include "tokens/access_token.h"

#include "tokens/claims.h"

#include <string.h>

enum { INTROSPECTION_MAX = 64 * 1024, CLAIM_TEXT_MAX = 2048 };

/* A claim that goes into a log or a header field: visible ASCII, and blanks inside. */
static bool
is_tame(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] < ' ' || t.at[i] >= 0x7f)
            return false;
    return t.n > 0 && t.n <= CLAIM_TEXT_MAX;
}

/* False: it is there, and is no text that could be passed on. */
static bool
text_read(const struct json *claims, const char *name, struct text *out)
{
    const struct json *claim = json_get(claims, name);

    *out = (struct text){ NULL, 0 };
    return claim == NULL || (json_string(claim, out) && is_tame(*out));
}

/* RFC 7519 4.1.3: one string, or several. */
static bool
names_audience(const struct json *aud, struct text audience)
{
    struct text one;

    if (json_string(aud, &one))
        return text_equals(one, audience);
    for (size_t i = 0; json_is_array(aud) && i < json_count(aud); i++)
        if (json_string(json_at(aud, i), &one) && text_equals(one, audience))
            return true;
    return false;
}

static enum reason
begin_judge(const struct json *claims, const char *name, int64_t now_s)
{
    int64_t at;

    switch (claim_time(claims, name, &at)) {
    case CLAIM_BAD:
        return REASON_TOKEN_MALFORMED;
    case CLAIM_GOOD:
        return at > now_s + ACCESS_SKEW_S ? REASON_TOKEN_NOT_YET : REASON_OK;
    case CLAIM_ABSENT:
        break;
    }
    return REASON_OK;
}

static enum reason
end_judge(const struct json *claims, int64_t now_s, int64_t *exp_s)
{
    if (claim_time(claims, "exp", exp_s) != CLAIM_GOOD)
        return REASON_TOKEN_MALFORMED;
    return now_s >= *exp_s + ACCESS_SKEW_S ? REASON_TOKEN_EXPIRED : REASON_OK;
}

static enum reason
times_judge(const struct json *claims, int64_t now_s)
{
    enum reason why;

    if ((why = begin_judge(claims, "iat", now_s)) != REASON_OK)
        return why;
    return begin_judge(claims, "nbf", now_s);
}

/* What cnf binds to; a member of it that we do not know binds in a way we cannot check.
 */
static enum reason
binding_read(const struct json *claims, struct access *a)
{
    const struct json *cnf = json_get(claims, "cnf");
    size_t known;

    if (cnf == NULL)
        return REASON_OK;
    if (!text_read(cnf, "jkt", &a->jkt) || !text_read(cnf, "x5t#S256", &a->x5t))
        return REASON_TOKEN_MALFORMED;
    known = (a->jkt.n > 0) + (size_t)(a->x5t.n > 0);
    if (known == 0 || json_count(cnf) != known ||
        (a->jkt.n > 0 && a->jkt.n != THUMBPRINT_SIZE) ||
        (a->x5t.n > 0 && a->x5t.n != THUMBPRINT_SIZE))
        return REASON_TOKEN_MALFORMED;
    return REASON_OK;
}

static enum reason
claims_read(const struct json *claims, struct access *a)
{
    if (!text_read(claims, "iss", &a->issuer) ||
        !text_read(claims, "sub", &a->subject) ||
        !text_read(claims, "client_id", &a->client_id) ||
        !text_read(claims, "jti", &a->jti))
        return REASON_TOKEN_MALFORMED;
    /* An empty scope is no scope, and some servers write it. */
    if (!text_read(claims, "scope", &a->scope) && a->scope.n > 0)
        return REASON_TOKEN_MALFORMED;
    return binding_read(claims, a);
}

static void
access_keep(struct access *a, struct arena *arena)
{
    struct text *const texts[] = { &a->issuer, &a->subject, &a->client_id, &a->jti,
                                   &a->scope,  &a->jkt,     &a->x5t };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_copy(arena, *texts[i]);
}

/* ---- JWTs */

/* Parsed for its issuer alone, of whatever algorithm. */
struct text
access_token_issuer(struct text compact, struct arena *arena)
{
    struct text issuer = { NULL, 0 };
    struct jws j;

    if (jws_parse_among(compact, JWS_ALGS_ALL, &j) != JWS_FINE)
        return issuer;
    if (text_read(j.claims, "iss", &issuer))
        issuer = arena_copy(arena, issuer);
    else
        issuer = text_z(NULL);
    jws_clear(&j);
    return issuer;
}

static enum reason
signature_judge(const struct access_policy *p, const struct jws *j)
{
    const struct public_key *key = jwks_find(p->jwks, j->kid, j->alg);

    if (key == NULL)
        return REASON_TOKEN_KEY_UNKNOWN;
    return jws_verify(j, key) ? REASON_OK : REASON_TOKEN_SIGNATURE;
}

static enum reason
token_judge(const struct access_policy *p, const struct jws *j, int64_t now_s,
            struct access *a)
{
    enum reason why;

    /* RFC 8725 3.11: an ID token or a client's assertion, by the same key, is none. */
    if (!jws_typ_is(j, "at+jwt"))
        return REASON_TOKEN_TYPE;
    if ((why = claims_read(j->claims, a)) != REASON_OK)
        return why;
    if (!text_equals(a->issuer, p->issuer))
        return REASON_TOKEN_UNTRUSTED;
    if ((why = signature_judge(p, j)) != REASON_OK ||
        (why = end_judge(j->claims, now_s, &a->exp_s)) != REASON_OK ||
        (why = times_judge(j->claims, now_s)) != REASON_OK)
        return why;
    /* RFC 9068 section 2.2 */
    if (text_is_empty(a->subject) || text_is_empty(a->client_id) ||
        text_is_empty(a->jti) || json_get(j->claims, "iat") == NULL)
        return REASON_TOKEN_MALFORMED;
    return names_audience(json_get(j->claims, "aud"), p->audience)
               ? REASON_OK
               : REASON_TOKEN_AUDIENCE;
}

enum reason
access_token_verify(const struct access_policy *p, struct text compact, int64_t now_s,
                    struct arena *arena, struct access *out)
{
    struct access a = { .exp_s = 0 };
    enum jws_fault fault;
    enum reason why;
    struct jws j;

    memset(out, 0, sizeof *out);
    if ((fault = jws_parse_among(compact, p->algs, &j)) != JWS_FINE)
        return fault == JWS_ALGORITHM ? REASON_TOKEN_ALGORITHM : REASON_TOKEN_MALFORMED;
    why = token_judge(p, &j, now_s, &a);
    if (why == REASON_OK) {
        access_keep(&a, arena);
        *out = a;
    }
    jws_clear(&j);
    return why;
}

/* ---- introspection */

static enum reason
answer_judge(const struct access_policy *p, const struct json *answer, int64_t now_s,
             struct access *a)
{
    bool active = false;
    enum reason why;

    if (!json_is_object(answer) || !json_bool(json_get(answer, "active"), &active))
        return REASON_TOKEN_MALFORMED;
    if (!active)
        return REASON_TOKEN_INACTIVE;
    if ((why = claims_read(answer, a)) != REASON_OK)
        return why;
    if (!text_is_empty(a->issuer) && !text_equals(a->issuer, p->issuer))
        return REASON_TOKEN_UNTRUSTED;
    /* RFC 7662 section 2.2: exp may be missing; "active" was said just now. */
    if (json_get(answer, "exp") != NULL &&
        (why = end_judge(answer, now_s, &a->exp_s)) != REASON_OK)
        return why;
    if ((why = times_judge(answer, now_s)) != REASON_OK)
        return why;
    if (!names_audience(json_get(answer, "aud"), p->audience))
        return REASON_TOKEN_AUDIENCE;
    a->issuer = p->issuer;
    return REASON_OK;
}

enum reason
access_from_introspection(const struct access_policy *p, struct text json,
                          int64_t now_s, struct arena *arena, struct access *out)
{
    struct json *answer = json_parse(json, INTROSPECTION_MAX);
    struct access a = { .exp_s = 0 };
    enum reason why = answer_judge(p, answer, now_s, &a);

    memset(out, 0, sizeof *out);
    if (why == REASON_OK) {
        access_keep(&a, arena);
        *out = a;
    }
    json_free(answer);
    return why;
}

bool
access_has_scope(const struct access *a, struct text word)
{
    struct text rest = a->scope, one;

    while (text_split(&rest, ' ', &one))
        if (text_equals(one, word))
            return true;
    return false;
}

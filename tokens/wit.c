/* The workload identity token (draft-ietf-wimse-workload-creds): every check a gate
 * makes of it, in the order that lets a stranger learn and cost us the least. */
#include "tokens/wit.h"

#include "tokens/anchors.h"
#include "tokens/identifier.h"

#include <string.h>

static enum reason
subject_read(struct wit *w, struct text *domain)
{
    struct identifier id;

    if (!json_string(json_get(w->jws.claims, "sub"), &w->subject) ||
        !identifier_parse(w->subject, &id))
        return REASON_TOKEN_MALFORMED;
    *domain = id.domain;
    return REASON_OK;
}

/* The trust domain in sub chooses the keys: a key of another domain cannot speak for
 * it. */
static enum reason
signature_judge(const struct verifier *v, const struct wit *w, struct text domain,
                const struct anchor **anchor)
{
    const struct public_key *key = anchors_find(v->anchors, domain, w->jws.kid, anchor);

    if (key == NULL)
        return REASON_TOKEN_UNTRUSTED;
    if (public_key_kind(key) != key_algorithm_kind(w->jws.alg))
        return REASON_TOKEN_ALGORITHM;
    return jws_verify(&w->jws, key) ? REASON_OK : REASON_TOKEN_SIGNATURE;
}

static enum reason
times_judge(const struct verifier *v, const struct json *claims, int64_t now_s)
{
    static const char *const begins[] = { "iat", "nbf" };
    int64_t at;

    if (claim_time(claims, "exp", &at) != CLAIM_GOOD)
        return REASON_TOKEN_MALFORMED;
    if (now_s >= at + v->skew_s)
        return REASON_TOKEN_EXPIRED;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        switch (claim_time(claims, begins[i], &at)) {
        case CLAIM_BAD:
            return REASON_TOKEN_MALFORMED;
        case CLAIM_GOOD:
            if (at > now_s + v->skew_s)
                return REASON_TOKEN_NOT_YET;
            break;
        case CLAIM_ABSENT:
            break;
        }
    }
    return REASON_OK;
}

static enum reason
names_judge(const struct wit *w, const struct anchor *anchor)
{
    const struct json *iss = json_get(w->jws.claims, "iss");
    struct text issuer;

    if (iss != NULL && !json_string(iss, &issuer))
        return REASON_TOKEN_MALFORMED;
    if (iss != NULL && !anchor_takes_issuer(anchor, issuer))
        return REASON_TOKEN_UNTRUSTED;
    /* RFC 7519 4.1.3: an audience must be looked for; an identity token has none. */
    if (json_get(w->jws.claims, "aud") != NULL)
        return REASON_TOKEN_MALFORMED;
    return anchor_takes_subject(anchor, w->subject) ? REASON_OK : REASON_TOKEN_SUBJECT;
}

/* cnf.jwk, with its alg: mandatory, since the proof's alg is compared with it. */
static enum reason
holder_read(struct wit *w)
{
    const struct json *jwk = json_get(json_get(w->jws.claims, "cnf"), "jwk");

    w->holder = jwk_import(jwk, &w->holder_alg);
    if (w->holder == NULL || text_is_empty(w->holder_alg) ||
        !jwk_thumbprint(jwk, w->thumbprint))
        return REASON_TOKEN_MALFORMED;
    return REASON_OK;
}

enum reason
wit_verify(const struct verifier *v, struct text compact, int64_t now_s,
           struct wit *out)
{
    const struct anchor *anchor = NULL;
    enum jws_fault fault;
    struct text domain;
    enum reason why;

    memset(out, 0, sizeof *out);
    if ((fault = jws_parse(compact, &out->jws)) != JWS_FINE)
        return fault == JWS_ALGORITHM ? REASON_TOKEN_ALGORITHM : REASON_TOKEN_MALFORMED;
    if ((why = subject_read(out, &domain)) != REASON_OK ||
        (why = signature_judge(v, out, domain, &anchor)) != REASON_OK)
        return why;
    /* RFC 8725 3.11: a token of another kind, signed by the same key, is not this one.
     */
    if (!jws_typ_is(&out->jws, "wit+jwt"))
        return REASON_TOKEN_TYPE;
    if ((why = times_judge(v, out->jws.claims, now_s)) != REASON_OK ||
        (why = names_judge(out, anchor)) != REASON_OK)
        return why;
    return holder_read(out);
}

void
wit_clear(struct wit *w)
{
    public_key_free(w->holder);
    jws_clear(&w->jws);
    memset(w, 0, sizeof *w);
}

/* What is not known is not there. */
static bool
read_where(const struct json *ctx, struct context *out)
{
    const struct json *pod = json_get(ctx, "pod"),
                      *container = json_get(ctx, "container");

    out->pod = out->container = text_of(NULL, 0);
    return (pod == NULL || json_string(pod, &out->pod)) &&
           (container == NULL || json_string(container, &out->container));
}

enum reason
wit_context(const struct wit *w, struct context *out)
{
    const struct json *ctx = json_get(w->jws.claims, CLAIM_CONTEXT);
    const struct {
        const char *name;
        struct text *to;
    } members[] = {
        { "grant", &out->grant },
        { "owner", &out->owner },
        { "purpose", &out->purpose },
        { "task", &out->task },
    };

    out->workload = w->subject;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!json_string(json_get(ctx, members[i].name), members[i].to))
            return REASON_CONTEXT_MISSING;
    }
    return read_where(ctx, out) ? context_check(out) : REASON_CONTEXT_REFUSED;
}

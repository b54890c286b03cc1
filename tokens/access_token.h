/* Access tokens at a gate: JWTs by the keys of their issuer (RFC 9068), or what the
 * issuer says of any token when it is asked (RFC 7662). Neither says that who shows the
 * token may: that is a proof's to say, or the connection's, by what it is bound to. */
#ifndef TOKENS_ACCESS_TOKEN_H
#define TOKENS_ACCESS_TOKEN_H

#include "base/arena.h"
#include "base/reason.h"
#include "tokens/jwks.h"

enum { ACCESS_SKEW_S = 5 };

struct access_policy {
    struct text issuer, audience;
    const struct jwks *jwks; /* of the issuer, at the moment; access_from_introspection
                                wants none */
    unsigned algs;           /* JWS_ALGS */
};

/* What a token was found to say. Texts live in the arena given; those of claims that
 * are not there are empty. */
struct access {
    struct text issuer, subject, client_id, jti;
    struct text scope; /* words between spaces */
    struct text jkt;   /* cnf: the thumbprint of the key it is bound to … */
    struct text x5t;   /* … of the certificate */
    int64_t exp_s;     /* 0: what the issuer was asked, and did not say */
};

/* Who is said to have issued this token, before anything of it is believed: to choose
 * the policy by. Empty: it is no JWT of an access token's form, so that only
 * introspection can tell. */
struct text access_token_issuer(struct text compact, struct arena *arena);

/* REASON_OK or a TOKEN_* reason; REASON_TOKEN_KEY_UNKNOWN alone may be another after
 * the keys were fetched anew. */
MUST_USE enum reason access_token_verify(const struct access_policy *p,
                                         struct text compact, int64_t now_s,
                                         struct arena *arena, struct access *out);
/* json: the issuer's answer. REASON_TOKEN_INACTIVE when it says so; when it names an
 * issuer, that has to be the policy's, and it has to name the audience. */
MUST_USE enum reason access_from_introspection(const struct access_policy *p,
                                               struct text json, int64_t now_s,
                                               struct arena *arena, struct access *out);

/* All words of a space-separated scope are looked for; is this one of them? */
bool access_has_scope(const struct access *a, struct text word);

#endif

/* An outpost: from where Holdfast asks authorization servers, as one generation says.
 * Whatever was begun from it ends from it, though another generation is in force by
 * then. Counted; main's. */
#ifndef PROXY_OUTPOST_H
#define PROXY_OUTPOST_H

#include "proxy/errand.h"
#include "proxy/generation.h"
#include "tokens/oauth.h"
#include "tokens/vault.h"

struct outpost {
    unsigned references;
    struct generation *generation; /* references … */
    struct vault *vault;           /* … to both; NULL: no file was read yet */
    struct resolver *resolver;     /* it begins with the first request */
    struct loop *loop;
};

/* One reference is the caller's. */
struct outpost *outpost_new(struct loop *loop, struct generation *g, struct vault *v);
void outpost_ref(struct outpost *o);
void outpost_unref(struct outpost *o); /* NULL is fine */

struct resolver *outpost_resolver(struct outpost *o);

/* What became of an errand that is over, in words for those who wait for it:
 * REASON_OK, an answer is here; REASON_AS_UNREACHABLE, _AS_TIMEOUT, _AS_MALFORMED. */
enum reason outpost_why(const struct errand *e);

/* One request to an authorization server. A zeroed one is none. */
struct plea {
    struct outpost *at; /* a reference */
    struct pair *pair;  /* likewise; NULL: no certificate is shown */
    struct errand *errand;
    struct text nonce; /* of the proof in it; empty: there is none. In `memory` */
    struct arena *memory;
};

struct plea_terms {
    const struct conf_credential *credential; /* of the outpost's generation */
    struct text revokes;  /* this token is to be revoked; empty: one is asked for */
    enum token_form form; /* … in this form, … */
    struct text details;  /* … with these authorization_details … */
    struct text refresh;  /* … and this refresh token, not the file's; empty: none */
    struct dpop_signer *signer; /* adds a proof of possession; NULL: none */
    int64_t timeout_ms;
    bool is_retry;
};

/* Begins; the bell rings when it is over (errand.h). Nothing has begun when it fails:
 * REASON_CREDENTIAL_UNAVAILABLE, a file that it needs cannot be used; REASON_SIGN. */
MUST_USE enum reason plea_begin(struct plea *p, struct outpost *from,
                                const struct plea_terms *t, struct wake *bell);
/* Over or not; wiped. */
void plea_end(struct plea *p);
enum reason plea_why(const struct plea *p);
/* The answer. */
struct oauth_reply plea_reply(const struct plea *p);

/* "https://host[:port]" of this URL, as proofs name it. */
struct text origin_of(const struct url *u, struct arena *arena);

#endif

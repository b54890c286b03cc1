/* DPoP (RFC 9449 section 4.3), the verifier's side: that who shows an access token
 * holds the key it is bound to, and made this proof for this request, just now, once. A
 * proof says nothing of query, fields and body: another query under the same proof is
 * taken, if it is the first. */
#ifndef TOKENS_DPOP_VERIFY_H
#define TOKENS_DPOP_VERIFY_H

#include "tokens/binding.h"
#include "tokens/jws.h"
#include "tokens/nonces.h"

enum { DPOP_BACK_S = 60, DPOP_AHEAD_S = 5 };

struct dpop_policy {
    const char *const *origins; /* as in struct verifier */
    size_t n_origins;
    struct replay_cache *replays;
    const struct nonces *nonces; /* NULL: none is demanded */
    unsigned algs;               /* JWS_ALGS of proofs */
};

struct dpop_facts {
    struct text proof_id;
    struct text thumbprint; /* told also of a proof that is refused for its nonce: the
                               next is for this key */
    bool nonce_aged;        /* the answer should bring another */
};

/* The request asks to be judged by DPoP: it has the field, or the scheme. */
bool dpop_is_tried(const struct headers *h);
/* The access token and its proof, on loan from the headers. REASON_TOKEN_MISSING,
 * REASON_TOKEN_REPEATED; REASON_TOKEN_BEARER: a proof beside a token that is not shown
 * as bound; REASON_PROOF_MISSING, REASON_PROOF_REPEATED. */
MUST_USE enum reason dpop_find(const struct headers *h, struct text *token,
                               struct text *proof);

/* The proof in the request's fields, against the request as received (path canonical)
 * and jkt, the thumbprint that the token, once verified, is bound to. Each failure has
 * its own reason; what is remembered of the proof is entered last, so one that is
 * refused for another reason is not used up. */
MUST_USE enum reason dpop_verify(const struct dpop_policy *p, const struct headers *h,
                                 const struct presented *received, struct text jkt,
                                 int64_t now_s, struct arena *arena,
                                 struct dpop_facts *out);

/* What the client is told in WWW-Authenticate: "invalid_token", "invalid_dpop_proof",
 * "use_dpop_nonce", "insufficient_scope"; NULL: it is no fault of token or proof. */
const char *dpop_error(enum reason why);

/* Removes both fields. */
void dpop_strip(struct headers *h);

#endif

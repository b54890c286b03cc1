/* DPoP (RFC 9449), the maker's side: a key for one task and credential, and proofs by
 * it, each for one request. What a verifier does is in dpop_verify.h. */
#ifndef TOKENS_DPOP_H
#define TOKENS_DPOP_H

#include "base/arena.h"
#include "base/reason.h"
#include "base/text.h"

#include <stdint.h>

enum {
    DPOP_THUMBPRINT_SIZE = 43, /* RFC 7638: cnf.jkt */
    DPOP_ATH_SIZE = 43,
    DPOP_NONCE_MAX = 1024
};

/* A P-256 key, and everything that is constant in its proofs. Immutable and counted, so
 * any thread; wiped when the last who shares it lets go. */
struct dpop_key;

struct dpop_key *dpop_key_new(void); /* NULL, logged, when it cannot be made */
struct dpop_key *dpop_key_ref(struct dpop_key *k); /* k itself */
void dpop_key_unref(struct dpop_key *k);           /* NULL is fine */
struct text dpop_key_thumbprint(const struct dpop_key *k);

/* Signs with the key on one thread, and remembers the newest nonce of each server it
 * speaks to (of eight origins; the one not used for longest is forgotten). NULL,
 * logged, when it cannot be made. Keeps a reference. */
struct dpop_signer;
struct dpop_signer *dpop_signer_new(struct dpop_key *k);
void dpop_signer_free(struct dpop_signer *s); /* NULL is fine */
const struct dpop_key *dpop_signer_key(const struct dpop_signer *s);

/* base64url(SHA-256(token)): what a proof says of the access token beside it. */
void dpop_ath(struct text access_token, char out[DPOP_ATH_SIZE]);

struct dpop_ask {
    struct text method;
    struct text origin; /* "https://host[:port]", lower case, no :443 */
    struct text path;   /* canonical, as it will be sent; without the query */
    struct text ath;    /* of the access token beside the proof; empty: there is none */
    int64_t now_s;
};

/* A new proof for this request: with an id of its own, and the newest nonce of the
 * origin if it gave one. Both texts live in the arena. REASON_SIGN, and both empty. */
MUST_USE enum reason dpop_prove(struct dpop_signer *s, const struct dpop_ask *ask,
                                struct arena *arena, struct text *proof,
                                struct text *jti);

/* A DPoP-Nonce that the origin gave, with whatever answer. What is no nonce (another
 * byte than NQCHAR, or longer than DPOP_NONCE_MAX) is not learned. True: it is another
 * than the last, so that a request refused for its nonce is worth asking again. */
bool dpop_learn(struct dpop_signer *s, struct text origin, struct text nonce);
/* The newest nonce of the origin, on loan until the next is learned; empty: none. */
struct text dpop_nonce(struct dpop_signer *s, struct text origin);

/* The value of a WWW-Authenticate field holds a DPoP challenge whose error is
 * use_dpop_nonce. */
bool dpop_challenges(struct text www_authenticate);

#endif

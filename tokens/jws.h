/* JOSE, the small core we need: compact JWS (RFC 7515), JWK import (RFC 7517, 7518,
 * 8037), thumbprints (RFC 7638). Strict: what a stricter reader would refuse, we
 * refuse. */
#ifndef TOKENS_JWS_H
#define TOKENS_JWS_H

#include "base/buf.h"
#include "base/json.h"
#include "base/reason.h"
#include "certs/key.h"

enum { JWS_MAX = 16 * 1024, THUMBPRINT_SIZE = 43 };

/* A set of enum key_algorithm: which of them a reader takes. KEY_EDDSA is "EdDSA" and
 * its fully specified name "Ed25519" (RFC 9864). */
#define JWS_ALGS(alg) (1u << (alg))
/* Of workloads' tokens and proofs. */
#define JWS_ALGS_WORKLOAD (JWS_ALGS(KEY_ES256) | JWS_ALGS(KEY_EDDSA))
#define JWS_ALGS_ALL      (JWS_ALGS(KEY_PS512 + 1) - 1)

struct jws {
    struct json *header; /* owned: jws_clear frees both */
    struct json *claims;
    enum key_algorithm alg;
    struct text alg_word;    /* as written, in the header's memory */
    struct text typ, kid;    /* empty when absent */
    struct text signed_part; /* header '.' payload, on loan from the input */
    size_t signature_n;
    unsigned char signature[KEY_SIGNATURE_MAX];
};

enum jws_fault {
    JWS_FINE = 0,
    JWS_MALFORMED,
    JWS_ALGORITHM /* well-formed so far, but alg is none that is taken (none, HS256 …)
                   */
};

/* Splits and decodes; checks everything but the signature: three parts, strict
 * base64url, JSON objects without duplicate names, alg one of `algs`, no crit, no b64,
 * as many bytes of signature as the algorithm has (of RSA, as the shortest key has at
 * least). Any fault leaves *out zeroed. */
MUST_USE enum jws_fault jws_parse_among(struct text compact, unsigned algs,
                                        struct jws *out);
/* … of JWS_ALGS_WORKLOAD. */
MUST_USE enum jws_fault jws_parse(struct text compact, struct jws *out);
/* The same for a payload that need not be JSON: it is not decoded, and out->claims
 * stays NULL. */
MUST_USE enum jws_fault jws_parse_envelope(struct text compact, unsigned algs,
                                           struct jws *out);
MUST_USE bool jws_verify(const struct jws *j, const struct public_key *k);
void jws_clear(struct jws *j);

/* RFC 7515 section 4.1.9: compared without case, "application/" may be left out. */
bool jws_typ_is(const struct jws *j, const char *typ);

/* Appends base64url(header) '.' base64url(claims) '.' signature. header is already
 * base64url (it is constant per key). */
MUST_USE enum reason jws_sign(struct key *k, struct text header_base64url,
                              struct text claims_json, struct buf *out);
/* The same by a key of any kind: alg as the header says it. */
MUST_USE enum reason jws_sign_as(struct key *k, enum key_algorithm alg,
                                 struct text header_base64url, struct text claims_json,
                                 struct buf *out);
/* The same where the claims begin with constant bytes: front is base64url(header) '.'
 * base64url(those bytes, a multiple of three), made once; rest is the JSON behind them.
 */
MUST_USE enum reason jws_sign_on(struct key *k, struct text front, struct text rest,
                                 struct buf *out);

/* The algorithm of this name (RFC 7518, 8037, 9864); false for any that we do not know.
 */
MUST_USE bool jws_alg_find(struct text word, enum key_algorithm *alg);
const char *jws_alg_word(enum key_algorithm alg); /* EdDSA of KEY_EDDSA */
/* What a key of this kind signs with where nobody says: of RSA RS256, which every
 * authorization server knows. */
enum key_algorithm jws_alg_of(enum key_kind kind);

/* A public key from a JWK. Refused: private members, numbers not of their one length,
 * keys that none of `algs` is of, points off the curve, weak RSA keys
 * (public_key_new_rsa), an alg that is not one of `algs` or not this key's, a use or
 * key_ops that is not for verifying. alg_word: the JWK's "alg", in the JWK's memory,
 * empty when absent. NULL when refused. */
struct public_key *jwk_import_among(const struct json *jwk, unsigned algs,
                                    struct text *alg_word);
/* … of JWS_ALGS_WORKLOAD. */
struct public_key *jwk_import(const struct json *jwk, struct text *alg_word);
/* It has a member that belongs to a private or symmetric key. */
bool jwk_is_private(const struct json *jwk);
/* RFC 7638 of a JWK: the members as given. False when it is not a key of a kind that
 * jwk_import_among knows. */
MUST_USE bool jwk_thumbprint(const struct json *jwk, char out[THUMBPRINT_SIZE]);
/* {"alg":"ES256","crv":"P-256","kty":"EC",["kid":…,]"x":…,"y":…}, the members in this
 * order; of RSA e, kty, kid and n, without alg, as it may be used with several. kid may
 * be NULL. */
void jwk_print(const struct key *k, const char *kid, struct buf *out);
void key_thumbprint(const struct key *k, char out[THUMBPRINT_SIZE]);

#endif

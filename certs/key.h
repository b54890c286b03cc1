/* Keys, held behind a handle: others name a key and ask it to sign; its bytes never
 * cross this doorway. The keys we make are P-256, and sign ES256; an operator's may be
 * of another kind. */
#ifndef CERTS_KEY_H
#define CERTS_KEY_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/text.h"

#include <openssl/types.h>

enum {
    KEY_ES256_SIGNATURE_SIZE = 64,
    KEY_COORDINATE_SIZE = 32,
    KEY_RSA_BITS_MIN = 2048,
    KEY_RSA_BITS_MAX = 8192,
    KEY_SIGNATURE_MAX = KEY_RSA_BITS_MAX / 8,
    KEY_PART_MAX = KEY_RSA_BITS_MAX / 8 /* of one number of a public key */
};

enum key_kind { KEY_P256, KEY_ED25519, KEY_P384, KEY_RSA };

/* What is signed how; RFC 7518's words and RFC 9421's are the callers'. */
enum key_algorithm {
    KEY_ES256, /* r||s, 32 bytes each */
    KEY_EDDSA, /* 64 bytes */
    KEY_ES384, /* r||s, 48 bytes each */
    KEY_RS256, /* PKCS #1 v1.5 */
    KEY_RS384,
    KEY_RS512,
    KEY_PS256, /* PSS, the salt as long as the digest */
    KEY_PS384,
    KEY_PS512
};
enum key_kind key_algorithm_kind(enum key_algorithm alg);

/* A private key. One thread signs with it at a time (a signing context is kept inside:
 * PERFORMANCE.md). */
struct key;

struct key *key_new(void); /* a fresh P-256 key; NULL, logged, when it cannot be made */
/* Another handle on the same private key, with a signing context of its own: for
 * another thread. The key is wiped when the last of its handles is freed. NULL, logged,
 * when it cannot be made. */
struct key *key_share(const struct key *k);
/* PEM; must be P-256 and a file of ours alone (secret_read's rule). Logs the detail. */
MUST_USE enum reason key_load(const char *path, struct key **out);
/* The same; one that is not there is made and saved. One that cannot be read is never
 * replaced: whoever trusts it would have to be told. */
MUST_USE enum reason key_keep(const char *path, struct key **out);
MUST_USE enum reason key_save(const struct key *k, const char *path); /* mode 0600 */
/* An operator's key, of any kind; RSA of KEY_RSA_BITS_MIN at least. PEM without
 * passphrase. REASON_FILE_CONTENT, and what is wrong is added to `fault`, as the end of
 * a sentence; nothing is logged. */
MUST_USE enum reason key_from_pem(struct text pem, struct buf *fault, struct key **out);
enum key_kind key_kind_of(const struct key *k);
/* Wipes. Nothing of a key_new stays in memory; of a key_load or key_save, what
 * OpenSSL's PEM code freed may. */
void key_free(struct key *k);

/* ECDSA over SHA-256 of the text, as r||s, 32 bytes each (RFC 7518 section 3.4), by a
 * P-256 key. REASON_SIGN on failure. */
MUST_USE enum reason key_sign(struct key *k, struct text t,
                              unsigned char signature[KEY_ES256_SIGNATURE_SIZE]);

/* The same by any key with an algorithm of its kind; the signature's bytes are
 * appended. REASON_SIGN, also for an algorithm of another kind, and nothing is. */
MUST_USE enum reason key_sign_as(struct key *k, enum key_algorithm alg, struct text t,
                                 struct buf *out);

/* One number of the public half, in bytes; returns how many, 0 when a key of this kind
 * has no such number. x and y at full length, n and e without leading zeros, Ed25519's
 * x as it is encoded. */
enum key_part { KEY_X, KEY_Y, KEY_N, KEY_E };
size_t key_part(const struct key *k, enum key_part part,
                unsigned char out[KEY_PART_MAX]);
/* The public point of a P-256 key, big-endian, full length. */
void key_coordinates(const struct key *k, unsigned char x[KEY_COORDINATE_SIZE],
                     unsigned char y[KEY_COORDINATE_SIZE]);

/* For certs/ and proxy/tls_server.c alone: on loan. */
EVP_PKEY *key_pkey(const struct key *k);

/* For tests: every signature from now on, in the whole process, fails. */
void key_fail_signing(bool fail);
/* … after so many more. */
void key_fail_signing_after(long good);

/* A public key to verify with; any thread. */
struct public_key;

/* x and y (KEY_P256) or x alone (KEY_ED25519), raw 32 bytes each; NULL when the point
 * is not on the curve. */
struct public_key *public_key_new(enum key_kind kind, const unsigned char *x,
                                  const unsigned char *y);
/* P-384: raw 48 bytes each. */
struct public_key *public_key_new_p384(const unsigned char *x, const unsigned char *y);
/* Without leading zeros. NULL also for fewer than KEY_RSA_BITS_MIN bits, more than
 * KEY_RSA_BITS_MAX, an even exponent, 1, or one of more than 8 bytes, and for a modulus
 * with the mark of the ROCA generator (CVE-2017-15361), which can be factored. */
struct public_key *public_key_new_rsa(struct text n, struct text e);
void public_key_free(struct public_key *k);
enum key_kind public_key_kind(const struct public_key *k);
/* Of P-256 and Ed25519. signature: exactly 64 bytes; for P-256 r||s with 0 < r, s < n.
 */
MUST_USE bool public_key_verify(const struct public_key *k, struct text t,
                                const unsigned char *signature, size_t n);
/* Of any kind. False for an algorithm of another kind, and for a signature of any other
 * than its one length. */
MUST_USE bool public_key_verify_as(const struct public_key *k, enum key_algorithm alg,
                                   struct text t, const unsigned char *signature,
                                   size_t n);

#endif

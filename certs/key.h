/* Keys, held behind a handle: others name a key and ask it to sign; its bytes never
 * cross this doorway. ES256 keys (P-256) for what we sign; public keys of P-256 and
 * Ed25519 for what we verify. */
#ifndef CERTS_KEY_H
#define CERTS_KEY_H

#include "base/reason.h"
#include "base/text.h"

#include <openssl/types.h>

enum { KEY_ES256_SIGNATURE_SIZE = 64, KEY_COORDINATE_SIZE = 32 };

enum key_kind { KEY_P256, KEY_ED25519 };

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
/* Wipes. Nothing of a key_new stays in memory; of a key_load or key_save, what
 * OpenSSL's PEM code freed may. */
void key_free(struct key *k);

/* ECDSA over SHA-256 of the text, as r||s, 32 bytes each (RFC 7518 section 3.4).
 * REASON_SIGN on failure. */
MUST_USE enum reason key_sign(struct key *k, struct text t,
                              unsigned char signature[KEY_ES256_SIGNATURE_SIZE]);

/* The public point, big-endian, full length. */
void key_coordinates(const struct key *k, unsigned char x[KEY_COORDINATE_SIZE],
                     unsigned char y[KEY_COORDINATE_SIZE]);

/* For certs/ and proxy/tls_server.c alone: on loan. */
EVP_PKEY *key_pkey(const struct key *k);

/* For tests: every key_sign from now on, in the whole process, fails. */
void key_fail_signing(bool fail);
/* … after so many more. */
void key_fail_signing_after(long good);

/* A public key to verify with; any thread. */
struct public_key;

/* x and y (KEY_P256) or x alone (KEY_ED25519), raw 32 bytes each; NULL when the point
 * is not on the curve. */
struct public_key *public_key_new(enum key_kind kind, const unsigned char *x,
                                  const unsigned char *y);
void public_key_free(struct public_key *k);
enum key_kind public_key_kind(const struct public_key *k);
/* signature: exactly 64 bytes; for P-256 r||s with 0 < r, s < n. */
MUST_USE bool public_key_verify(const struct public_key *k, struct text t,
                                const unsigned char *signature, size_t n);

#endif

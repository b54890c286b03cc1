/* Digests and their base64url spelling (RFC 4648 section 5, no padding), what
 * WebSocket's handshake wants of both, and random bytes: libcrypto's door for all that
 * needs no key.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/reason.h"
#include "base/text.h"

enum { SHA256_SIZE = 32, SHA256_BASE64URL_SIZE = 43 };

void digest_sha256(struct text t, unsigned char out[SHA256_SIZE]);
/* The digest in base64url, 43 characters, no NUL: what wth, ath and thumbprints are
 * made of. */
void digest_sha256_base64url(struct text t, char out[SHA256_BASE64URL_SIZE]);

/* Bytes that come in pieces. digest_end frees it. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *d, struct text t);
void digest_end(struct digest *d, unsigned char out[SHA256_SIZE]);

/* Characters that n bytes need. */
#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3)
/* Writes BASE64URL_SIZE(n) characters, no NUL; returns how many. */
size_t base64url_encode(const unsigned char *bytes, size_t n, char *out);
/* Strict: no padding, no whitespace, no '+' or '/', length mod 4 is not 1, spare bits
 * zero. out holds at least t.n * 3 / 4 bytes. */
MUST_USE bool base64url_decode(struct text t, unsigned char *out, size_t *n);

/* Content digests may be of either (RFC 9530 section 5). */
enum { SHA512_SIZE = 64 };
struct digest512;
struct digest512 *digest512_new(void);
void digest512_add(struct digest512 *d, struct text t);
void digest512_end(struct digest512 *d, unsigned char out[SHA512_SIZE]); /* frees it */

/* For WebSocket's handshake and nothing else: it proves no more there than that the
 * peer has read the question (RFC 6455 section 1.3). */
enum { SHA1_SIZE = 20 };
void digest_sha1(struct text t, unsigned char out[SHA1_SIZE]);

/* Characters that n bytes need in base64 proper, padding included. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)
/* Writes BASE64_SIZE(n) characters, no NUL (RFC 4648 section 4). */
void base64_encode(const unsigned char *bytes, size_t n, char *out);

/* Strict: padded to a whole group, no whitespace, no other alphabet, spare bits zero,
 * so that bytes have one spelling. out holds at least t.n / 4 * 3 bytes. */
MUST_USE bool base64_decode(struct text t, unsigned char *out, size_t *n);

/* From libcrypto, a pool per thread, wiped as it is used and never shared with a forked
 * child; a failure ends the process. */
void random_bytes(void *out, size_t n);

#endif

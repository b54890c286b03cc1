/* A pair: a client certificate with its chain, and the private key that proves it is
 * ours. Promises that the two belong together, that the key is a sound one of a kind
 * that TLS can sign with, and that none of it ever changes: a rotated file makes
 * another pair, and who shows this one goes on showing it. Counted; any thread. */
#ifndef CERTS_PAIR_H
#define CERTS_PAIR_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/text.h"

#include <openssl/types.h>

enum { PAIR_CHAIN_MAX = 16, PAIR_THUMBPRINT_SIZE = 44 };

struct pair;
struct stack_st_X509;

/* chain: PEM, the client's own certificate first, at most PAIR_CHAIN_MAX in all. key:
 * PEM without passphrase: P-256, P-384, Ed25519, or RSA of 2048 to 8192 bits. One
 * reference is the caller's. REASON_FILE_CONTENT, and what is wrong with which of the
 * two is added to `fault`, as the end of a sentence; nothing is logged. One that has
 * expired is made: who shows it asks pair_is_expired. */
MUST_USE enum reason pair_from_pem(struct text chain, struct text key,
                                   struct buf *fault, struct pair **out);
void pair_ref(struct pair *p);
/* The last reference wipes the key. NULL is fine. */
void pair_unref(struct pair *p);

/* x5t#S256 of the certificate (RFC 8705 section 3.1): 43 characters and a NUL. */
const char *pair_thumbprint(const struct pair *p);
/* Valid up to and including this second, since 1970 UTC. */
int64_t pair_expires_s(const struct pair *p);
bool pair_is_expired(const struct pair *p, int64_t now_s);
/* The same certificates, one by one. */
bool pair_equals(const struct pair *a, const struct pair *b);

/* On loan, for proxy/tls_client.c alone. */
X509 *pair_leaf(const struct pair *p);
EVP_PKEY *pair_key(const struct pair *p);
struct stack_st_X509 *pair_chain(const struct pair *p); /* without the leaf */

#endif

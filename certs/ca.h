/* Our certificate authority: made at first start, kept where only we can read it, its
 * certificate published. */
#ifndef CERTS_CA_H
#define CERTS_CA_H

#include "base/reason.h"

#include <openssl/types.h>
#include <stdint.h>

struct ca;

/* Loads keep/ca.key and keep/ca.pem, or makes them (directory mode 0700, key 0600). An
 * expired or mismatching pair is an error that says what to do, never silently
 * replaced. valid_ms: how long a new CA lives. Logs the detail. */
MUST_USE enum reason ca_open(const char *keep, int64_t valid_ms, struct ca **out);
/* Writes ca.pem, bundle.pem (the system's roots and ours), truststore.p12 (the same for
 * Java) and certs/HASH.0 (ca.pem as OpenSSL finds it by name) into the directory, mode
 * 0644, whole or not at all. */
MUST_USE enum reason ca_publish(const struct ca *ca, const char *directory);
void ca_free(struct ca *ca);

/* On loan, for certs/leaf.c. */
X509 *ca_certificate(const struct ca *ca);
EVP_PKEY *ca_signing_key(const struct ca *ca);

#endif

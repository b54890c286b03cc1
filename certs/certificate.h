/* What every certificate we make has, for ca.c and leaf.c: version 3, a random serial,
 * a validity, extensions in the words of openssl's x509v3_config. And what is asked of
 * anybody's. */
#ifndef CERTS_CERTIFICATE_H
#define CERTS_CERTIFICATE_H

#include "base/digest.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 UTC, both ends included (RFC 5280 section 4.1.2.5). */
struct validity {
    int64_t from_s;
    int64_t until_s;
};

/* NULL, with OpenSSL's queue, when it cannot be made. */
X509 *certificate_new(struct validity v);
/* issuer may be x itself. The subject's key must have been set when the value speaks of
 * it. */
bool certificate_extend(X509 *x, X509 *issuer, int nid, const char *value);

bool certificate_validity(const X509 *x, struct validity *v);
/* x5t#S256 (RFC 8705 section 3.1): base64url of the SHA-256 of its DER; no NUL. */
void certificate_thumbprint(const X509 *x, char out[SHA256_BASE64URL_SIZE]);

/* A pem_password_cb that has none to give: OpenSSL's own would ask the terminal, and a
 * sidecar has nobody there. */
int certificate_no_passphrase(char *out, int size, int writing, void *arg);

#endif

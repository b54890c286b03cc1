/* A store of certificates as Java reads it: PKCS #12 (RFC 7292) without keys, without
 * encryption and without a MAC, each certificate marked as one to trust. */
#ifndef CERTS_TRUSTSTORE_H
#define CERTS_TRUSTSTORE_H

#include "base/buf.h"
#include "base/reason.h"

/* Appends one of all certificates of the PEM. The same PEM always gives the same bytes.
 * REASON_INTERNAL: with OpenSSL's queue. */
MUST_USE enum reason truststore_make(struct text pem, struct buf *out);

#endif

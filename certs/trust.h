/* Trust stores: what upstream certificates are verified against, loaded once and shared by (file, mtime, size). */
#ifndef CERTS_TRUST_H
#define CERTS_TRUST_H

#include "base/reason.h"

#include <openssl/types.h>

struct trust;

/* file NULL: the system's roots (/etc/ssl/certs/ca-certificates.crt). The same file, unchanged, gives the same store again, with one
 * more reference. A file without one certificate is REASON_FILE_CONTENT. Logs the detail. Any thread. */
MUST_USE enum reason trust_load(const char *file, struct trust **out);
void trust_unref(struct trust *t);

/* On loan, for proxy/tls.c. */
X509_STORE *trust_store(const struct trust *t);

#endif

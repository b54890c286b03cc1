/* Trust stores: what upstream certificates are verified against, parsed once and shared
 * by all who load the same bytes. Shared by content, not by (file, mtime, size): a root
 * taken out of a file must be out after the next reload even where a copy kept the time
 * and the size. */
#ifndef CERTS_TRUST_H
#define CERTS_TRUST_H

#include "base/reason.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct trust;
struct stack_st_X509; /* OpenSSL's list of certificates */

enum { TRUST_FILE_MAX = 8 * 1024 * 1024 };

/* Where the system's roots stand: /etc/ssl/certs/ca-certificates.crt. */
const char *trust_system_roots(void);
/* For tests: another file in its place; NULL gives it back. Not while others load. */
void trust_set_system_roots(const char *file);

/* file NULL: the system's roots. An unchanged file gives the same store again, with one
 * more reference. A file without one certificate, or with one that cannot be read, is
 * REASON_FILE_CONTENT. Logs the detail. Any thread. */
MUST_USE enum reason trust_load(const char *file, struct trust **out);
struct trust *trust_ref(const struct trust *t); /* the same */
void trust_unref(struct trust *t);
/* How many different stores are held. */
size_t trust_count(void);

/* Would a client that trusts these take this server's leaf, if the time were right?
 * chain: what else it shows; may be NULL. */
bool trust_vouches(const struct trust *t, X509 *leaf, struct stack_st_X509 *chain);

/* On loan, for proxy/tls_client.c. */
X509_STORE *trust_store(const struct trust *t);

#endif

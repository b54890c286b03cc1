/* Whom a client's certificate names, once its chain was verified. Promises one name or
 * none: of two, whoever judges by the one would have been shown the other. */
#ifndef CERTS_CLIENT_IDENTITY_H
#define CERTS_CLIENT_IDENTITY_H

#include "base/text.h"

#include <openssl/types.h>
#include <stdint.h>

struct stack_st_X509;

enum client_name {
    CLIENT_NAME_NONE, /* it names nobody, or cannot be taken for one workload's */
    CLIENT_NAME_URI,  /* as it stands there; not yet judged as an identifier */
    CLIENT_NAME_DNS   /* in lower case */
};

/* Immutable. */
struct client_identity;

/* chain: as it was verified, the leaf first. The name is its one URI SAN; without any,
 * its one DNS SAN. None where there are more; where the certificate is a CA's, or may
 * sign others (X509-SVID section 5.2); and where a CA above it is of another trust
 * domain than the name is. Never NULL. */
struct client_identity *client_identity_read(const struct stack_st_X509 *chain);
void client_identity_free(struct client_identity *c); /* NULL is fine */

enum client_name client_identity_kind(const struct client_identity *c);
struct text client_identity_name(const struct client_identity *c);
/* x5t#S256, 43 characters: what tokens are bound to. */
struct text client_identity_thumbprint(const struct client_identity *c);
/* Valid up to and including this second, since 1970 UTC: as long as all of its chain.
 */
int64_t client_identity_expires_s(const struct client_identity *c);

#endif

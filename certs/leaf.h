/* Leaves: certificates minted for the hosts the workload asks for, kept in a bounded
 * cache. All leaves of a cache share one key. One thread each. */
#ifndef CERTS_LEAF_H
#define CERTS_LEAF_H

#include "base/host.h"
#include "base/reason.h"
#include "certs/ca.h"

struct leaf_cache;

/* At most `room` leaves, the least recently used one making way. The ca outlives the
 * cache. NULL, logged, when the shared key cannot be made. */
struct leaf_cache *leaf_cache_new(struct ca *ca, size_t room);
void leaf_cache_free(struct leaf_cache *c);

/* The leaf for this host (a DNS or IP SAN), minted when it is not there or about to
 * expire. Valid for a day around now, never past the CA; SAN, AKI, SKI, serverAuth,
 * random 128-bit serial, P-256: accepted by curl, Node and Python's VERIFY_X509_STRICT.
 * On loan until the next call. REASON_MINT_LEAF, logged, on failure. */
MUST_USE enum reason leaf_get(struct leaf_cache *c, const struct host *host,
                              X509 **leaf);
/* Set the leaf on the SSL first and this after it: the other way round OpenSSL copies
 * the key, 30 µs each time. With SSL_MODE_NO_AUTO_CHAIN, or it looks for a chain at
 * every handshake. */
EVP_PKEY *leaf_cache_key(const struct leaf_cache *c);
size_t leaf_cache_count(const struct leaf_cache *c);
/* How many were minted so far. */
uint64_t leaf_cache_minted(const struct leaf_cache *c);

/* For tests: minting fails from now on in the whole process. */
void leaf_fail_minting(bool fail);

#endif

/* The lineage of a refresh token: a server may give another with each access token, and
 * take the one before no more (RFC 6749 section 6). The newest is kept in memory, for
 * all tasks together, until the operator writes another into the file. */
#ifndef PROXY_LINEAGE_H
#define PROXY_LINEAGE_H

#include "base/digest.h"
#include "base/list.h"

/* The one to present: `file` is what the credential's file holds. On loan until the
 * next call. */
struct text lineage_newest(struct list *lineages,
                           const unsigned char source[SHA256_SIZE], struct text file);
/* The server gave this one. */
void lineage_take(struct list *lineages, const unsigned char source[SHA256_SIZE],
                  struct text next);
void lineages_clear(struct list *lineages);

#endif

/* The lineage of a refresh token: a server may give another with each access token, and
 * take the one before no more (RFC 6749 section 6). The newest is kept in memory, for
 * all tasks together, until the operator writes another into the file. */
#ifndef PROXY_LINEAGE_H
#define PROXY_LINEAGE_H

#include "base/digest.h"
#include "base/list.h"
#include "conf/conf.h"

/* What names it: the file it begins in, and whom it is for. Credentials that differ in
 * other things, or were another before a reload, share it: none of them may present
 * what another has replaced. */
void lineage_name(const struct conf_source *s, unsigned char out[SHA256_SIZE]);
/* These two ask with refresh tokens of one lineage. */
bool lineage_is_shared(const struct conf_source *a, const struct conf_source *b);

/* The one to present: `file` is what the credential's file holds. On loan until the
 * next call. */
struct text lineage_newest(struct list *lineages, const unsigned char name[SHA256_SIZE],
                           struct text file);
/* The server gave this one. */
void lineage_take(struct list *lineages, const unsigned char name[SHA256_SIZE],
                  struct text next);
void lineages_clear(struct list *lineages);

#endif

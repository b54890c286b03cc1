/* The sources of a config that yield access tokens, and what names their tokens. */
#ifndef PROXY_SOURCES_H
#define PROXY_SOURCES_H

#include "conf/conf.h"

struct sources;

/* The config outlives it. */
struct sources *sources_new(const struct conf *conf);
void sources_free(struct sources *s); /* NULL is fine */

/* oauth_digest of this credential of the config; NULL: it yields no tokens. */
const unsigned char *sources_digest(const struct sources *s,
                                    const struct conf_credential *c);
/* And back; NULL: there is none. */
const struct conf_credential *sources_find(const struct sources *s,
                                           const unsigned char digest[SHA256_SIZE]);

#endif

/* Positions: where in a request a credential can stand, and which fields steer what a
 * service believes of its caller. Names are compared as the most careless server reads
 * them: without case, and with every byte that is no letter or digit taken for one and
 * the same mark ("X_Api.Key" is "x-api-key"). */
#ifndef FILTERS_POSITIONS_H
#define FILTERS_POSITIONS_H

#include "base/text.h"
#include "base/reason.h"

enum position {
    POSITION_PLAIN, /* nothing of the kind */
    POSITION_CREDENTIAL,
    POSITION_COOKIE,  /* a credential that a rule may pass */
    POSITION_SIGNED,  /* part of a signed URL: a rule may pass it */
    POSITION_STEERING /* no credential, but believed: forwarding, method overrides,
                         asserted identities */
};

struct positions;

/* Never NULL. The words given are on loan. */
struct positions *positions_new(void);
void positions_free(struct positions *p);

/* One more header field or query parameter that holds credentials. */
void positions_also_header(struct positions *p, const char *name);
void positions_also_parameter(struct positions *p, const char *name);
/* Not a credential here, though its name looks like one. False when the name is one
 * that is never let through (a header of the table; of parameters any may be kept), or
 * empty. */
MUST_USE bool positions_keep_header(struct positions *p, const char *name);
MUST_USE bool positions_keep_parameter(struct positions *p, const char *name);

/* Once per field: by length and three letters, no pass over the tables. */
enum position positions_header(const struct positions *p, struct text name);
/* name: as it stands in the query, escapes and all. Read decoded once and decoded
 * twice. */
enum position positions_parameter(const struct positions *p, struct text name);

#endif

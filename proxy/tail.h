/* Which lines of the log a follower wants. A line is looked at as text: what a stranger
 * wrote stands escaped in it, so no value can look like another field. */
#ifndef PROXY_TAIL_H
#define PROXY_TAIL_H

#include "base/buf.h"

struct tail {
    bool denied;          /* refused requests and connections alone */
    struct buf grant, to; /* how such a field stands in a line; empty: any */
};

/* grant, host: empty for any. A host may be "name" or "name:port". */
void tail_begin(struct tail *t, bool denied, struct text grant, struct text host);
void tail_end(struct tail *t);
/* line: of JSON, as base/log writes it. */
bool tail_wants(const struct tail *t, struct text line);

#endif

/* A caller as an operator describes it, "uid=1000,door=agent": for `explain --as`. */
#ifndef PROXY_EXPLAIN_AS_H
#define PROXY_EXPLAIN_AS_H

#include "base/arena.h"
#include "tasks/caller.h"

/* All that is written of it is established, and nothing else; it lives in the arena.
 * NULL, or what is wrong with the words. */
const char *explain_read_as(const struct conf *conf, const char *words,
                            struct arena *arena, struct caller *out);

#endif

/* Basic credentials (RFC 7617): what stands behind the word, and its two halves.
 * Decoded as the most careless service does it: either alphabet, and what belongs to
 * neither is skipped, so that nothing passes for something else there. */
#ifndef FILTERS_BASIC_H
#define FILTERS_BASIC_H

#include "base/arena.h"

#include <stdbool.h>

/* A field's value begins with this scheme. */
bool basic_is(struct text value);
/* All of it, as it was before it was encoded. */
struct text basic_decode(struct arena *a, struct text value);
/* At the first colon; false: there is none. */
bool basic_split(struct text plain, struct text *user, struct text *password);

#endif

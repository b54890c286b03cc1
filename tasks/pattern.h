/* Path patterns, as rules write them: a star alone in a segment stands for exactly one
 * segment that is not empty; two stars at the end stand for any tail, the empty one too
 * (so "/v1/orders/" and two stars holds "/v1/orders"); everything else is literal. An
 * encoded slash is part of its segment; whether it may be there at all is the rule's
 * `encoded_slashes`. Matched segment by segment against the canonical path, in time
 * linear in both. */
#ifndef TASKS_PATTERN_H
#define TASKS_PATTERN_H

#include "base/text.h"

enum { PATTERN_SEGMENTS_MAX = 64 };

/* NULL when the pattern may be used, else what is wrong with it, for a config error. */
const char *pattern_fault(struct text pattern);
bool pattern_is_literal(struct text pattern);
/* path: canonical. Only paths that begin with a slash fit a pattern. */
bool pattern_fits(struct text pattern, struct text path);

/* Takes the next segment off the front; false when none is left. Begin behind the first
 * slash. The empty segment behind a last slash counts: "/a/" and "/a" are two paths. */
bool pattern_segment(struct text *rest, struct text *segment);
bool pattern_is_star(struct text segment);
bool pattern_is_tail(struct text segment);
/* Whether a star stands for this segment of a path. */
bool pattern_star_fits(struct text segment);

#endif

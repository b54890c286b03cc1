/* Paths: the one canonical spelling that is judged, sent and signed (STANDARDS.md 1, DESIGN.md 6.5). */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/arena.h"
#include "base/reason.h"
#include "base/text.h"

/* target: origin-form, "/path" or "/path?query" (or "*" alone, which comes back as it is
 * with no query). Both results live in the arena.
 * path: dot segments resolved (RFC 3986 5.2.4), escapes of unreserved characters decoded,
 * hex upper-case; "//" kept.
 * query: what stands behind the first '?', bytes as given; at NULL when there is no '?'.
 * Every printable ASCII byte but '#' may stand in it.
 * Refused with REASON_PATH_MALFORMED, both results empty: bytes outside RFC 3986, a bad
 * escape, %00, an encoded slash or backslash (%2F, %5C), a raw backslash, '#', more ".."
 * than there are segments, and a segment in which a less careful reader finds a dot segment:
 * one who decodes again ("%252e", "..%252f"), or who cuts parameters off first ("..;x"). */
MUST_USE enum reason path_normalise(struct arena *a, struct text target, struct text *path, struct text *query);

#endif

/* Paths: the one canonical spelling that is judged, sent and signed (STANDARDS.md 1, DESIGN.md 6.5). */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/arena.h"
#include "base/reason.h"
#include "base/text.h"

/* target: origin-form, "/path" or "/path?query" (or "*" alone, which comes back as it is with no query).
 * path: dot segments resolved (RFC 3986 5.2.4), escapes of unreserved characters decoded, hex upper-case; "//" kept.
 * query: what stands behind the first '?', bytes as given; at NULL when there is no '?'.
 * Refused with REASON_PATH_MALFORMED: bytes outside RFC 3986, a bad escape, %00, an encoded slash or backslash (%2F, %5C), a raw
 * backslash, "..": more of them than there are segments, '#', and a segment that is "." or ".." only after a second decoding (%252e). */
MUST_USE enum reason path_normalise(struct arena *a, struct text target, struct text *path, struct text *query);

#endif

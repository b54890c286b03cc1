/* Paths: the one canonical spelling that is judged, sent and signed (STANDARDS.md 1,
 * DESIGN.md 6.5). */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/arena.h"
#include "base/reason.h"
#include "base/text.h"

/* target: origin-form, "/path" or "/path?query" (or "*" alone, which comes back as it
 * is with no query). Both results live in the arena. path: dot segments resolved (RFC
 * 3986 5.2.4), escapes of unreserved characters decoded, hex upper-case; "//" kept.
 * query: what stands behind the first '?', bytes as given; at NULL when there is no
 * '?'. Every printable ASCII byte but '#' may stand in it. Refused with
 * REASON_PATH_MALFORMED, both results empty: bytes outside RFC 3986, a bad escape, %00,
 * a backslash in any form, '#', more ".." than there are segments, and a segment in
 * which a less careful reader finds a dot segment: one who takes an encoded slash for
 * one ("..%2f"), decodes again ("%252e", "..%252f"), or cuts parameters off first
 * ("..;x"). Any other encoded slash stays as "%2F", part of its segment. */
MUST_USE enum reason path_normalise(struct arena *a, struct text target,
                                    struct text *path, struct text *query);

/* Canonical at first sight: "/", and nothing in it that path_normalise would have to
 * look at twice. False says nothing. */
bool path_is_plain(struct text path);

/* A normalised path holds "%2F". Who reads that as a slash sees other segments than a
 * rule does: a judgement for policy (npm's scoped packages and GitLab's projects need
 * it). */
bool path_has_encoded_slash(struct text path);

#endif

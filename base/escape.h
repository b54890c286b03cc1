/* Strangers' text made harmless for one line of JSON or of a terminal. Escaped, as
 * \uXXXX: control bytes (C0, DEL, C1), line and paragraph separators, marks that change
 * the direction of writing, and every byte that is not part of valid UTF-8. Quote and
 * backslash get their backslash. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/text.h"

enum { ESCAPE_MAX = 6 };

/* How many bytes at the front of t may stand as they are. */
size_t escape_plain(struct text t);

/* Takes one character off the front of *rest, which is not empty, and writes it in its
 * harmless form. Returns the bytes written: a form is never cut. */
size_t escape_one(struct text *rest, char out[ESCAPE_MAX]);

/* All of t in its harmless form. out has room for ESCAPE_MAX bytes for each of t's.
 * Returns the end of what was written. */
char *escape_copy(struct text t, char *out);

/* Nothing but well-formed UTF-8, by the same strict reader; control bytes may stand in
 * it. */
bool escape_is_utf8(struct text t);

#endif

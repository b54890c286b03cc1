/* handle: a caller's own handle is found before anything else is asked, and one of
 * anybody else is a tripwire: it was copied.
 *
 * Looked for wherever a credential can stand (strip.h): in header fields, alone or
 * behind a scheme or a name, inside Basic, in cookies and in query parameters, escaped
 * up to twice. What is in a path, in a body or encoded in another way is not seen.
 *
 * In a CONNECT too, where it would go no further. Two halves: handle_filter finds it,
 * before any rule is; handle_use_filter refuses one that the rule has no use for, and
 * every one that comes behind the body. Each refusal is alarmed, by a line of its own
 * at warn, without the value. */
#ifndef FILTERS_HANDLE_H
#define FILTERS_HANDLE_H

#include "filters/filter.h"

extern const struct filter handle_filter;
extern const struct filter handle_use_filter;

/* The handle in the request is the caller's own and stands for this credential: under a
 * grant whose tasks are begun by an orchestrator, the handle of the very task that the
 * request is judged to be of. */
bool handle_stands_for(const struct view *v, const char *credential);

#endif

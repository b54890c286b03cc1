/* A request's target, in the form that its method and its place have (RFC 9112 section
 * 3.2). What the names and the path in it mean is for others to say. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/reason.h"
#include "http/message.h"

/* Fills form, scheme, authority and target from the whole target as written, which is
 * not empty; the method stands already. REASON_TARGET. */
MUST_USE enum reason target_read(struct text whole, struct arena *a,
                                 struct request *out);

#endif

/* show: which client certificate the service is shown, when the connection is made that
 * the request will leave on. What it shows stays true of a connection, so the next
 * request rides on it only when it would be shown the same. */
#ifndef FILTERS_SHOW_H
#define FILTERS_SHOW_H

#include "filters/filter.h"

/* As the view's vault has it now, on loan while that is held; NULL: none is shown.
 * REASON_CREDENTIAL_UNAVAILABLE, _CLIENT_CERTIFICATE_EXPIRED. */
MUST_USE enum reason show_find_pair(const struct view *v, struct pair **out);

#endif

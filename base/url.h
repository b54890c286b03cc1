/* The https URL of a service that Holdfast itself asks: an operator's own word, taken
 * apart. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/host.h"
#include "base/reason.h"
#include "base/text.h"

struct url {
    struct authority to;
    struct text path;  /* "/" where none is written */
    struct text query; /* behind the '?'; at NULL: there is none */
};

/* "https://host[:port][/path][?query]": no other scheme, no user, no fragment. Path and
 * query are lent by z; that they are spelt as they are sent is the loader's to see.
 * REASON_TARGET, or authority_parse's, and nothing in out. */
MUST_USE enum reason url_split(const char *z, struct url *out);

#endif

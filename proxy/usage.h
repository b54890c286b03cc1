/* What holdfast --help says, and what it says of one verb. */
#ifndef PROXY_USAGE_H
#define PROXY_USAGE_H

#include <stdio.h>

extern const char holdfast_usage[];

/* The lines of a verb, or of all whose name begins with that word; none: where all of
 * them stand. */
void usage_tell(FILE *to, const char *verb);

#endif

/* One command, tended as a shell would: in our own process group and on our terminal,
 * with our standard descriptors and no other, told every signal that we are told, and
 * gone when we are. */
#ifndef PROXY_TEND_H
#define PROXY_TEND_H

#include "proxy/person.h"

/* Its exit status; 128 and the signal's number when one ended it; 127, 126 as a shell.
 * EXIT_NO_TASK, told: it was not run. */
int tend(const struct person *as, char **command);

#endif

/* What can be asked over the control socket. */
#ifndef PROXY_VERBS_H
#define PROXY_VERBS_H

#include "proxy/verb.h"

/* Their owner is a struct holdfast. */
const struct verb *holdfast_verbs(size_t *n);

#endif

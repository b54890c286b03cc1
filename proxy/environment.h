/* `holdfast env`: what a workload's environment must hold so that its programs go
 * through Holdfast and trust its CA. */
#ifndef PROXY_ENVIRONMENT_H
#define PROXY_ENVIRONMENT_H

#include "proxy/ctl.h"

/* format: "sh", "docker" or "json". uid: whose handles, -1 for the workload's. */
int holdfast_env(const struct ctl *c, long uid, const char *format);

#endif

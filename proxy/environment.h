/* What a workload's environment must hold so that its programs go through Holdfast and
 * trust its CA. */
#ifndef PROXY_ENVIRONMENT_H
#define PROXY_ENVIRONMENT_H

#include "conf/conf.h"
#include "proxy/ctl.h"

struct environment {
    const struct ctl *ctl; /* asked for a port that the kernel has picked */
    const struct conf *conf;
    long uid;               /* whose handles; -1: the workload's */
    struct text credential; /* "id:password" of a task, for the proxy; empty: none */
};
/* Each variable in turn, on loan. Returns an exit code, and has told what went wrong.
 */
typedef void environment_take(void *to, const char *name, struct text value);
int environment_tell(const struct environment *e, environment_take *take, void *to);

/* `holdfast env`. format: "sh", "docker", "k8s" or "json". uid: whose handles, -1 for the
 * workload's. */
int holdfast_env(const struct ctl *c, long uid, const char *format);

#endif

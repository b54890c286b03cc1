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

/* What becomes of a value: which of them a workload can do without, where its kernel
 * leads it to us, and which name a file. */
enum environment_kind {
    ENVIRONMENT_PROXY,
    ENVIRONMENT_FILE,
    ENVIRONMENT_DIRECTORY,
    ENVIRONMENT_OPTIONS
};
/* The i-th, without its value; NULL behind the last. */
const char *environment_name(size_t i, enum environment_kind *kind);

/* `holdfast env`. format: "sh", "docker", "k8s" or "json". uid: whose handles, -1 for
 * the workload's. */
int holdfast_env(const struct ctl *c, long uid, const char *format);

#endif

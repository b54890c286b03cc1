/* The operator's end of the control socket: the verbs that ask a running Holdfast. Each
 * prints what it is told and returns an exit code (run.h). */
#ifndef PROXY_CTL_H
#define PROXY_CTL_H

#include "base/buf.h"

#include <stdbool.h>

/* socket: its path; NULL: the one that `config` names. */
struct ctl {
    const char *config, *socket;
};

/* What a task is begun with; -1, NULL: not said. */
struct ctl_terms {
    const char *grant, *purpose, *ttl;
    int64_t max_requests, uid;
};
/* The question for one. */
void ctl_task_question(struct buf *out, const struct ctl_terms *terms, bool is_lease);

int ctl_task_start(const struct ctl *c, const struct ctl_terms *terms, bool json);
int ctl_task_end(const struct ctl *c, const char *id, bool json);
/* grant: NULL for any. */
int ctl_task_list(const struct ctl *c, const char *grant, bool json);
int ctl_task_show(const struct ctl *c, const char *id, bool json);
/* grant NULL: of all. */
int ctl_task_revoke(const struct ctl *c, const char *grant, bool json);

int ctl_status(const struct ctl *c, bool json);
int ctl_reload(const struct ctl *c, bool wait);
int ctl_drain(const struct ctl *c, bool wait);
/* grant, host: NULL for any. */
int ctl_tail(const struct ctl *c, bool denied, const char *grant, const char *host,
             bool json);

/* One question, one answer: a whole line, in `answer`; what went wrong is told on
 * standard error unless `quiet`. EXIT_OK: there is one. */
int ctl_ask(const struct ctl *c, struct text question, bool quiet, struct buf *answer);

#endif

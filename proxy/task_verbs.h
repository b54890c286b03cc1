/* What an orchestrator asks over the control socket: tasks begun, ended, listed. */
#ifndef PROXY_TASK_VERBS_H
#define PROXY_TASK_VERBS_H

#include "proxy/verb.h"

/* Their owner is a struct holdfast. Each is answered when every worker has obeyed. */
enum reply verb_task_start(void *owner, struct session *s, const struct json *request,
                           struct buf *out);
enum reply verb_task_end(void *owner, struct session *s, const struct json *request,
                         struct buf *out);
enum reply verb_task_revoke(void *owner, struct session *s, const struct json *request,
                            struct buf *out);
enum reply verb_task_list(void *owner, struct session *s, const struct json *request,
                          struct buf *out);

#endif

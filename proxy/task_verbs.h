/* What an orchestrator asks over the control socket: tasks begun, ended, shown,
 * revoked. */
#ifndef PROXY_TASK_VERBS_H
#define PROXY_TASK_VERBS_H

#include "proxy/verb.h"

/* Their owner is a struct holdfast. What changes tasks is answered when every worker
 * has obeyed. A task whose asker has gone before it was told of it is ended; one begun
 * as a "lease" ends with the connection that it was begun on. */
enum reply verb_task_start(void *owner, struct session *s, const struct json *request,
                           struct buf *out);
enum reply verb_task_end(void *owner, struct session *s, const struct json *request,
                         struct buf *out);
enum reply verb_task_list(void *owner, struct session *s, const struct json *request,
                          struct buf *out);
enum reply verb_task_show(void *owner, struct session *s, const struct json *request,
                          struct buf *out);
/* Of one grant, or, with "all", of every one. */
enum reply verb_task_revoke(void *owner, struct session *s, const struct json *request,
                            struct buf *out);

#endif

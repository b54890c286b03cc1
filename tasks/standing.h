/* Standing tasks as a worker keeps them: begun at first need, renewed when their TTL
 * has passed or nearly has, ended when their grant goes. Policy comes from the
 * generation, liveness from here. One thread. */
#ifndef TASKS_STANDING_H
#define TASKS_STANDING_H

#include "tasks/task.h"

struct tasks;

/* The authority outlives the tasks. */
struct tasks *tasks_new(struct authority_key *authority);
/* Ends them all. Keys are wiped when the last exchange has given its task back. */
void tasks_free(struct tasks *t);

/* The live task of this grant, begun or renewed if need be; a reference that the caller
 * gives back with task_unref. A grant of the same name with another owner, purpose, ttl
 * or workload id is another task. Who holds one that was renewed may still use it up.
 * REASON_TASK_ENDED when `conf` is an older one than tasks_keep_only was last given and
 * that has this grant no more; task_new's. */
MUST_USE enum reason tasks_take(struct tasks *t, const struct conf *conf,
                                const struct conf_grant *grant, struct task **out);
/* Signs for a live task that was taken here; NULL for one that is not, or when it
 * cannot be made. */
struct presenter *tasks_presenter(struct tasks *t, const struct task *k);
/* Ends every task whose grant this config no longer has, or has changed. The config
 * stays on loan until the next call or tasks_free. */
void tasks_keep_only(struct tasks *t, const struct conf *conf);
/* Identity tokens that were issued for tasks. */
uint64_t tasks_issued(const struct tasks *t);
/* Those that would be taken again. */
size_t tasks_count(const struct tasks *t);

#endif

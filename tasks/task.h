/* Tasks: one use of a grant, with a start, a deadline and an end. Today all are standing ones: begun at first need, renewed when their TTL has passed,
 * ended when their grant goes. Policy comes from the generation, liveness from here. One thread. */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "base/reason.h"
#include "conf/conf.h"
#include "tokens/binding.h"

struct tasks;
struct task;

/* The authority outlives the tasks. */
struct tasks *tasks_new(struct authority_key *authority);
/* Ends them all: keys wiped. */
void tasks_free(struct tasks *t);

/* The live task of this grant, begun or renewed if need be; a reference that the caller gives back with task_unref. A grant of the same name with another
 * owner, purpose, ttl or workload id is another task. The deadline is monotonic. REASON_GRANT_EXPIRED, REASON_MINT_TOKEN … */
MUST_USE enum reason tasks_take(struct tasks *t, const struct conf *conf, const struct conf_grant *grant,
                                struct task **out);
/* Ends every task whose grant this config no longer has, or has changed. */
void tasks_keep_only(struct tasks *t, const struct conf *conf);

void task_unref(struct task *k);
struct text task_id(const struct task *k);
struct presenter *task_presenter(const struct task *k);
bool task_is_live(const struct task *k);

#endif

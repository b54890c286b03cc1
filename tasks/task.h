/* Tasks: one use of a grant, with a start, a deadline and an end. Today all are
 * standing ones: begun at first need, renewed when their TTL has passed or nearly has,
 * ended when their grant goes. Policy comes from the generation, liveness from here.
 * One thread. */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "base/reason.h"
#include "conf/conf.h"
#include "tokens/binding.h"

struct tasks;
struct task;

/* The authority outlives the tasks. */
struct tasks *tasks_new(struct authority_key *authority);
/* Ends them all. Keys are wiped when the last exchange has given its task back. */
void tasks_free(struct tasks *t);

/* The live task of this grant, begun or renewed if need be; a reference that the caller
 * gives back with task_unref. A grant of the same name with another owner, purpose, ttl
 * or workload id is another task. A standing task acts for the first of its grant's
 * purposes.
 *
 * Its deadline is monotonic and its token expires with it, never past the grant. A task
 * in its last tenth (at least five seconds) is renewed already, so that no token
 * expires on its way; who holds the old one may still use it up. REASON_GRANT_EXPIRED;
 * REASON_TASK_ENDED when `conf` is an older one than tasks_keep_only was last given and
 * that has this grant no more; REASON_MINT_TOKEN, REASON_SIGN. */
MUST_USE enum reason tasks_take(struct tasks *t, const struct conf *conf,
                                const struct conf_grant *grant, struct task **out);
/* Ends every task whose grant this config no longer has, or has changed. The config
 * stays on loan until the next call or tasks_free. */
void tasks_keep_only(struct tasks *t, const struct conf *conf);
/* Identity tokens that were issued for tasks. */
uint64_t tasks_issued(const struct tasks *t);
/* Those that would be taken again. */
size_t tasks_count(const struct tasks *t);

void task_unref(struct task *k);
/* "t-" and 128 random bits in base64url. */
struct text task_id(const struct task *k);
struct presenter *task_presenter(const struct task *k);
/* Not ended, and before its deadline. */
bool task_is_live(const struct task *k);

#endif

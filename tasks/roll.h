/* A worker's roll of tasks: who is live, by grant and caller; whose handle a value is.
 * One thread, allocates nothing to be asked. Changes come by message from the registry.
 */
#ifndef TASKS_ROLL_H
#define TASKS_ROLL_H

#include "base/list.h"
#include "tasks/holding.h"
#include "tasks/task.h"

struct roll;
struct roll *roll_new(void);
/* Entries that exchanges hold live on. */
void roll_free(struct roll *r);

/* Who the pod is, or whose, is not known: that is why tasks of pods are none. */
void roll_await_pod(struct roll *r, bool awaits);

/* A live task as one worker has it. */
struct entry {
    struct task *task;
    struct presenter *presenter; /* made at first need; NULL until then */
    struct list holdings;        /* its access tokens, as this worker has them */
    struct list exchanges;       /* that are its own and not over (proxy/) */
    unsigned references;         /* exchanges, and the roll */
    bool ended;                  /* nothing new is begun under it */
};
/* On loan; NULL, and nothing is begun, for a task that has ended already. */
struct entry *roll_begin(struct roll *r, struct task *k);
/* The entry is off the roll: exchanges that hold it may go on to their end; its handles
 * are remembered as ended (the last 4,096). One reference is the caller's. NULL: it was
 * not there. Asked again while somebody holds the entry, it is found again: a task that
 * drains may be cut. */
struct entry *roll_end(struct roll *r, struct task *k);
/* It has another token, by which it signs from now on. */
void roll_take_token(struct roll *r, const struct task *k);
/* This task's, also of one that has ended and that somebody holds; on loan; NULL. */
struct entry *roll_entry(const struct roll *r, const struct task *k);
void entry_ref(struct entry *e);
/* The last one's frees it, with its presenter and its tokens. */
void entry_unref(struct entry *e);
/* Signs for it on this thread; NULL, logged, when it cannot be made. */
struct presenter *entry_presenter(struct entry *e);

/* The live task under which this grant is used by this caller; the entry is a loan.
 * proven: the task that the client named with its password, or the handle in the
 * request belongs to; NULL: none. One of another grant says nothing here, but must be
 * live. REASON_TASK_REQUIRED: there is none; REASON_CLAIM_MISSING: likewise, since the
 * pod is not known; REASON_TASK_ENDED: `proven` is over;
 * REASON_CALLER_NOT_ALLOWED: `proven` is another caller's; REASON_TASK_AMBIGUOUS:
 * several, and nothing says which.
 *
 * The grant must be of the newest generation this worker has: a task that was begun
 * under a narrower one must not be used under the rules of one before. */
MUST_USE enum reason roll_find(struct roll *r, const struct conf_grant *grant,
                               const struct caller *caller, const struct task *proven,
                               int64_t now_ms, struct entry **out);

/* Is there a live task of this grant that may be used by this caller, as far as he is
 * known? */
bool roll_may_use(const struct roll *r, const struct conf_grant *grant,
                  const struct caller *caller, int64_t now_ms);

/* Of a required task: exactly this value, live or ended (keyed hash, as handles_find).
 */
struct rolled_handle {
    struct text value;
    struct task *task; /* NULL when it ended; a loan */
    const char *credential;
    bool ended;
};
const struct rolled_handle *roll_handle(const struct roll *r, struct text value);
/* There is one to be found, live or ended. */
bool roll_has_handles(const struct roll *r);
/* By Proxy-Authorization's id and password, compared in constant time; a live one, on
 * loan; NULL: no. */
struct task *roll_prove(const struct roll *r, struct text id, struct text password);
size_t roll_count(const struct roll *r); /* live */

#endif

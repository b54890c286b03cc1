/* The registry: all tasks of this process, on main. Who is started, who must end, and
 * whether every worker has obeyed. Knows no socket: what the workers are to be told
 * goes out through `tell`, what they answer comes in by registry_obeyed. */
#ifndef TASKS_REGISTRY_H
#define TASKS_REGISTRY_H

#include "tasks/task.h"

struct registry;

/* A change, for every worker, in the order they are told. Both fields are set where a
 * standing or pod task takes the place of another: to be done in one turn, so that no
 * request finds neither. References are taken by whoever keeps them.
 *
 * A worker answers each change it was told once, by its ticket: when it has done it,
 * and no exchange of `ended` is left. The same ticket may be told again, with less
 * patience: a task that drains is revoked, say. */
struct task_change {
    uint64_t ticket;
    struct task *begun; /* or NULL */
    bool lives;         /* … it had begun, and has another token from now on */
    struct task *ended; /* or NULL */
    enum task_cause cause;
    int64_t drain_ms; /* of `ended`: its running exchanges may finish so long; 0: cut
                         now; -1: as long as they take (a renewed one's) */
};

struct registry_needs {
    struct authority_key *authority; /* NULL: no forward door, no tasks */
    size_t n_workers;                /* one at least */
    /* Their answers come later, never from inside this. */
    void (*tell)(void *owner, const struct task_change *c);
    /* Every worker has obeyed (and it was not about a token): a start may be answered;
     * an end is over, its keys gone as far as workers held them. Once for each ticket:
     * with `ended` and its cause where it had one, else with `begun` and TASK_LIVE.
     * `task` is a loan. */
    void (*done)(void *owner, uint64_t ticket, struct task *task, enum task_cause cause,
                 int64_t took_ms);
    /* registry_on_due is to be called in so many ms, instead of when was said before;
     * -1: not at all. A timer of main's. */
    void (*due)(void *owner, int64_t ms);
    void *owner;
};
struct registry *registry_new(const struct registry_needs *needs);
/* Ends what lives (STOPPED) and lets go of it; tells nobody: the workers are gone. */
void registry_free(struct registry *r);

/* What a reload means for tasks, found out on the builder's thread: which grants are
 * narrower than before, and the tasks that standing and pod grants need anew. `now`:
 * the config in force, NULL at the start. Both must outlive what is prepared.
 * task_new's reasons, but for REASON_GRANT_EXPIRED: such a grant has no task until its
 * time has come. */
struct prepared;
MUST_USE enum reason registry_prepare(struct authority_key *authority,
                                      const struct conf *next, const struct conf *now,
                                      struct prepared **out);
void prepared_free(struct prepared *p); /* NULL is fine */
/* Whose pod it is, where a file says so (conf_awaits_pod): the uid of the pod or of its
 * claim; empty: nobody's, or not known. Tasks of any other end (UNCLAIMED), and what
 * runs is cut; then those of this one begin, and take nothing over. To be said before
 * the config that needs it is adopted, and whenever it changes. */
void registry_name_pod(struct registry *r, struct text uid);
/* A reload has been asked for, and begins to read. What is ended or revoked from now on
 * is not begun again by what it brings. */
void registry_expect(struct registry *r);
/* The config in force from now on, on loan until the next call or registry_free: call
 * it before the workers are told of their generation. Takes `p`, prepared from this
 * config and the one before.
 *
 * Tasks end (WITHDRAWN) whose grant has gone, or allows less than before: it has lost a
 * purpose, has another caller, kind, owner or workload id, a shorter ttl or an earlier
 * end than the task was given, or a rule of it has no equal any more. A wider grant or
 * a renewed approval ends nothing. */
void registry_adopt(struct registry *r, const struct conf *conf, struct prepared *p);

/* Starts one of a grant with task = "required"; terms->grant NULL: there is no such
 * grant. The start is over, and may be answered, when `done` is called with *ticket.
 * *out is a loan. REASON_GRANT_UNKNOWN (also a grant that is not of the config in
 * force), REASON_TASK_NOT_STARTED (it is standing or a pod's), REASON_TOO_MANY_TASKS
 * (those count that are ending) and task_new's. */
MUST_USE enum reason registry_start(struct registry *r, const struct task_terms *terms,
                                    struct task **out, uint64_t *ticket);
/* Ends. `by`: the uid that asked; NULL: nobody did. 0: no such live task. The ticket is
 * done when every worker has obeyed. The grant's `drain` is given to what is finished,
 * expired or spent; all else is cut. */
uint64_t registry_end(struct registry *r, struct text id, enum task_cause cause,
                      const uid_t *by);
/* All live tasks of this grant (NULL: of every grant), and those that still drain; how
 * many. *ticket: of the last (0: none); those that are being cut already are told of
 * again, so that whoever waits for all of them waits for these as well. */
size_t registry_revoke(struct registry *r, const char *grant, const uid_t *by,
                       uint64_t *ticket);
/* A worker saw the budget spent. */
void registry_spent(struct registry *r, struct task *k);
/* cut: exchanges that were. */
void registry_obeyed(struct registry *r, uint64_t ticket, uint64_t cut);
/* The workers are gone: whatever they had not answered yet is done. */
void registry_conclude(struct registry *r);
/* The timer went off: what is over ends, what is to be renewed is.
 *
 * A standing or a pod's task that was ended or revoked is not begun again, until a
 * reload asked for later changes its grant in any way (its ticket, say) or brings it
 * back. One that could not be begun, or whose grant's time has not come, is tried again
 * each second.
 */
void registry_on_due(struct registry *r);

struct task *registry_find(const struct registry *r,
                           struct text id); /* on loan; live */
/* Every live task, the oldest first; stops when `take` returns false. `take` may end
 * the one it was given. */
void registry_walk(const struct registry *r,
                   bool (*take)(void *owner, const struct task *k), void *owner);
size_t registry_count(const struct registry *r); /* live */

#endif

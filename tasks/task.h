/* A task: one use of a grant, with a start, a deadline and an end. Made by main, shared
 * by counting with every worker; what it is never changes, only how much of its budget
 * is left, whether it has ended, and its token, when the wall clock was set. Policy
 * comes from the generation, liveness from here. Its key is made with it, never written
 * down, and wiped when the last who holds it lets go. */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "base/buf.h"
#include "base/reason.h"
#include "conf/conf.h"
#include "tasks/caller.h"
#include "tokens/binding.h"

#include <sys/types.h>

struct task;

/* Of an id: it stands in log lines, claims and keys of tables, and in the ledger as it
 * is: nothing of it has to be escaped. */
enum { TASK_ID_MAX = 47 };

enum task_cause {
    TASK_LIVE,
    TASK_FINISHED,  /* its orchestrator said so */
    TASK_EXPIRED,   /* its deadline has passed */
    TASK_REVOKED,   /* by an operator: the grant's tasks, or all */
    TASK_SPENT,     /* its budget of requests */
    TASK_WITHDRAWN, /* a reload took its grant away, or narrowed it */
    TASK_RENEWED,   /* a standing one, by the next */
    TASK_STOPPED,   /* Holdfast ends */
    TASK_UNCLAIMED  /* its pod or claim is another's now, or nobody's */
};
const char *task_cause_word(enum task_cause cause); /* "finished", … */

/* What a task is begun with. Texts are copied, and nothing of the config is kept. */
struct task_terms {
    const struct conf *conf;
    const struct conf_grant *grant;
    struct text purpose;       /* one of the grant's; empty: its only one */
    int64_t ttl_ms;            /* 0: the grant's; never longer */
    int64_t max_requests;      /* 0: no budget */
    struct conf_caller caller; /* the grant's, or narrower */
    struct text id;  /* a pod's; empty: "t-" and 128 random bits in base64url */
    struct text pod; /* the uid of the pod or claim it is bound to; empty: to none */
    const uid_t *by; /* who asked for it; NULL: Holdfast itself */
};

/* One reference is the caller's. Times are monotonic; the token says the wall clock's,
 * never past the grant's expiry. REASON_GRANT_EXPIRED (or not approved yet),
 * REASON_TASK_PURPOSE (not the grant's, or none of several given), REASON_TASK_TERMS
 * (ttl longer or caller wider than the grant's, an id that is none), REASON_MINT_TOKEN,
 * REASON_SIGN. Main, or the builder. */
MUST_USE enum reason task_new(struct authority_key *authority,
                              const struct task_terms *terms, struct task **out);
void task_ref(struct task *k);
void task_unref(struct task *k); /* NULL is fine */

struct text task_id(const struct task *k);
const char *task_grant(const struct task *k); /* name */
const char *task_purpose(const struct task *k);
const char *task_owner(const struct task *k);
const char *task_approver(const struct task *k);
int task_kind(const struct task *k); /* enum conf_task */
const struct conf_caller *task_caller(const struct task *k);
const char *task_workload(const struct task *k);
int64_t task_deadline_ms(const struct task *k);  /* monotonic */
int64_t task_begun_s(const struct task *k);      /* wall, then */
int64_t task_expires_s(const struct task *k);    /* wall: its token's */
int64_t task_ttl_ms(const struct task *k);       /* as it was given */
int64_t task_max_requests(const struct task *k); /* 0: no budget */
int64_t task_started_by(const struct task *k);   /* uid; -1: Holdfast itself */
/* What a worker's presenters are made from (binding.h): key and token. Every task has
 * them: a reload may give its grant a rule that needs a proof. */
struct identity *task_identity(const struct task *k);

/* Its handles, one for each credential with a secret that its grant's rules use; none
 * for a standing or a pod's task, whose handles are the generation's (handle.h). A
 * shape has room for 95 random bits at least (the checker sees to it), so no two live
 * ones are equal; a value that the operator fixed is nobody's task's: "hf_{32}" then.
 */
struct task_handle {
    struct text value;
    const char *credential, *env;
};
size_t task_handles(const struct task *k, const struct task_handle **out);
/* What a client of this task may say in Proxy-Authorization (Basic, id:password), where
 * the caller alone does not tell which of several tasks asks. 128 random bits. */
struct text task_password(const struct task *k);

/* Not ended, and before its deadline: the clock is asked, so that a late message lets
 * nothing through. */
bool task_is_live(const struct task *k, int64_t now_ms);
enum task_cause task_cause(const struct task *k);

/* Takes one request of its budget. REASON_TASK_BUDGET when none is left. Any thread. */
MUST_USE enum reason task_spend(struct task *k);
/* The request that was taken is over. True: none is left of the budget, and none of it
 * runs: the task is over as well. */
bool task_settle(struct task *k);
/* Counts for its receipt; any thread. */
void task_count(struct task *k, bool allowed);
struct task_counts {
    uint64_t allowed, refused, cut;
    int64_t left; /* of its budget; -1: it has none */
};
void task_counts(const struct task *k, struct task_counts *out);

/* ---- for the registry, which alone begins, renews and ends */

/* Whoever asks from now on finds it ended. The first cause stays. */
void task_end(struct task *k, enum task_cause cause);
/* Who asked for its end, said before it; of one that has ended, nobody. Main's alone,
 * as is what it tells: the uid, or -1 for the clock, a reload, Holdfast's own end. */
void task_note_ender(struct task *k, uid_t by);
int64_t task_ended_by(const struct task *k);
/* Exchanges that a worker cut when it ended. */
void task_count_cut(struct task *k, uint64_t n);
/* Of a standing task: it need not be renewed yet. In its last tenth (at least five
 * seconds) it must, so that no token expires on its way; and whenever the wall clock,
 * which may have been set, makes its token look expired or from the future. One that
 * ends with its grant cannot be. */
bool task_is_fresh(const struct task *k, int64_t now_ms, int64_t now_s);
int64_t task_renew_ms(const struct task *k); /* monotonic; its deadline: never */
/* Its token is from the future, or expires before its deadline. */
bool task_token_is_off(const struct task *k, int64_t now_ms, int64_t now_s);
/* Another token, for the rest of its life and no longer than its grant's (until_s).
 * *before: what it was known by; a worker may use that until it was told, so the
 * reference is kept until then. REASON_GRANT_EXPIRED; identity_reissue's. Main. */
MUST_USE enum reason task_reissue(struct task *k, struct authority_key *authority,
                                  int64_t until_s, struct identity **before);

#endif

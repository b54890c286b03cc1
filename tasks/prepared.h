/* Inside tasks/: what was found out and made for a config before it is in force. */
#ifndef TASKS_PREPARED_H
#define TASKS_PREPARED_H

#include "base/table.h"
#include "tasks/registry.h"
#include "tokens/pod.h"

/* Of one grant of the next config. */
struct prospect {
    struct table_node by_name;
    const struct conf_grant *grant;
    bool same;       /* in every word */
    bool narrower;   /* what runs must end; or it was not there */
    struct text pod; /* where the grant is a pod's: its uid, or its claim's, … */
    struct text id;  /* … and the task's; both empty: not known yet */
    char pod_room[POD_UID_MAX + 1], id_room[TASK_ID_MAX];
    bool is_named_late; /* a file says which pod, which may become another */
    struct task *made;  /* standing and pod grants that are new or changed; or NULL */
};

struct prepared {
    const struct conf *next, *now;
    struct prospect *prospects; /* as next->grants */
    size_t n;
    bool has_one_pod; /* one grant that is a pod's */
    struct table by_name;
};

/* NULL: the next config has no such grant. */
struct prospect *prepared_find(const struct prepared *p, const char *name);
/* From now on the pod is this one; empty: none. REASON_TASK_TERMS: its name is too long
 * for a task's. */
MUST_USE enum reason prospect_name(struct prospect *one, struct text pod, bool alone);
/* A task for this grant, of which nobody starts one. REASON_CLAIM_MISSING: its pod is
 * not known. */
MUST_USE enum reason prospect_begin(struct authority_key *authority,
                                    const struct conf *conf,
                                    const struct prospect *prospect, struct task **out);

#endif

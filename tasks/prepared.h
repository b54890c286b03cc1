/* Inside tasks/: what was found out and made for a config before it is in force. */
#ifndef TASKS_PREPARED_H
#define TASKS_PREPARED_H

#include "base/table.h"
#include "tasks/registry.h"

/* Of one grant of the next config. */
struct prospect {
    struct table_node by_name;
    const struct conf_grant *grant;
    bool same;      /* in every word */
    bool narrower;  /* what runs must end; or it was not there */
    struct text id; /* its task's, where the grant is a pod's */
    char id_room[TASK_ID_MAX];
    struct task *made; /* standing and pod grants that are new or changed; or NULL */
};

struct prepared {
    const struct conf *next, *now;
    struct prospect *prospects; /* as next->grants */
    size_t n;
    struct table by_name;
};

/* NULL: the next config has no such grant. */
struct prospect *prepared_find(const struct prepared *p, const char *name);
/* A task for this grant, of which nobody starts one. */
MUST_USE enum reason prospect_begin(struct authority_key *authority,
                                    const struct conf *conf,
                                    const struct prospect *prospect, struct task **out);

#endif

/* Inside tasks/: the registry's tables, and the two ways they change: a task begins,
 * a task ends. Which ones, and when, is said in registry.c (by those who ask) and
 * upkeep.c (by the clock and by reloads). */
#ifndef TASKS_MEMBERS_H
#define TASKS_MEMBERS_H

#include "base/list.h"
#include "tasks/agenda.h"
#include "tasks/prepared.h"

/* How long a step of the wall clock may go unnoticed, and a vacancy unfilled. */
enum { LOOK_MS = 1000 };

/* All tasks of one grant. */
struct group {
    struct table_node by_name;
    struct list in_groups;
    char *name;
    const struct prospect *prospect; /* in the config in force; NULL: it has gone */
    struct list live, leaving;       /* of members */
    struct list in_vacant;           /* a task that nobody starts should be here */
    bool revoked;                    /* … but must not */
    bool revoked_lately;             /* since the reload that is under way was asked */
};

/* A task that lives, or leaves: told to end, and not every worker has obeyed. */
struct member {
    struct task *task;
    struct group *group;
    struct list in_group, in_all;
    struct list in_off; /* its token is of another time */
    struct table_node by_id;
    struct appointment due;
    struct ticket *ticket; /* of its end */
    bool drains;
};

/* A change that not every worker has obeyed. */
struct ticket {
    struct table_node by_number;
    uint64_t number;
    struct task *begun;      /* a reference, or NULL */
    struct identity *before; /* of `begun`, which lives already; or NULL */
    struct member *ended;    /* or NULL */
    enum task_cause cause;
    int64_t told_ms;
    size_t left; /* answers */
};

struct registry {
    struct registry_needs needs;
    struct prepared *in_force;
    struct table groups, ids, tickets;
    struct list all_groups, vacant, all; /* of live members, the oldest first */
    struct list off;                     /* … whose token is of another time */
    struct agenda agenda;
    char pod[POD_UID_MAX + 1]; /* by which prospects are named late */
    size_t n_leaving;
    uint64_t last_ticket;
    int64_t retry_ms;   /* the vacant are looked at again */
    int64_t reissue_ms; /* likewise those whose token is off */
    int64_t look_ms;    /* … and the wall clock */
    int64_t wall_ms;    /* the wall clock's lead over the other */
    int64_t announced_ms;
};

struct group *group_find(const struct registry *r, const char *name);
struct group *group_get(struct registry *r, const char *name); /* made if need be */
/* Frees it unless it has members, or should have. */
void group_settle(struct registry *r, struct group *g);
/* The grant's tasks are begun by Holdfast itself. */
bool group_is_unstarted(const struct group *g);
/* Whoever ends such a task wants no other in its place. */
void group_note_revoked(struct group *g);
void group_set_vacant(struct registry *r, struct group *g, bool vacant);

struct member *member_find(const struct registry *r, struct text id); /* live */
/* Takes the reference. */
void member_add(struct registry *r, struct group *g, struct task *k);
/* Tells the workers: one begins (NULL: none), one ends (NULL: none). The ticket. */
uint64_t members_change(struct registry *r, struct task *begun, struct member *ended,
                        enum task_cause cause);
/* Tells the workers that it has another token. task_reissue's reasons. */
MUST_USE enum reason member_reissue(struct registry *r, struct member *m);
/* One that drains is cut. */
uint64_t member_cut(struct registry *r, struct member *m, enum task_cause cause);

/* A task in `before`'s place; NULL: in an empty one. */
MUST_USE enum reason group_begin(struct registry *r, struct group *g,
                                 struct member *before);
/* The tasks of pods become those of the pod that is known. */
void members_settle_pods(struct registry *r);

/* Says when there is something to do. */
void registry_announce(struct registry *r);

#endif

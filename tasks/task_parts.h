/* What a task is made of, for task_new.c, which makes it, and task.c, which says what
 * has become of it. What it is stands in it as copies: configs come and go while it
 * lives. What changes are its budget, its counts, its token and whether it has ended,
 * and what a worker reads of these is atomic. */
#ifndef TASKS_TASK_PARTS_H
#define TASKS_TASK_PARTS_H

#include "base/digest.h"
#include "tasks/task.h"

#include <stdalign.h>
#include <stdatomic.h>

enum {
    TASK_NOBODY = -1,
    TASK_RANDOM = 16, /* bytes, of an id and of a password */
    TASK_PASSWORD_SIZE = BASE64URL_SIZE(TASK_RANDOM),
    TASK_CACHE_LINE = 64
};

struct task {
    struct text id;
    char *grant, *purpose, *owner, *approver, *workload, *pod;
    int kind;
    struct conf_caller caller;
    int64_t ttl_ms, max_requests;
    int64_t started_by;                   /* uid, or nobody's */
    int64_t deadline_ms, renew_ms;        /* monotonic */
    int64_t begun_s;                      /* wall */
    int64_t issued_s, renew_s, expires_s; /* … what the token says */
    struct identity *_Atomic identity;    /* main writes, any worker reads */
    struct task_handle *handles;
    size_t n_handles;
    char id_room[TASK_ID_MAX];
    char password[TASK_PASSWORD_SIZE];
    int64_t ended_by; /* likewise; no worker asks */

    /* Written by every worker: apart from what all of them read. */
    alignas(TASK_CACHE_LINE) atomic_uint references;
    atomic_int cause;
    atomic_int_fast64_t left;
    atomic_uint_fast64_t settled; /* of the budget */
    atomic_uint_fast64_t allowed, refused, cut;
};

#endif

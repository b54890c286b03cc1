#include "tasks/task.h"

#include "tasks/task_parts.h"
#include "tasks/demand.h"

#include <stdlib.h>
#include <string.h>

void
task_ref(struct task *k)
{
    atomic_fetch_add(&k->references, 1);
}

static void
free_handles(struct task *k)
{
    for (size_t i = 0; i < k->n_handles; i++) {
        free((void *)(uintptr_t)k->handles[i].value.at);
        free((void *)(uintptr_t)k->handles[i].credential);
        free((void *)(uintptr_t)k->handles[i].env);
    }
    free(k->handles);
}

void
task_unref(struct task *k)
{
    if (k == NULL || atomic_fetch_sub(&k->references, 1) != 1)
        return;
    identity_unref(k->identity);
    free_handles(k);
    free(k->grant);
    free(k->purpose);
    free(k->owner);
    free(k->approver);
    free(k->workload);
    free(k->pod);
    demand_clear(&k->caller);
    explicit_bzero(k->password, sizeof k->password);
    free(k);
}

/* ---- its end */

static const char *const words[] = {
    [TASK_LIVE] = "live",           [TASK_FINISHED] = "finished",
    [TASK_EXPIRED] = "expired",     [TASK_REVOKED] = "revoked",
    [TASK_SPENT] = "spent",         [TASK_WITHDRAWN] = "withdrawn",
    [TASK_RENEWED] = "renewed",     [TASK_STOPPED] = "stopped",
    [TASK_UNCLAIMED] = "unclaimed",
};

const char *
task_cause_word(enum task_cause cause)
{
    return words[cause];
}

void
task_end(struct task *k, enum task_cause cause)
{
    int live = TASK_LIVE;

    (void)atomic_compare_exchange_strong(&k->cause, &live, (int)cause);
}

void
task_note_ender(struct task *k, uid_t by)
{
    if (task_cause(k) == TASK_LIVE)
        k->ended_by = by;
}

bool
task_is_live(const struct task *k, int64_t now_ms)
{
    return task_cause(k) == TASK_LIVE && now_ms < k->deadline_ms;
}

enum task_cause
task_cause(const struct task *k)
{
    return (enum task_cause)atomic_load_explicit(&k->cause, memory_order_acquire);
}

bool
task_is_fresh(const struct task *k, int64_t now_ms, int64_t now_s)
{
    return now_ms < k->renew_ms && now_s < k->renew_s && now_s >= k->issued_s;
}

/* ---- its requests */

enum reason
task_spend(struct task *k)
{
    int_fast64_t left = atomic_load_explicit(&k->left, memory_order_relaxed);

    if (k->max_requests == 0)
        return REASON_OK;
    while (left > 0)
        if (atomic_compare_exchange_weak(&k->left, &left, left - 1))
            return REASON_OK;
    return REASON_TASK_BUDGET;
}

/* Each that was taken is settled once: the last of them is the one that settles as many
 * as there were. */
bool
task_settle(struct task *k)
{
    if (k->max_requests == 0)
        return false;
    return (int64_t)atomic_fetch_add(&k->settled, 1) + 1 == k->max_requests;
}

static void
add(atomic_uint_fast64_t *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

void
task_count(struct task *k, bool allowed)
{
    add(allowed ? &k->allowed : &k->refused, 1);
}

void
task_count_cut(struct task *k, uint64_t n)
{
    add(&k->cut, n);
}

void
task_counts(const struct task *k, struct task_counts *out)
{
    *out = (struct task_counts){ .allowed = atomic_load(&k->allowed),
                                 .refused = atomic_load(&k->refused),
                                 .cut = atomic_load(&k->cut),
                                 .left = atomic_load(&k->left) };
}

/* ---- what it is */

struct text
task_id(const struct task *k)
{
    return k->id;
}

const char *
task_grant(const struct task *k)
{
    return k->grant;
}

const char *
task_purpose(const struct task *k)
{
    return k->purpose;
}

const char *
task_owner(const struct task *k)
{
    return k->owner;
}

const char *
task_approver(const struct task *k)
{
    return k->approver;
}

const char *
task_workload(const struct task *k)
{
    return k->workload;
}

int
task_kind(const struct task *k)
{
    return k->kind;
}

const struct conf_caller *
task_caller(const struct task *k)
{
    return &k->caller;
}

int64_t
task_deadline_ms(const struct task *k)
{
    return k->deadline_ms;
}

int64_t
task_renew_ms(const struct task *k)
{
    return k->renew_ms;
}

int64_t
task_begun_s(const struct task *k)
{
    return k->begun_s;
}

int64_t
task_expires_s(const struct task *k)
{
    return k->expires_s;
}

int64_t
task_ttl_ms(const struct task *k)
{
    return k->ttl_ms;
}

int64_t
task_max_requests(const struct task *k)
{
    return k->max_requests;
}

int64_t
task_started_by(const struct task *k)
{
    return k->started_by;
}

int64_t
task_ended_by(const struct task *k)
{
    return k->ended_by;
}

struct identity *
task_identity(const struct task *k)
{
    return atomic_load_explicit(&k->identity, memory_order_acquire);
}

size_t
task_handles(const struct task *k, const struct task_handle **out)
{
    *out = k->handles;
    return k->n_handles;
}

struct text
task_password(const struct task *k)
{
    return text_of(k->password, sizeof k->password);
}

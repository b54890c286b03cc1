/* Revocation: what a task that has ended must have taken back by the server that gave
 * it (RFC 7009), by errands on main's loop, each tried up to three times. Whoever tells
 * of a task's end is told what came of it. */
#ifndef PROXY_REVOCATION_H
#define PROXY_REVOCATION_H

#include "proxy/outpost.h"
#include "tasks/task.h"

struct ledger;
struct revocation;

/* A task's end that waits to be told of. */
struct parting {
    uint64_t ticket;
    struct task *task;
    enum task_cause cause;
    int64_t took_ms;
};

/* "none": there was nothing to take back, or nobody to ask; "revoked"; "pending": it is
 * told later; "failed:REASON". */
enum { OUTCOME_SIZE = 64 };

struct revocation_needs {
    struct loop *loop;     /* main's */
    struct ledger *ledger; /* is told what came of each token; NULL: none */
    /* Once for each revocation_part. The task is a loan. */
    void (*over)(void *owner, const struct parting *p, const char *outcome);
    /* What was told as pending is over. */
    void (*late)(void *owner, const struct task *k, const char *outcome);
    void *owner;
};
struct revocation *revocation_new(const struct revocation_needs *needs);
void revocation_free(struct revocation *r); /* NULL is fine */

/* This token, which was got from there by this credential, is to be worth nothing. It
 * begins in so many ms. Keeps references. A credential whose server takes nothing back
 * has its tokens end with their time. */
struct revocable {
    struct task *task;
    struct outpost *from;
    const struct conf_credential *credential;
    struct token *token;
    int64_t in_ms;
    bool is_late; /* its task has parted */
};
void revocation_add(struct revocation *r, const struct revocable *what);
/* The task is over, and nothing more will be added for it but what comes late. Its
 * parting is told at once when there is nothing to wait for, else when all is revoked,
 * or after two seconds. */
void revocation_part(struct revocation *r, const struct parting *p);

/* Holdfast ends: what was to begin later begins. Turns the loop's base until nothing is
 * left, or ten seconds have passed, or somebody breaks the loop; then all is told. */
void revocation_finish(struct revocation *r);

struct revocation_figures {
    uint64_t revoked, failed; /* tokens */
    size_t waiting;
};
void revocation_look(const struct revocation *r, struct revocation_figures *out);

#endif

/* The mint: gets the access tokens of tasks from authorization servers, or from
 * programs that tell them, on main's loop. A worker that needs one asks; an order for
 * each task, credential and form asks the server, once at a time, and every worker is
 * told what came of it. What a task was given is revoked when it ends (revocation.h).
 */
#ifndef PROXY_MINT_H
#define PROXY_MINT_H

#include "proxy/generation.h"
#include "tasks/holding.h"
#include "tasks/task.h"

struct helper;
struct ledger;
struct mint;
struct revocation;

struct mint_needs {
    struct loop *loop; /* main's */
    struct revocation *revocation;
    struct helper *helper; /* runs the programs that tell secrets */
    struct ledger *ledger; /* is told of each token before a worker is; NULL: none */
    /* To every worker. The reference in the news is the mint's. */
    void (*tell)(void *owner, struct task *k, const struct token_news *news);
    void *owner;
};
struct mint *mint_new(const struct mint_needs *needs);
/* Nobody is told any more. NULL is fine. */
void mint_free(struct mint *m);

/* This generation is in force, with these secrets (NULL: not read yet): called anew for
 * each change of either. What is asked for by a credential as it was before comes too
 * late, and is revoked, as are tokens that were got by it. */
void mint_follow(struct mint *m, struct generation *g, struct vault *vault);

/* A worker wants this token for that task. */
void mint_want(struct mint *m, struct task *k, const struct token_name *name);
/* The task is over: what it had is revoked, in so many ms from now, and wiped. What is
 * still on its way is revoked when it comes. */
void mint_end(struct mint *m, const struct task *k, int64_t in_ms);
/* Its end is about to be told of: what comes from now on is late. */
void mint_part(struct mint *m, const struct task *k);

struct mint_figures {
    uint64_t minted, failed; /* tokens; tries */
    size_t asking, waiting;  /* orders: a server is being asked; for their turn */
};
void mint_look(const struct mint *m, struct mint_figures *out);

#endif

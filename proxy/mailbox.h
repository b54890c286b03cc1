/* Messages between threads: to a worker, or from a worker to main. Put in under a lock
 * by any thread, taken out on the loop they are for. */
#ifndef PROXY_MAILBOX_H
#define PROXY_MAILBOX_H

#include "proxy/generation.h"
#include "tasks/registry.h"

struct event_base;
struct attest_question;
struct question;

enum message_kind {
    /* to a worker */
    MESSAGE_ADOPT,
    MESSAGE_SECRETS,
    MESSAGE_TASK,
    MESSAGE_TOKEN,
    MESSAGE_OPEN,
    MESSAGE_DRAIN,
    MESSAGE_STOP,
    MESSAGE_DUMP,
    MESSAGE_ANSWERED,
    MESSAGE_WRITTEN,  /* the ledger: doorbell.h */
    MESSAGE_ATTESTED, /* where a caller runs: attest.h */
    /* to main */
    MESSAGE_ADOPTED,
    MESSAGE_OBEYED,
    MESSAGE_SPENT,
    MESSAGE_WANTED,
    MESSAGE_QUESTION,
    MESSAGE_ENDED,
    MESSAGE_CHECKPOINT /* the ledger's, for the witness: outbox.h */
};

struct message {
    enum message_kind kind;
    struct generation *generation; /* MESSAGE_ADOPT, _SECRETS: a reference; _TASK: the
                                      one that is about to be adopted, or NULL … */
    struct vault *vault;           /* … and one to its secrets */
    struct task_change task;       /* MESSAGE_TASK, _SPENT (the task that `ended`):
                                      references to its tasks */
    struct task *holder;           /* MESSAGE_TOKEN, _WANTED: a reference; whose token
                                      it is … */
    struct token_news news;    /* … and what main tells of it, with a reference; or
                                  its name alone, that a worker asks for */
    struct question *question; /* MESSAGE_QUESTION: handed over */
    struct attest_question *attested; /* MESSAGE_ATTESTED: likewise */
    size_t worker;                    /* to main: whose it is */
    uint64_t ticket, n_cut;           /* MESSAGE_OBEYED: a task_change's, and how many
                                         exchanges were cut for it */
};

struct mailbox;
/* on_message runs on the thread of `base`, in the order of posting. */
struct mailbox *mailbox_new(struct event_base *base,
                            void (*on_message)(void *owner, const struct message *m),
                            void *owner);
void mailbox_free(struct mailbox *m);
void mailbox_post(struct mailbox *m, const struct message *message);

#endif

/* Where callers run: what files and directories say of them, read on a thread of its
 * own, which begins with the first question. What cannot be found in time is not
 * established, and so is everything when too many ask. */
#ifndef PROXY_ATTEST_H
#define PROXY_ATTEST_H

#include "tasks/caller.h"

struct attest;
struct mailbox;
struct attest_question;

struct attest *attest_new(void);
/* No question is taken any more, and none that was is answered: before any of those who
 * asked is gone. */
void attest_stop(struct attest *a);
void attest_free(struct attest *a);

/* Of this caller, whose process the descriptor is of (-1: it is not known by one; taken
 * over). The answer is rung as MESSAGE_ATTESTED, with the question, at that mailbox.
 * NULL: nobody can say. asker: attest_asker's. */
struct attest_question *attest_ask(struct attest *a, const struct caller *caller,
                                   int process, struct mailbox *to, void *asker);
/* By the thread that asked: who did; NULL: he does not wait any more. */
void *attest_asker(const struct attest_question *q);
/* Nobody waits any more. The question itself is freed with its message. */
void attest_forget(struct attest_question *q);
/* Once the message has come: a reference for whoever asks; NULL: not established. */
struct cgroup *attest_answer(const struct attest_question *q);
void attest_question_free(struct attest_question *q);

#endif

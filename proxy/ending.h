/* A task on one worker: its exchanges hold it from JUDGE on, and its end is carried out
 * here (DESIGN.md section 8). When main is told that the end was obeyed, no exchange of
 * the task runs, none will begin, no connection and no TLS session of it is kept, and
 * this worker holds no key of it. */
#ifndef PROXY_ENDING_H
#define PROXY_ENDING_H

#include "proxy/exchange.h"
#include "tasks/registry.h"

/* ---- an exchange and its task */

/* Judged: it is of its view's entry from now on, and takes one request of the budget.
 * REASON_TASK_BUDGET. Nothing at a gate. */
MUST_USE enum reason ending_join(struct exchange *x);
/* Judged and refused: where the client has proved whose task it is, that one's receipt
 * counts it, and what is recorded names it. */
void ending_attribute(struct exchange *x);
/* Asked right before anything is sent: REASON_TASK_ENDED. */
MUST_USE enum reason ending_allow(const struct exchange *x);
/* The connection it rode on may wait for the next request. */
bool ending_may_keep(const struct exchange *x);
/* It is over. */
void ending_leave(struct exchange *x);

/* ---- by message from main */

/* Takes over the references in the change, and to `next` (worker.h). Main hears of it
 * at once, or when what may run on has. */
void ending_obey(struct worker *w, const struct task_change *change,
                 struct generation *next);
/* The worker goes, and no exchange of it is left. */
void ending_forget_all(struct worker *w);

#endif

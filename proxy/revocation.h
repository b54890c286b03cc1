/* The doorway of revocation: what a task that ends must have taken back elsewhere. */
#ifndef PROXY_REVOCATION_H
#define PROXY_REVOCATION_H

#include "tasks/task.h"

/* Begun as the task ends, before its workers have obeyed. Main's. */
void revocation_begin(const struct task *k, enum task_cause cause);
/* The word for what has come of it. "none": nothing to take back. */
const char *revocation_outcome(const struct task *k);

#endif

/* The doorway of revocation: what a task that ends must have taken back elsewhere. */
#ifndef PROXY_REVOCATION_H
#define PROXY_REVOCATION_H

#include "tasks/task.h"

/* Begun as the task ends, before its workers have obeyed; returns the word for what
 * came of it. "none": nothing to take back. Main's. */
const char *revocation_begin(const struct task *k, enum task_cause cause);

#endif

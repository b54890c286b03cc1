/* What the control socket said, for a human. Strangers' text in it is escaped once
 * more: it may stand on a terminal. */
#ifndef PROXY_CTL_PRINT_H
#define PROXY_CTL_PRINT_H

#include "base/json.h"

#include <stdio.h>

/* As it is, but for what a terminal would obey. */
void print_text(FILE *to, struct text t);
/* As the short log has it: quoted where it must be, a list with commas. */
void print_value(const struct json *value);

void print_status(const struct json *answer);
void print_reloaded(const struct json *answer, bool waited);
void print_drained(const struct json *answer, bool waited);
void print_task_started(const struct json *answer);
void print_task_ended(const struct json *answer);
void print_tasks(const struct json *answer);
void print_task(const struct json *answer);
void print_revoked(const struct json *answer);
/* To standard error; returns the exit code it stands for. */
int print_failure(const struct json *answer);
/* One line of the log: as it came, or short. */
void print_log_line(struct text line, bool json);

#endif

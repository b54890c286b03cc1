/* A job: work that may block, on a thread of its own; its end is told on the loop. One
 * at a time. */
#ifndef PROXY_JOB_H
#define PROXY_JOB_H

#include <stdbool.h>

struct event_base;
struct job;

/* work runs on the thread, done on that of `base` when it is over. */
struct job *job_new(struct event_base *base, void (*work)(void *owner),
                    void (*done)(void *owner), void *owner);
/* Waits for work that runs; it is not told any more. */
void job_free(struct job *j);
/* Not while it runs. False when no thread can be started. */
bool job_start(struct job *j);
/* From job_start until done is called. */
bool job_runs(const struct job *j);

#endif

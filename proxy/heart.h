/* A worker's heartbeat: once a second its loop says that it turns, how late, and what
 * it holds. A worker whose beat stops is stuck; main sees that without asking it. */
#ifndef PROXY_HEART_H
#define PROXY_HEART_H

#include <stdint.h>

struct worker;
struct heart;

/* Beats at once, then on the worker's loop. Never NULL. */
struct heart *heart_new(struct worker *w);
/* The worker is no more: it is not taken for one that is stuck. */
void heart_free(struct heart *h);

#endif

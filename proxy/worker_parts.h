/* What the files behind worker.h ask of each other. */
#ifndef PROXY_WORKER_PARTS_H
#define PROXY_WORKER_PARTS_H

#include "proxy/worker.h"

static inline const struct conf_limits *
worker_limits(const struct worker *w)
{
    return &generation_conf(w->now->generation)->limits;
}

/* ---- doors */

/* None is open yet. */
void worker_make_doors(struct worker *w);
void worker_open_doors(struct worker *w);
/* The kernel takes no connection for us either: a client hears at once that nobody is
 * here. */
void worker_shut_doors(struct worker *w);
void worker_free_doors(struct worker *w);

#endif

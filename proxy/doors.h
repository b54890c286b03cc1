/* The listening sockets: bound before privileges are dropped, so that a door may have a
 * low port, and a set for each worker, so that the kernel spreads connections over
 * them. */
#ifndef PROXY_DOORS_H
#define PROXY_DOORS_H

#include "proxy/generation.h"

struct bound_door {
    int fd; /* -1: not this worker's to serve */
    struct address address;
    uint16_t port;
};

/* For each worker as many as the config has doors, in their order. An ops door is bound
 * once, in the first worker's set, and served by main. */
struct doors {
    struct bound_door *at;
    size_t n, n_workers;
};

/* REASON_CANNOT_BIND, logged. doors_close in either case. */
MUST_USE enum reason doors_bind(const struct conf *conf, size_t n_workers,
                                struct doors *out);
void doors_close(struct doors *d);
struct bound_door *doors_of_worker(const struct doors *d, size_t worker);
/* A log line for each. */
void doors_tell(const struct doors *d, const struct generation *g);

/* "forward", "gate", "ops" */
const char *door_kind_word(const struct conf_door *door);

#endif

/* The listening sockets: bound before privileges are dropped, so that a door may have a
 * low port, and a set for each worker, so that the kernel spreads connections over
 * them. A unix door has one socket, which all workers wait at: whoever is free takes
 * the next connection. */
#ifndef PROXY_DOORS_H
#define PROXY_DOORS_H

#include "proxy/generation.h"
#include "proxy/unix_socket.h"

struct bound_door {
    int fd;                 /* -1: not this worker's to serve */
    int datagrams;          /* of a dns door, on the same port; -1 elsewhere */
    struct address address; /* of a unix door none */
    uint16_t port;
    const char *path; /* of a unix door; NULL */
};

/* For each worker as many as the config has doors, in their order. An ops door is bound
 * once, in the first worker's set, and served by main. */
struct doors {
    struct bound_door *at;
    size_t n, n_workers;
    struct unix_socket *sockets; /* as many, of unix doors */
};

/* REASON_CANNOT_BIND, logged. doors_close in either case. */
MUST_USE enum reason doors_bind(const struct conf *conf, size_t n_workers,
                                struct doors *out);
/* Unix doors: as root their directories are made; as who will serve, after doors_bind,
 * they are opened; then, as root again, given to their groups. Whatever fails is
 * logged. */
MUST_USE enum reason doors_prepare(const struct conf *conf, const struct identity *who);
MUST_USE enum reason doors_stand(const struct conf *conf, struct doors *d);
MUST_USE enum reason doors_give(const struct conf *conf, const struct doors *d);
/* A unix door's group by its name or number; false: there is none. */
MUST_USE bool door_group(const struct conf_door *door, gid_t *out);
void doors_close(struct doors *d);
struct bound_door *doors_of_worker(const struct doors *d, size_t worker);
/* "127.0.0.1:15001", "[::1]:15001", or the path: DOOR_PRINT_SIZE bytes will hold it. */
enum { DOOR_PRINT_SIZE = 128 };
char *door_print(const struct bound_door *door, char out[DOOR_PRINT_SIZE]);
/* A log line for each. */
void doors_tell(const struct doors *d, const struct generation *g);

/* "forward", "gate", "dns" … */
const char *door_kind_word(const struct conf_door *door);

#endif

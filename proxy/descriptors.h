/* Descriptors are one store for the whole process. So that they cannot run out for
 * those who must go on (probes, the control socket, the reading of a new config,
 * look-ups), the last of them are kept back: a worker lets go of a fresh socket that
 * was one of them. The kernel gives out the lowest number that is free, so a high
 * number says how many are taken, without counting and without a lock. */
#ifndef PROXY_DESCRIPTORS_H
#define PROXY_DESCRIPTORS_H

#include "conf/conf.h"

/* Raises our limit to what so many workers need, as far as the hard limit lets us, and
 * says so when that is less. REASON_PRIVILEGES. Main's. */
MUST_USE enum reason descriptors_raise(const struct conf_limits *limits,
                                       size_t n_workers);

/* A worker may keep this fresh socket: a client's, or one towards an upstream. Clients
 * are turned away earlier, so that those who are in can be served. Any thread; true
 * before descriptors_raise. */
bool descriptors_allow_client(int fd);
bool descriptors_allow_upstream(int fd);

#endif

/* The control socket's place in the file system: made by us alone, mode 0600
 * (unix_socket.h). */
#ifndef PROXY_CONTROL_SOCKET_H
#define PROXY_CONTROL_SOCKET_H

#include "proxy/unix_socket.h"

/* As root, before the identity is assumed: makes its directory, if there is none, and
 * gives it to the identity. */
MUST_USE enum reason control_socket_prepare(const struct identity *who,
                                            const char *path);

/* As who will serve it; as unix_socket_open. */
MUST_USE enum reason control_socket_open(const char *path, struct unix_socket *out);

#endif

/* The control socket's place in the file system: made by us alone, mode 0600, in a
 * directory that nobody else may write to; taken away when we end. */
#ifndef PROXY_CONTROL_SOCKET_H
#define PROXY_CONTROL_SOCKET_H

#include "proxy/privilege.h"

struct control_socket {
    int fd; /* listening; -1: none */
    char *path;
    dev_t device;
    ino_t inode;
};

/* As root, before the identity is assumed: makes its directory, if there is none, and
 * gives it to the identity. */
MUST_USE enum reason control_socket_prepare(const struct identity *who,
                                            const char *path);

/* As who will serve it, while there is one thread (the umask is everybody's). A socket
 * of ours that nobody answers on is replaced. REASON_CANNOT_BIND: somebody answers.
 * REASON_FILE_UNSAFE: another kind of file, or another's, or a directory that others
 * may write to. REASON_CONFIG: no path for a socket. Logs the detail. */
MUST_USE enum reason control_socket_open(const char *path, struct control_socket *out);

/* Removes it, if what stands there is still what we put there. */
void control_socket_close(struct control_socket *s);

#endif

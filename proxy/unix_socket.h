/* A listening unix socket's place in the file system: born with its mode, in a
 * directory that nobody else may write to, where no stranger's file is touched and no
 * link followed; taken away when we end. */
#ifndef PROXY_UNIX_SOCKET_H
#define PROXY_UNIX_SOCKET_H

#include "proxy/privilege.h"

struct unix_socket {
    int fd; /* listening; -1: none */
    char *path;
    dev_t device;
    ino_t inode;
};

struct unix_terms {
    const char *key; /* of the config, for what is told: "control.socket" */
    const char *path;
    mode_t mode;
    int backlog;
};

/* As root, before the identity is assumed: makes its directory, if there is none, with
 * this mode, and gives it to the identity. */
MUST_USE enum reason unix_socket_prepare(const struct identity *who, const char *key,
                                         const char *path, mode_t mode);

/* As who will serve it, while there is one thread (the umask is everybody's). A socket
 * of ours that nobody answers on is replaced. REASON_CANNOT_BIND: somebody answers.
 * REASON_FILE_UNSAFE: another kind of file, or another's, or a directory that others
 * may write to. REASON_CONFIG: no path for a socket. Logs the detail. */
MUST_USE enum reason unix_socket_open(const struct unix_terms *terms,
                                      struct unix_socket *out);
/* To this group: as root, or as one of it. REASON_CANNOT_BIND: it is not to be had. */
MUST_USE enum reason unix_socket_give(const struct unix_socket *s, const char *key,
                                      gid_t group);

/* Removes it, if what stands there is still what we put there. */
void unix_socket_close(struct unix_socket *s);

#endif

#include "proxy/control_socket.h"

static const char key[] = "control.socket";

enum { BACKLOG = 16 };

enum reason
control_socket_prepare(const struct identity *who, const char *path)
{
    return unix_socket_prepare(who, key, path, 0700);
}

enum reason
control_socket_open(const char *path, struct unix_socket *out)
{
    return unix_socket_open(&(struct unix_terms){ key, path, 0600, BACKLOG }, out);
}

/* Asks a connection who answers on it: a blocking client of one question, for verbs of
 * a process of its own. Never more than KNOCK_PATIENCE_MS for one step. */
#ifndef PROXY_KNOCK_H
#define PROXY_KNOCK_H

#include "base/address.h"
#include "base/buf.h"

enum { KNOCK_PATIENCE_MS = 10000, KNOCK_ANSWER_MAX = 8192 };

/* -1 and errno. */
int knock_connect(const struct address *address, uint16_t port);
int knock_connect_unix(const char *path);

/* Connects a socket that does not wait, and is closed where it cannot. ETIMEDOUT: this
 * machine refused nothing within the time; what a network had to say counts as that. */
int knock_begin(int fd, const struct address *address, uint16_t port, int patience_ms);

/* What stands in Host for it: "[2001:db8::1]:443". */
void knock_write_authority(const struct address *address, uint16_t port,
                           struct buf *out);
/* Sends the question and reads an answer's head. Is it Holdfast who speaks? */
bool knock_is_holdfast(int fd, struct text question);
/* The same for an answer that opens a tunnel, and is nothing but its head. */
bool knock_opens_tunnel(int fd, struct text question);
/* Waits until there is something to read, or its end. */
bool knock_wait(int fd, short events, int patience_ms);

#endif

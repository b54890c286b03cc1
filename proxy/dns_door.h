/* A dns door, as one worker has it: questions by UDP and TCP, answered from our own
 * resolver for names that a live grant's rule names, refused for all others. Nothing is
 * asked of anybody about a name that is refused, and no address is handed out that the
 * rule could not dial. On the worker's own thread. */
#ifndef PROXY_DNS_DOOR_H
#define PROXY_DNS_DOOR_H

#include "proxy/worker.h"

struct dns_door;

/* The i-th of the worker's doors begins to answer datagrams; its listener stays the
 * caller's, who hands over what it accepts. */
struct dns_door *dns_door_new(struct worker *w, size_t i);
/* Takes a connection over. */
void dns_door_accept(struct dns_door *d, int fd, const struct sockaddr *peer);
/* No question is read any more. */
void dns_door_shut(struct dns_door *d);
/* What is under way is let go, unanswered. NULL is fine. */
void dns_door_free(struct dns_door *d);

#endif

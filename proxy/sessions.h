/* TLS sessions that services gave us, for a shorter handshake next time. A session was
 * verified for one upstream_key and is offered for no other: not for another task, nor
 * another trust (DESIGN.md G9). One thread; one for each epoch, so that a reload begins
 * with none. */
#ifndef PROXY_SESSIONS_H
#define PROXY_SESSIONS_H

#include "proxy/upstream.h"

struct sessions;

/* At most `room` in all, the longest kept making way, and a few of a key. */
struct sessions *sessions_new(size_t room);
void sessions_free(struct sessions *s);

/* Takes it over. */
void sessions_keep(struct sessions *s, const struct upstream_key *key,
                   struct tls_session *session);
/* The newest of this key that may still be used, now the caller's; NULL: none. Each is
 * handed out once (RFC 8446 appendix C.4: used twice, it tells an onlooker that both
 * connections are one client's). */
struct tls_session *sessions_take(struct sessions *s, const struct upstream_key *key);
/* This task has ended: nothing of it is kept any more. */
void sessions_drop_task(struct sessions *s, struct text task);
size_t sessions_count(const struct sessions *s);

#endif

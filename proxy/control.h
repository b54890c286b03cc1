/* The control socket's server, on main's loop: a line of JSON in, lines of JSON out.
 * Root and our own uid alone are heard. Everything is bounded: connections, the length
 * of a line, what waits to be read, and the time that one may take to ask.
 *
 * What can be asked is a table of verbs (verbs.c). */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "proxy/control_socket.h"
#include "proxy/tail.h"
#include "proxy/verb.h"

enum {
    CONTROL_SESSIONS = 16,
    CONTROL_LEASES = 1024, /* besides: sessions that hold one */
    CONTROL_LINE_MAX = 64 << 10,
    CONTROL_OUT_MAX =
        256 << 10, /* waiting to be read; past it a follower loses lines */
    CONTROL_IDLE_MS = 10000
};

struct event_base;
struct control;

/* Takes over the socket. verbs on loan; owner is handed to them. */
struct control *control_new(struct event_base *base, struct unix_socket *socket,
                            const struct verb *verbs, size_t n_verbs, void *owner);
/* Removes the socket and ends every session. Whoever waits for the end is told that it
 * came. */
void control_free(struct control *c);

/* ---- for verbs */

enum wait { WAIT_NONE, WAIT_RELOAD, WAIT_TASK, WAIT_REVOKED, WAIT_END };

/* After this the verb returns REPLY_LATER; what it has put into `out` stands first in
 * the answer. ticket: what control_answer is called with. */
void session_wait(struct session *s, enum wait what, uint64_t ticket);
/* From now on it is sent the log; takes over the filter. */
void session_follow(struct session *s, struct tail *filter);
/* Answers everyone who waits for this with a ticket of at most this. members: what
 * stands behind "ok", as the json_put_… calls wrote it. */
void control_answer(struct control *c, enum wait what, uint64_t ticket, bool ok,
                    struct text members);

/* The same for those with exactly this ticket; how many there were. */
size_t control_answer_one(struct control *c, enum wait what, uint64_t ticket, bool ok,
                          struct text members);

/* Until the session has been sent its answer, or, as a lease, as long as it is open:
 * when it closes before, `let_go` is called with the control's owner and `what`. One a
 * session; session; only when session_refuses_hold has no sentence against it. */
const char *session_refuses_hold(const struct session *s, bool is_lease);
void session_hold(struct session *s, bool is_lease,
                  void (*let_go)(void *owner, struct text what), struct text what);

/* The uid of whoever asks, as the kernel told it. */
uid_t session_uid(const struct session *s);

/* Who changed what: the log has a line for each mutation. about: a member of it; NULL:
 * none. */
void session_record(const struct session *s, const char *verb, const char *about,
                    struct text what);

#endif

/* One connection to the control socket, for the control socket's own files: control.c
 * accepts it and answers what it waits for; control_session.c reads what it asks and
 * says whose turn it is; control_follow.c sends it the log; control_hold.c keeps what
 * it holds. What verbs may do with one is in control.h. */
#ifndef PROXY_CONTROL_SESSION_H
#define PROXY_CONTROL_SESSION_H

#include "base/list.h"
#include "proxy/control.h"

#include <sys/socket.h>

struct event;

struct control {
    struct event_base *base;
    struct unix_socket socket;
    const struct verb *verbs;
    size_t n_verbs;
    void *owner;
    struct event *acceptable, *rested;
    struct list sessions;
    size_t n, n_leases; /* of them */
    int bell;           /* rung by the log */
    struct event *rung;
    size_t n_following;
};

struct session {
    struct list member;
    struct control *control;
    int fd;
    struct ucred peer;
    struct event *readable, *writable, *deadline;
    struct buf in, out;
    enum wait waits;
    uint64_t ticket;
    bool read_ended;
    bool last; /* goes when what is in `out` is sent */
    bool broken;
    bool follows;
    struct tail filter;
    size_t lost; /* lines, since it was last told */
    struct buf promised;
    struct {
        void (*let_go)(void *owner, struct text what); /* NULL: nothing is held */
        char *what;
        bool is_lease;
    } hold;
};

/* ---- its life */

void session_begin(struct control *c, int fd, const struct ucred *peer);
/* A line of answer, to be sent. */
void session_tell(struct session *s, bool ok, struct text members);
/* What the verb had said already, and then what came of it. */
void session_keep_promise(struct session *s, bool ok, struct text members);
/* As much as goes. */
void session_send(struct session *s);
/* After anything has happened: what can be sent is, and the events are what they should
 * be. The session may be gone after this. */
void session_settle(struct session *s);
void session_free(struct session *s);

/* ---- following the log */

void followers_begin(struct control *c);
/* What was logged since; at the end of Holdfast also by control_free. */
void followers_tell(struct control *c);
/* No session follows any more. */
void followers_end(struct control *c);
/* How many lines it was not sent, once it has read all it was. */
void session_tell_lost(struct session *s);
void session_unfollow(struct session *s);

/* ---- what it holds */

/* It has been told of it: from now on it is whoever was told that must end it. */
void session_hand_over(struct session *s);
void session_let_go(struct session *s);
/* Holdfast's end is that of what is held as well. */
void session_forget_hold(struct session *s);

#endif

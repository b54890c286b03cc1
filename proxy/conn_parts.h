/* What the files behind conn.h ask of each other: conn_original.c says where a client
 * meant to go, conn_sniff.c what came after CONNECT, conn.c serves, conn_end.c is how
 * one ends. */
#ifndef PROXY_CONN_PARTS_H
#define PROXY_CONN_PARTS_H

#include "proxy/conn.h"
#include "proxy/exchange.h"

static inline const struct conf_limits *
conn_limits(const struct conn *c)
{
    return &generation_conf(c->worker->now->generation)->limits;
}

static inline const struct conf_door *
conn_door(const struct conn *c)
{
    return generation_door(c->worker->now->generation, c->door);
}

/* Of one that carries one at a time, and has it. */
static inline struct exchange *
conn_first_exchange(const struct conn *c)
{
    return LIST_OWNER(c->exchanges.next, struct exchange, of_conn);
}

static inline void
conn_set_alarm(struct conn *c, int64_t ms)
{
    alarm_set(c->worker->loop, &c->alarm, ms);
}

/* At a transparent door. own: the socket's own end; from then on what the client means
 * it to be. REASON_NOT_INTERCEPTED: nothing turned the connection round. */
MUST_USE enum reason conn_find_original(struct conn *c, struct sockaddr_storage *own);
/* Its client is a process of Holdfast's own user. */
bool conn_is_our_own(const struct conn *c);
/* TLS begins: what the connection is for is this name, or where nothing is named the
 * original address; at the original port. REASON_LEAF_RATE: no live grant names it, and
 * this caller was told so often enough. */
MUST_USE enum reason conn_settle_original(struct conn *c, const struct host *named);
/* The process at the client's end of this socket, between these addresses. False: it
 * is in CONN_IDENTIFY until more is known. */
bool conn_identify(struct conn *c, int fd, const struct sockaddr *client,
                   const struct sockaddr *server);
bool conn_await_where(struct conn *c);
/* What is not known by now is not established. */
void conn_stop_asking(struct conn *c);
/* It is known who it is: what his door does. */
void conn_begin(struct conn *c);
/* Steps: true while the conn lives on. */
bool conn_sniff(struct conn *c);
bool conn_follow_handshake(struct conn *c);
bool conn_stay(struct conn *c); /* lingering */
/* A turn of one that carries many exchanges. */
bool conn_serve_many(struct conn *c);
/* Its alarm is due: nobody has read what stands to be sent. */
void conn_cut_unread(void *conn);
/* Its alarm is due: a head that never became whole, or nothing was asked. */
void conn_give_up_many(struct conn *c);

void conn_begin_sniffing(struct conn *c);
void conn_begin_handshake(struct conn *c);
/* TLS begins: it is opened, or passes unopened; or too little of it has come to tell. */
void conn_begin_tls(struct conn *c); /* conn_opaque.c */
/* It is among the worker's handshakes no more, if it was. */
void conn_leave_handshakes(struct conn *c);
void conn_begin_serving(struct conn *c);

/* What stands in `out` is still sent, and a refusal that is followed by a reset may
 * never be read: so say that no more comes, then wait for the other side to say so as
 * well. */
void conn_linger(struct conn *c);
/* Whatever it carries ends now. */
void conn_abort_exchanges(struct conn *c, enum reason why);
/* Nothing more will be asked here. False: nothing more is to be sent either. */
bool conn_leave(struct conn *c);

void conn_fail_handshake(const struct conn *c, enum reason why);
/* Once per connection that ended before a request could be told of it. */
void conn_log_end(const struct conn *c, enum reason why);
void conn_forget_client(struct conn *c); /* conn_client.c */
/* The only place a conn is freed. */
void conn_free(struct conn *c);

#endif

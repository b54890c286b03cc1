/* A conn: the client's connection. Its life: greet (a proxy request in the clear) →
 * sniff (what came after CONNECT, or first at a transparent door) → handshake → serve,
 * and linger at the end, so that a refusal is read before the connection is gone. */
#ifndef PROXY_CONN_H
#define PROXY_CONN_H

#include "http/wire.h"
#include "proxy/link.h"
#include "proxy/worker.h"

enum conn_step {
    CONN_NEW,
    CONN_IDENTIFY,
    CONN_SNIFF,
    CONN_HANDSHAKE,
    CONN_SERVE,
    CONN_LINGER
};

/* What the alarm of a connection with many exchanges is set for: before it was one, for
 * whatever it waited for then. */
enum conn_watch { WATCH_BEFORE, WATCH_NOTHING, WATCH_HEAD, WATCH_IDLE };

struct attest_question;
struct exchange;

struct conn {
    struct worker *worker;
    struct list member;
    struct list shaking; /* on the worker's list of handshakes */
    uint64_t id;
    size_t door;
    struct caller caller;
    struct attest_question *where; /* it runs is asked; NULL: nobody waits */
    enum reason turned_back;       /* once that is known; REASON_OK: it is not */
    char *who; /* it, printed, where that is more than a uid; NULL */
    /* At a transparent door: where the client meant to go, family 0 elsewhere; and the
     * same as it is told, "ip:port". */
    struct address original;
    uint16_t original_port;
    char *orig;
    struct link link;
    struct wire *wire; /* NULL while nothing is asked */
    struct wake wake;
    struct alarm alarm, unread; /* of HTTP/2: answers that nobody reads */
    enum conn_step step;
    bool opaque;  /* a rule lets TLS to `target` through unread: it is never opened */
    bool named;   /* a live grant of this caller names `target` */
    bool cut;     /* what was sent is not whole: the end must not look like one */
    bool closing; /* the task it served has ended: nothing more is asked here */
    /* CONNECT was accepted, or at a transparent door TLS begun for it: every request
     * must be for this. NULL: neither. */
    struct authority_kept *target;
    /* At a gate: whom the certificate names that TLS showed, and by whose word; NULL:
     * not asked yet, or there is none. */
    struct client_identity *client;
    struct trust *client_by;
    struct task *proven; /* by CONNECT's Proxy-Authorization: a reference; or NULL */
    const struct task *served;  /* whose the last request was: never looked into */
    struct list exchanges;      /* in HTTP/1 one at most */
    uint64_t n_asked, n_before; /* … when serving began: a CONNECT went before */
    uint64_t sent_seen;         /* link.sent when the alarm was last set */
    enum conn_watch watching;
    size_t lingered;
};

/* Takes a fresh client socket of the i-th door. */
void conn_accept(struct worker *w, size_t door, int fd, const struct sockaddr *peer);
/* Where its caller runs is known, or is not: what it waited for. */
void conn_hear_where(struct attest_question *q);
/* Ends it now, whatever it does. */
void conn_cut(struct conn *c);
/* Idle between exchanges, or not even greeted: ends; otherwise it will end after its
 * exchange. */
void conn_drain(struct conn *c);

/* From its exchange, which is over and no longer touches the conn after this call. */
void conn_exchange_over(struct conn *c);
/* From its exchange: CONNECT to `target` was accepted, by a client that proved which
 * task it is of (or NULL). What follows is sniffed. */
void conn_begin_tunnel(struct conn *c, const struct authority *target, bool named,
                       struct task *proven);
/* What was the one task's is the other's from now on. */
void conn_pass_task(struct conn *c, const struct task *from, const struct task *to);
/* This task has ended. If the connection was its own it ends: now when it is idle, else
 * with its exchange, which the caller has seen to. now: what stands to be sent is cut
 * as well. */
void conn_end_task(struct conn *c, const struct task *k, bool now);
bool conn_is_tls(const struct conn *c);
/* At a gate that asks for certificates: what this client's says, by the trust of this
 * generation. REASON_CLIENT_CERTIFICATE_UNTRUSTED: it no longer is, or has expired. */
MUST_USE enum reason conn_know_client(struct conn *c, const struct generation *g,
                                      int64_t now_s, struct arena *arena,
                                      struct client_certificate *out); /* conn_client.c
                                                                        */
/* Many exchanges at once (HTTP/2). */
bool conn_is_shared(const struct conn *c);
void conn_ring(struct conn *c);
/* After its exchange wrote or read: at once where there is one at a time, else when all
 * that are awake in this turn have. */
void conn_move(struct conn *c);

#endif

/* What relay.c shares: with tunnel.c, where a WebSocket is relayed that was opened
 * there; with again.c, which asks a service once more; and with challenge.c, which
 * knows when a service wants that. */
#ifndef PROXY_RELAY_PARTS_H
#define PROXY_RELAY_PARTS_H

#include "proxy/exchange.h"

enum progress {
    MOVED,
    STUCK,
    WHOLE,
    OPENED, /* a WebSocket was accepted, or TLS passes unopened: the rest is no HTTP */
    AGAIN,  /* this is not the answer: it is asked once more */
    BROKE
};

/* Of one turn: two fast peers must not keep the loop to themselves. */
enum { ROUNDS_MAX = 16 };

/* A piece of body, past the link's buffer when nothing waits there. */
void relay_pass(struct stream *to, struct link *l, struct text piece);
/* Tells the wires which peers send no more. */
void relay_notice_ends(struct exchange *x);
/* Until something moves, but not for ever. */
enum pace relay_wait(struct exchange *x);
/* Refused, or cut when the client has part of an answer. */
enum pace relay_fail(struct exchange *x, enum reason why);

/* ---- answer_proof.c */

/* The head of an answer, which may have to be signed: REASON_OK, or why
 * the client does not hear it. */
enum reason answer_judge(struct exchange *x);
/* … as this one has to be: what it does not cover is not passed on. */
bool answer_must_be_signed(const struct exchange *x);
/* A piece of its body, to the client. */
void answer_pass(struct exchange *x, struct text piece);
/* The body is whole: REASON_OK, or it is not the one that was signed. */
enum reason answer_end(struct exchange *x);

/* ---- again.c */

/* Nothing was answered, and asking again changes nothing. */
bool again_may(const struct exchange *x);
/* The body can be sent again, or there is none. */
bool again_can_send(const struct exchange *x);
/* On another stream, from this step on; on a fresh connection, or on any. */
enum pace again(struct exchange *x, enum step from, bool fresh_only);

/* ---- challenge.c: what a service says of proofs (RFC 9449) */

/* Learns from the answer's head, and takes away what is not the workload's to read.
 * True: the service wants a proof with another nonce, and is to be asked again. */
bool challenge_hear(struct exchange *x);
enum pace challenge_take(struct exchange *x);

/* ---- tunnel.c */

bool is_tunnel(const struct exchange *x);
enum pace relay_tunnel(struct exchange *x);
/* The client was told everything and knows that it was: it may leave as it likes. */
bool tunnel_is_told(const struct exchange *x);

#endif

/* What tunnel.c, where a WebSocket is relayed, asks of relay.c, where it was opened. */
#ifndef PROXY_RELAY_PARTS_H
#define PROXY_RELAY_PARTS_H

#include "proxy/exchange.h"

enum progress {
    MOVED,
    STUCK,
    WHOLE,
    OPENED, /* a WebSocket was accepted: the rest is no HTTP */
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

/* answer_proof.c. The head of an answer, which may have to be signed: REASON_OK, or why
 * the client does not hear it. */
enum reason answer_judge(struct exchange *x);
/* A piece of its body, to the client. */
void answer_pass(struct exchange *x, struct text piece);
/* The body is whole: REASON_OK, or it is not the one that was signed. */
enum reason answer_end(struct exchange *x);

bool is_tunnel(const struct exchange *x);
enum pace relay_tunnel(struct exchange *x);
/* The client was told everything and knows that it was: it may leave as it likes. */
bool tunnel_is_told(const struct exchange *x);

#endif

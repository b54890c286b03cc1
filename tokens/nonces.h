/* Nonces that a gate gives out and wants to see in proofs (RFC 9449 section 9), so that
 * none can be made long before it is used. Nothing is kept of one: it is a MAC, under a
 * key of this process, over the time and the key it was given to. */
#ifndef TOKENS_NONCES_H
#define TOKENS_NONCES_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { NONCE_SIZE = 22, NONCE_SLOT_S = 60 };

/* Immutable; any thread. */
struct nonces;
struct nonces *nonces_new(void);
void nonces_free(struct nonces *n); /* NULL is fine */

/* thumbprint: of the key that will prove with it; empty: whoever asks. NONCE_SIZE
 * characters, the same all through a slot of time. */
struct text nonce_make(const struct nonces *n, struct text thumbprint, int64_t now_s,
                       char out[NONCE_SIZE]);

enum nonce_verdict {
    NONCE_REFUSED, /* not ours, for another key, or outdated */
    NONCE_AGED,    /* good, and soon no more: the answer should bring a new one */
    NONCE_GOOD
};
/* A nonce is good for the rest of its slot and the slot behind it. */
enum nonce_verdict nonce_judge(const struct nonces *n, struct text nonce,
                               struct text thumbprint, int64_t now_s);

#endif

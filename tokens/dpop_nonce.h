/* Inside tokens/: the nonces that servers gave to one key, each the newest of its
 * origin. They are never shared between origins, keys or, as authorization server and
 * resource have signers of their own, between those two. */
#ifndef TOKENS_DPOP_NONCE_H
#define TOKENS_DPOP_NONCE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { NONCE_ORIGINS = 8 };

struct nonce_memory {
    struct nonce_slot {
        char *origin, *nonce; /* NUL-terminated; NULL: the slot is free */
        uint64_t used;        /* when, counted in uses */
    } slots[NONCE_ORIGINS];
    uint64_t uses;
};

/* True: it is another than the last of this origin. False also for what is no nonce. */
bool nonce_learn(struct nonce_memory *m, struct text origin, struct text nonce);
struct text nonce_newest(struct nonce_memory *m, struct text origin);
void nonce_forget_all(struct nonce_memory *m);

#endif

/* The other tokens a request carries beside ours. A proof must cover each of them
 * (draft-ietf-wimse-wpt: ath, tth, oth), or a token copied from elsewhere could ride
 * along under our signature. Maker and verifier look through the same list. */
#ifndef TOKENS_CARRIED_H
#define TOKENS_CARRIED_H

#include "http/headers.h"

/* The draft as read (-02) puts both into fields of their own; a later text moves the
 * proof into Authorization. */
#define FIELD_TOKEN TEXT("Workload-Identity-Token")
#define FIELD_PROOF TEXT("Workload-Proof-Token")

enum { CARRIED_OTHERS = 7 };

/* The fields oth may name, in lower case. Any other entry is one we do not understand.
 */
extern const struct text carried_names[CARRIED_OTHERS];

struct carried {
    struct text access;      /* what stands behind the scheme in Authorization: ath */
    struct text transaction; /* Txn-Token: tth */
    struct text others[CARRIED_OTHERS];   /* oth */
    bool access_repeated, other_repeated; /* two fields of one name: a hash of one says
                                             nothing of the other */
};

/* Texts are on loan from the headers; at NULL: no such field. */
void carried_find(const struct headers *h, struct carried *out);

#endif

/* Do the segments follow each other? One that is missing, twice, in another's place, of
 * another ledger or of another time is told by that name; what is wrong within one is
 * the chain's (audit_chain.h) to tell. */
#ifndef TASKS_AUDIT_ORDER_H
#define TASKS_AUDIT_ORDER_H

#include "tasks/audit_chain.h"
#include "tasks/audit_opening.h"

/* A segment that was judged. */
struct audit_passed {
    unsigned place;  /* by its name */
    uint64_t number; /* by its first record, where that can be read */
    uint64_t next;
    char hash[SHA256_BASE64URL_SIZE]; /* of its last record */
};

struct audit_order {
    struct audit_chain *chain;
    const char *key; /* the ledger's, its thumbprint */
    const unsigned *numbers;
    struct audit_passed *passed;
    size_t n_passed;
};

enum audit_standing {
    AUDIT_IN_PLACE,
    AUDIT_MOVED, /* of this ledger, not of this place */
    AUDIT_APART  /* the chain goes on as if it were not there */
};

/* For the n segments of these numbers. All is on loan until audit_order_clear. */
void audit_order_begin(struct audit_order *o, struct audit_chain *c, const char *key,
                       const unsigned *numbers, size_t n);
/* Is the one before segment k missing? Told; the chain goes on behind the gap. */
bool audit_order_has_gap(struct audit_order *o, size_t k,
                         const struct audit_segment *s);
/* Whether a segment belongs where it stands; the chain goes on with it as it says. */
enum audit_standing audit_order_judge(struct audit_order *o,
                                      const struct audit_segment *s,
                                      const struct audit_opening *opening);
/* The chain has followed it to its end. */
void audit_order_pass(struct audit_order *o, const struct audit_segment *s,
                      uint64_t number);
/* After the last: tells of those in whose place others stand. */
void audit_order_finish(const struct audit_order *o);
void audit_order_clear(struct audit_order *o);

#endif

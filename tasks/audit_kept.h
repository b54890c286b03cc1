/* Checkpoints from outside the chain: one that somebody kept elsewhere, and the one
 * that lies beside the segments. They show what no chain can: that another ledger was
 * put in this one's place, its tail cut, or an older state put back. */
#ifndef TASKS_AUDIT_KEPT_H
#define TASKS_AUDIT_KEPT_H

#include "tasks/audit_chain.h"
#include "tasks/audit_checkpoint.h"

struct audit_keepsake {
    struct checkpoint checkpoint; /* seq 0: none */
    const char *who;
};

enum { AUDIT_KEPT = 2 };

/* Zeroed: none. */
struct audit_kept {
    struct audit_keepsake at[AUDIT_KEPT]; /* given; the directory's own */
};

/* What `asked` names, and the directory's own. Read before the segments are: the writer
 * writes it behind them. Logs what it cannot read; tells of a bad signature. */
MUST_USE enum reason audit_kept_read(struct audit_kept *k, struct audit_chain *c,
                                     const struct checkpoint_key *key,
                                     const struct audit_asked *asked);

/* Does one speak of this record, or of the one before? Cheap, for it is asked of every
 * record. */
static inline bool
audit_kept_knows(const struct audit_kept *k, uint64_t seq)
{
    return seq - k->at[0].checkpoint.seq <= 1 || seq - k->at[1].checkpoint.seq <= 1;
}

/* Record i, in its place, against what they vouch for. */
void audit_kept_compare(const struct audit_kept *k, struct audit_chain *c,
                        const struct audit_segment *s, size_t i);
/* The whole ledger: is it as young as they are? */
void audit_kept_judge_age(const struct audit_kept *k, struct audit_chain *c);

#endif

/* What the checkpoints within a segment vouch for. Of a segment whose chain is whole
 * the signature of the last is enough: it vouches for all before it. One that has fewer checkpoints than its writer puts there
 * (LEDGER_CHECKPOINT_RECORDS) was written by somebody else. */
#ifndef TASKS_AUDIT_VOUCHING_H
#define TASKS_AUDIT_VOUCHING_H

#include "tasks/audit_chain.h"
#include "tasks/audit_checkpoint.h"

void audit_judge_signatures(struct audit_chain *c, const struct checkpoint_key *key,
                            const struct audit_segment *s, bool is_whole);

#endif

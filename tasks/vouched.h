/* What the file `checkpoint` (ledger.h) vouches for, as a start holds the last segment
 * against it. The file is written once its record and all before it are on the disk,
 * and replaced whole. So no crash leaves a ledger that ends before it or goes on from
 * another record, nor half of the file itself: who finds that must not write on.
 *
 * Its signature is not looked at: the key that would have made it lies beside it.
 * `audit verify` does, for whoever has the key from elsewhere. */
#ifndef TASKS_VOUCHED_H
#define TASKS_VOUCHED_H

#include "tasks/segment.h"

/* seq 0: there is no such file. REASON_LEDGER_BROKEN, REASON_FILE_*, logged. */
MUST_USE enum reason vouched_read(const struct segment *s, struct chain *out);

/* The chain as it stands behind one record: is it the one that is vouched for, where it
 * is that one? */
MUST_USE enum reason vouched_judge_record(const struct segment *s,
                                          const struct chain *vouched);
/* … and behind the last one, or where there is none: has it come as far? */
MUST_USE enum reason vouched_judge_end(const struct segment *s,
                                       const struct chain *vouched);

#endif

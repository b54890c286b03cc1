/* The ledger as main keeps it: opened before anything serves, closed when nothing does
 * any more, and told of every generation before a worker has it. */
#ifndef PROXY_CHRONICLE_H
#define PROXY_CHRONICLE_H

#include "proxy/generation.h"
#include "tasks/ledger.h"

struct doorbell;
struct witness;

struct chronicle {
    struct ledger *ledger;   /* NULL: none is kept */
    struct witness *witness; /* beside it: main begins it, and has it follow */
    struct doorbell **bells; /* one for each worker */
    size_t n_bells;
};

/* Opens the ledger of the config, where it keeps one, and has `start` and the first
 * generation on the disk; says in the log where there is none, and why. Blocks.
 * ledger_open's reasons; REASON_LEDGER_FAILED. */
MUST_USE enum reason chronicle_open(struct chronicle *c, const struct generation *first,
                                    size_t n_workers);
/* Enters `stop`, closes it, and waits a while for its witness to have the end. Nobody
 * enters anything any more. */
void chronicle_close(struct chronicle *c, const char *why);

struct doorbell *chronicle_bell(const struct chronicle *c, size_t worker);

/* The grants and credentials of a generation, and itself, are on the disk when this
 * returns REASON_OK. Blocks: not for a loop's thread. ledger NULL: there is nothing to
 * do. REASON_LEDGER_FULL, REASON_LEDGER_FAILED. */
MUST_USE enum reason chronicle_tell(struct ledger *ledger, const struct generation *g);

#endif

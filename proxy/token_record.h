/* What the ledger is told of access tokens: each that was got, before anything leaves
 * with it, and what came of it. After a crash it says which ones nobody took back.
 * Without a ledger (NULL) nobody is told. credential: by its name; NULL: not known. */
#ifndef PROXY_TOKEN_RECORD_H
#define PROXY_TOKEN_RECORD_H

#include "tasks/ledger.h"
#include "tasks/record.h"

/* REASON_LEDGER_FULL, REASON_LEDGER_FAILED: it must not be used. */
MUST_USE enum reason token_record_got(struct ledger *l, const struct task *k,
                                      const char *credential, const struct token *t);
/* It was got, and will not be used: that stands whether it can be recorded or not. */
void token_record_spurned(struct ledger *l, const struct task *k,
                          const char *credential, const struct token *t);
void token_record_over(struct ledger *l, const struct task *k, const char *credential,
                       const struct token *t, const char *outcome);

#endif

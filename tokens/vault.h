/* The vault: the secrets of `file` credentials, as they were read last. Immutable: a
 * change of the files makes a new vault, and a worker is handed it whole. */
#ifndef TOKENS_VAULT_H
#define TOKENS_VAULT_H

#include "base/reason.h"
#include "base/secret.h"
#include "conf/conf.h"

struct vault;

/* Reads the file of every `file` credential of this config, which must outlive it. What
 * cannot be read, or could not stand in a header field, is remembered with what is
 * wrong with it: a request that needs it is refused. Never NULL. Reads files: not for a
 * worker's thread. */
struct vault *vault_read(const struct conf *conf);
/* A line of the log for each secret that cannot be used. */
void vault_tell(const struct vault *v);
void vault_ref(struct vault *v);
/* The last reference wipes it. Any thread. */
void vault_unref(struct vault *v);

/* The secret of this credential of that config, on loan while the vault is held.
 * REASON_CREDENTIAL_UNAVAILABLE. */
MUST_USE enum reason vault_find(const struct vault *v, const struct conf_credential *c,
                                const struct secret **out);
/* What is wrong with its file, which is named, and what to do; NULL: nothing. */
const char *vault_fault(const struct vault *v, const struct conf_credential *c);
/* When its file was last written, in seconds since 1970; 0: it could not be read. */
int64_t vault_written_s(const struct vault *v, const struct conf_credential *c);
/* How many secrets it holds, and how many it should hold besides. */
void vault_count(const struct vault *v, size_t *held, size_t *missing);

#endif

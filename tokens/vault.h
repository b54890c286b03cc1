/* The vault: what the files that credentials name hold, as they were read last:
 * secrets, keys, client certificates; and what the pod's own files say of it.
 * Immutable: a change of the files makes a new vault, and a worker is handed it whole.
 */
#ifndef TOKENS_VAULT_H
#define TOKENS_VAULT_H

#include "base/reason.h"
#include "base/secret.h"
#include "certs/key.h"
#include "certs/pair.h"
#include "conf/conf.h"

struct vault;

/* A certificate and its key are two files, and a moment may lie between their changes.
 * When what they hold does not fit, the pair before is shown for so long. Files that
 * are gone, or that others may read, take it away at once. */
enum { VAULT_SETTLE_MS = 60 * 1000 };

/* Reads every file that a credential of this config names, and the secrets by which
 * its gates ask issuers; the config must outlive it. What
 * cannot be read, or is not what it should be, is remembered with what is wrong with
 * it: a request that needs it is refused. Never NULL. Reads files: not for a worker's
 * thread. */
struct vault *vault_read(const struct conf *conf);
/* The same, after another (NULL: none), of this config or of one before it. now_ms:
 * monotonic. */
struct vault *vault_read_again(const struct conf *conf, const struct vault *before,
                               int64_t now_ms);
/* When it should be read again though no file changes, since a pair in it is another
 * vault's (monotonic); 0: never. */
int64_t vault_settles_ms(const struct vault *v);
/* A line of the log for each credential that cannot be used, and for a pod that is not
 * known. */
void vault_tell(const struct vault *v);
void vault_ref(struct vault *v);
/* The last reference wipes it. Any thread. */
void vault_unref(struct vault *v);

/* In all of these REASON_CREDENTIAL_UNAVAILABLE: it cannot be had just now. What they
 * give is on loan while the vault is held. */

/* The secret of a `file` credential of that config: it may stand in a header field. */
MUST_USE enum reason vault_find(const struct vault *v, const struct conf_credential *c,
                                const struct secret **out);
/* What the file of this path holds, as the config spells it: one line, without the
 * newline behind it. A credential or gate must name it as a secret or token. */
MUST_USE enum reason vault_text(const struct vault *v, const char *path,
                                struct text *out);
/* The private key in the file of this path, likewise: key_share it to sign. key_id: its
 * thumbprint (RFC 7638). A credential must name it as a key. */
MUST_USE enum reason vault_key(const struct vault *v, const char *path,
                               const struct key **out, struct text *key_id);
/* The certificate and key of a `certificate` credential of that config. It may have
 * expired: pair_is_expired. */
MUST_USE enum reason vault_pair(const struct vault *v,
                                const struct conf_credential *certificate,
                                struct pair **out);

/* The uid of the pod, or of its claim, where the config says which file has it; on
 * loan. Empty: none does, or … */
struct text vault_pod(const struct vault *v);
/* … it is not known yet, or no more. */
bool vault_lacks_pod(const struct vault *v);

/* Whether this credential names files. */
bool vault_has_files(const struct conf_credential *c);
/* What is wrong with one of its files, which is named, and what to do; NULL: nothing.
 */
const char *vault_fault(const struct vault *v, const struct conf_credential *c);
/* When the oldest of its files was last written, in seconds since 1970; 0: one could
 * not be read. */
int64_t vault_written_s(const struct vault *v, const struct conf_credential *c);
/* Which file that is; NULL: one could not be read. */
const char *vault_oldest(const struct vault *v, const struct conf_credential *c);
/* Of a `certificate` credential it holds: the last second it is valid, since 1970 UTC;
 * of any other 0. */
int64_t vault_expires_s(const struct vault *v, const struct conf_credential *c);
/* Of how many credentials it holds what their files should, and of how many it does
 * not.
 */
void vault_count(const struct vault *v, size_t *held, size_t *missing);
/* Every path that this config names for it, once for each that does. */
void vault_each_path(const struct conf *conf,
                     void (*on_path)(void *owner, const char *path), void *owner);

#endif

/* Checkpoints (ledger.h), and the key that vouches for them, as one reads them who
 * holds no private key. */
#ifndef TASKS_AUDIT_CHECKPOINT_H
#define TASKS_AUDIT_CHECKPOINT_H

#include "base/digest.h"
#include "tokens/jws.h"

struct checkpoint_key;

/* An ES256 key, as JWK. Logs the detail. */
MUST_USE enum reason checkpoint_key_load(const char *path, struct checkpoint_key **out);
void checkpoint_key_free(struct checkpoint_key *k);
/* THUMBPRINT_SIZE characters, no NUL. */
const char *checkpoint_thumbprint(const struct checkpoint_key *k);

/* Vouches for the record before it, and so for all before that. */
struct checkpoint {
    uint64_t own_seq;
    char own_hash[SHA256_BASE64URL_SIZE];
    uint64_t seq; /* own_seq - 1 */
    char hash[SHA256_BASE64URL_SIZE];
};

enum checkpoint_sort {
    CHECKPOINT_GOOD,
    CHECKPOINT_OTHER_TIME, /* its own `ts` is not the one that was signed */
    CHECKPOINT_UNSIGNED,   /* not by this key for its ledger and this place in it */
    CHECKPOINT_NONE        /* not such a record at all, as ledger.h spells it */
};

/* A record, its newline or not. Of a good one each byte is vouched for: by its
 * signature, by having one spelling, or (`prev`: the caller's to compare) by the chain.
 * *out is zeroed unless it is good. */
enum checkpoint_sort checkpoint_read(const struct checkpoint_key *k, struct text line,
                                     struct checkpoint *out);

#endif

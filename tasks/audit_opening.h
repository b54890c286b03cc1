/* How a segment begins: what its first record says of the segment, and of the torn tail
 * that it seals. Whether any of it is true is for others to say. */
#ifndef TASKS_AUDIT_OPENING_H
#define TASKS_AUDIT_OPENING_H

#include "tasks/audit_files.h"
#include "tokens/jws.h"

struct audit_opening {
    uint64_t number;
    char key[THUMBPRINT_SIZE];
    bool has_torn;
    uint64_t torn_bytes;
    char torn_hash[SHA256_BASE64URL_SIZE];
};

/* False: there is none, or it is not as it was written, which the chain tells. `out`
 * may be half filled then. */
MUST_USE bool audit_read_opening(const struct audit_segment *s,
                                 struct audit_opening *out);

#endif

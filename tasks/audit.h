/* Reading a ledger (ledger.h): as a stranger who has only its files, and perhaps a
 * checkpoint and the public key from elsewhere. Trusts nothing it reads. */
#ifndef TASKS_AUDIT_H
#define TASKS_AUDIT_H

#include "base/buf.h"
#include "base/json.h"
#include "base/reason.h"

enum { AUDIT_LINE_MAX = 256 * 1024 };

struct audit_asked {
    const char *directory;
    const char *key; /* JWK file; NULL: key.jwk of the directory, which proves less */
    const char *checkpoint; /* a checkpoint record (a line) kept elsewhere, or several,
                               of which the last counts; NULL: none */
};

struct audit_result {
    uint64_t records, segments, checkpoints;
    uint64_t first, last; /* seq */
    uint64_t covered;     /* seq up to which a good checkpoint vouches */
    uint64_t torn;        /* tails sealed, as the records say */
    uint64_t lost;        /* records that could not be entered, as they say */
    bool is_ended; /* the last segment was closed in order: each byte is vouched for */
    uint64_t faults;
};

/* Every fault is appended to `report` as one line that names it: "FILE:LINE: record 17:
 * …". Told apart: a changed record, records missing (cut out), a record twice, records
 * out of order, a segment missing, a segment of another ledger or another time, a torn
 * tail that nobody sealed, a bad signature, a tail or a whole state older than the
 * checkpoint given. Goes on after a fault where it can, to name the next; at most 100
 * lines. Of one without a fault that was not closed in order a last line says so, which
 * is no fault: its writer is at work, or was killed, or its end was cut. REASON_OK: it
 * could be read (look at faults); else REASON_FILE_*, logged.
 * Reads at memory speed: a line is hashed, not parsed, unless its kind asks for it. */
MUST_USE enum reason audit_verify(const struct audit_asked *asked, struct buf *report,
                                  struct audit_result *out);

/* Calls `take` for each record, in order, parsed; stops when it returns false. What
 * cannot be parsed is skipped and counted in *bad: verify says why. */
MUST_USE enum reason audit_walk(const char *directory,
                                bool (*take)(void *owner, struct text line,
                                             const struct json *record),
                                void *owner, uint64_t *bad);

#endif

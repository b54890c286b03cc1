/* One sync of a segment, cut off from it: all that a disk which takes its time is asked
 * for, so that another thread may wait for it while the segment goes on. First the
 * segment's bytes, then the name it has in its directory, then, when all it vouches for
 * is there, the file `checkpoint`. */
#ifndef TASKS_SYNC_H
#define TASKS_SYNC_H

#include "base/digest.h"
#include "base/reason.h"
#include "tasks/spool.h"

/* A checkpoint, as it stands in its segment. A zeroed one is none. */
struct checkpoint_line {
    uint64_t seq;
    char hash[SHA256_BASE64URL_SIZE];
    struct spool line; /* with its newline */
};

struct sync {
    /* On loan while it is under way. */
    const char *directory;
    int at, fd; /* the directory and the segment */
    char name[32];

    size_t bytes;  /* at the segment's end, in the file already */
    bool is_named; /* its name is on the disk */
    struct checkpoint_line
        checkpoint; /* for its file; seq 0: that is as it should be */

    /* What came of it. */
    bool is_synced;   /* the segment is on the disk, and so is its name */
    bool is_doubtful; /* its bytes may be lost, though they can be read */
    enum reason why;
};

/* Blocks. Whatever fails is logged. */
void sync_run(struct sync *y);

/* What errno says of a file of the ledger, logged: REASON_LEDGER_FAILED. */
enum reason sync_failed(const char *directory, const char *name, const char *doing);

#endif

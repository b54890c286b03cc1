/* The files of a ledger (ledger.h) as its writer has them: one segment that is appended
 * to, and the chain through all of them. Formats records, hashes, signs, writes and
 * syncs; knows no thread and no queue. One thread; but a sync that was begun may be run
 * by another, while this one goes on to put and to write.
 *
 * What was formatted and is not synced yet stays in memory. So whatever fails may
 * simply be asked for again: a short write goes on at the byte that is missing, and
 * bytes that a failed fsync(2) may have dropped are written once more in their place.
 */
#ifndef TASKS_SEGMENT_H
#define TASKS_SEGMENT_H

#include "base/digest.h"
#include "base/reason.h"
#include "base/text.h"
#include "tasks/sync.h"
#include "tokens/jws.h"

/* Where a chain of records stands. */
struct chain {
    uint64_t seq;                     /* of the last record; 0: there is none */
    char hash[SHA256_BASE64URL_SIZE]; /* of the last record */
};

/* Bytes behind the last newline of a segment. */
struct torn {
    uint64_t bytes;
    char sha256[SHA256_BASE64URL_SIZE];
};

struct segment {
    char *directory;
    int at;   /* the directory */
    int lock; /* held while we write here */
    int64_t bytes_max;
    struct key *key;
    char key_id[THUMBPRINT_SIZE + 1];
    struct buf jws_header; /* base64url: the same for every checkpoint */

    uint32_t number;
    int fd;
    int64_t size;          /* of the file, when all of `unsynced` is in it */
    struct chain chain;    /* behind all that was formatted */
    struct spool unsynced; /* formatted, and not known to be on the disk */
    size_t written;        /* … of which so many bytes are in the file */
    bool is_named;         /* its name in the directory is on the disk */
    bool is_doubtful;      /* a sync failed: what was written may be lost */
    bool has_end;

    struct sync sync; /* the one under way, or the last */

    uint32_t uncovered;            /* records that no checkpoint vouches for */
    int64_t uncovered_ms;          /* monotonic: since when there are any */
    struct checkpoint_line latest; /* that was put */
    struct checkpoint_line kept;   /* the latest on the disk, and in its file */

    int64_t stamp_ms; /* what `stamp` says */
    char stamp[25];
};

/* Finds the last segment, reads it whole, and begins the next one behind it: its first
 * record is on the disk when this returns. The reasons of ledger_open. */
MUST_USE enum reason segment_open(const char *directory, int64_t bytes_max,
                                  struct segment **out);
void segment_close(struct segment *s); /* NULL is fine; writes nothing */

/* One record of this kind and these members, entered at this time, into memory. */
void segment_put(struct segment *s, struct text kind, struct text members,
                 int64_t wall_ms);
/* A checkpoint over all records so far, if any has none. REASON_SIGN. */
MUST_USE enum reason segment_put_checkpoint(struct segment *s);
/* `end` and a checkpoint over it: nothing may be put behind them. REASON_SIGN: to be
 * asked for again. */
MUST_USE enum reason segment_put_end(struct segment *s);

/* All that was put is in the file; segment_sync: on the disk, and so is the latest
 * checkpoint's own file. REASON_LEDGER_FAILED, REASON_FILE_UNREADABLE, logged; to be
 * asked for again. */
MUST_USE enum reason segment_write(struct segment *s);
MUST_USE enum reason segment_sync(struct segment *s);
/* The same in three steps, one sync at a time: all is in the file, and s->sync says
 * what is to be synced of it; then sync_run(&s->sync), by any thread; then its end,
 * which says what came of it. Between the first and the last records may be put and
 * written, checkpoints too, and nothing else. */
MUST_USE enum reason segment_sync_begin(struct segment *s);
MUST_USE enum reason segment_sync_end(struct segment *s);

bool segment_is_full(const struct segment *s);
/* Ends this one in order and begins the next. May be asked for again when it fails. */
MUST_USE enum reason segment_turn(struct segment *s);

/* ---- between segment.c and segment_open.c */

/* The next segment's file, with its first record whole or not at all. torn: of the
 * segment before; NULL: none. */
MUST_USE enum reason segment_begin(struct segment *s, const struct torn *torn);
void segment_name(uint32_t number, char out[32]);

#endif

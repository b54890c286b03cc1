/* The ledger: what was decided, on whose authority, in the order it was decided. Every
 * record carries its number and the SHA-256 of the line before, so that a change, an
 * insertion, a reordering or a cut is found; signed checkpoints say how far it had
 * come, so that a copy of one, kept elsewhere, also finds a cut tail and an old state
 * put back.
 *
 * A ledger is a directory that is ours alone:
 *
 *   ledger-00000001.jsonl   segments, in order; a new one at each start and each
 *                           `segment` bytes; mode 0600, only ever appended to; one
 *                           that can be seen has its first record whole
 *   key.pem                 the ES256 key that signs checkpoints, made at first start;
 *                           a ledger that has segments is continued under it alone
 *   key.jwk                 its public half, to be kept elsewhere
 *   checkpoint              the latest checkpoint record (a line) whose records are on
 *                           the disk, replaced whole; what ends before it was cut
 *   lock                    held (flock) by the process that writes
 *
 * A record is one line, one JSON object, that begins with exactly
 *
 *   {"seq":12,"prev":"<43>","ts":"2026-11-22T06:07:08.901Z","kind":"decision"
 *
 * seq: from 1, by 1, over all segments. prev: base64url of the SHA-256 of the line
 * before without its newline; of the first record of all, 43 times 'A'. ts: the wall
 * clock when it was entered; it need not ascend. What follows "kind" are the members of
 * its kind (record.h), and no newline before the last brace. Kinds of the ledger
 * itself:
 *
 *   segment      first of every segment: "segment":3,"key":"<RFC 7638 thumbprint>";
 *                behind a torn tail also "torn":{"bytes":57,"sha256":"<43>"}: what
 *                stands behind the last newline of the segment before stays there and
 *                is no record
 *   lost         "records":7: so many records of refusals, of alarms and of tasks
 *                could not be entered
 *   checkpoint   "jws":"<compact>" and nothing else: ES256, header
 *                {"alg":"ES256","kid":"<thumbprint>","typ":"ledger+jws"}, over
 *                {"ledger":"<thumbprint>","seq":N,"hash":"<43>","at":<unix s>,
 *                "ts":"<24>"}; N and hash are those of the record before, ts is this
 *                record's own. So a checkpoint leaves no byte of its line open: seq
 *                and prev are the chain's, ts is signed, the rest has one spelling
 *   end          no members: the segment is closed (it was full, or the process
 *                stopped). Behind it stands one checkpoint, and nothing behind that
 *
 * A segment whose last two records are `end` and its checkpoint was closed in order:
 * the checkpoint vouches for each byte of it. One that was not is being written, or its
 * writer was killed, or it was cut; what stands behind its last checkpoint is chained
 * and not signed.
 *
 * A writer thread owns the files. Whoever enters a record never waits: it is accepted
 * into a bounded queue, or refused. Accepted records are written at once (within a few
 * milliseconds). Checkpoints stand after CHECKPOINT_RECORDS records, a second after the
 * first that has none, and at the end. They are synced, with all before them, once in
 * CHECKPOINT_MS, and at once what somebody must know to be on the disk (ledger_hurry).
 * One sync is under way at most: what is entered meanwhile is written all the same, and
 * waits for the next. So many bytes may wait for that as the queue may hold, at least
 * 64 KiB; past them records stay in the queue. Between two segments, and at the end,
 * the writer waits for the disk.
 *
 * A write or a sync that fails is repeated every second with nothing lost of what was
 * accepted; until one succeeds nothing more is accepted. When the ledger closes
 * meanwhile it is tried once more. */
#ifndef TASKS_LEDGER_H
#define TASKS_LEDGER_H

#include "base/reason.h"
#include "base/text.h"

struct ledger;

enum {
    LEDGER_CHECKPOINT_RECORDS = 1024,
    LEDGER_CHECKPOINT_MS = 1000,
    LEDGER_LINE_MAX = 256 * 1024, /* of a record, with its newline */
    LEDGER_MEMBERS_MAX = LEDGER_LINE_MAX - 512
};

struct ledger_settings {
    const char *directory; /* exists, ours alone (mode 0700) */
    int64_t segment_bytes;
    size_t queue_records; /* accepted and not yet written, at most */
    size_t queue_bytes;   /* and again so many written and not yet synced */
    /* Called on the writer's thread with the record of a checkpoint (no newline) and
     * its number, once it is on the disk and in `checkpoint`; must not block. NULL:
     * nobody is told. */
    void (*on_checkpoint)(void *owner, uint64_t seq, struct text record);
    void *owner;
};

/* Reads the last segment whole: a torn tail is sealed and logged; a broken chain, or an
 * end before the record in `checkpoint`, is REASON_LEDGER_BROKEN, logged with segment
 * and line, and nothing is written. Also
 * REASON_FILE_*, REASON_SIGN. The first record (`segment`) is on the disk when this
 * returns. May block: not for a loop's thread. */
MUST_USE enum reason ledger_open(const struct ledger_settings *s, struct ledger **out);
/* Writes what was accepted, `end` and its checkpoint, and joins the writer. NULL is
 * fine. */
void ledger_close(struct ledger *l);

/* A record: members as the json_put_… calls (base/json_write.h) wrote them, without
 * braces; may be empty. Any thread; never blocks, never makes a system call while
 * records come fast. REASON_OK: accepted, and *ticket (may be NULL) is its number to
 * wait for (not its seq). REASON_LEDGER_FULL (also: more than LEDGER_MEMBERS_MAX),
 * REASON_LEDGER_FAILED: it will not be written. */
MUST_USE enum reason ledger_enter(struct ledger *l, const char *kind,
                                  struct text members, uint64_t *ticket);
/* The same for a refusal, which stands whether it can be recorded or not: what finds
 * the queue full or the ledger failed is counted, and told by `lost`. */
void ledger_enter_refusal(struct ledger *l, const char *kind, struct text members);
/* The same for what Holdfast did itself: that a task has begun, or ended. It has room
 * of its own, which no request takes, and waits in it while the ledger cannot be
 * written. */
enum { LEDGER_OWN_BYTES = 16 * 1024 * 1024 };
void ledger_enter_own(struct ledger *l, const char *kind, struct text members);

/* The writer is to sync up to this ticket without delay. Its end is told to the
 * listeners.
 */
void ledger_hurry(struct ledger *l, uint64_t ticket);
/* Every record up to this ticket is on the disk. Any thread. */
bool ledger_is_durable(const struct ledger *l, uint64_t ticket);
/* Called on the writer's thread whenever that has moved on, or failed; at most
 * LEDGER_LISTENERS of them, before anything is entered. tell must not block. */
enum { LEDGER_LISTENERS = 300 };
void ledger_listen(struct ledger *l, void (*tell)(void *owner), void *owner);
/* Hurries, and waits for it: not on a loop's thread. REASON_OK; REASON_LEDGER_FAILED.
 */
MUST_USE enum reason ledger_await(struct ledger *l, uint64_t ticket);

/* For status and metrics; any thread. */
struct ledger_state {
    uint64_t records;    /* written since it was opened */
    uint64_t lost;       /* records that could not be entered */
    uint64_t last;       /* seq of the last that was written */
    uint64_t checkpoint; /* … and of the last checkpoint on the disk */
    size_t queued;
    bool failed;
};
void ledger_look(const struct ledger *l, struct ledger_state *out);

#endif

#include "tasks/segment.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a segment is made before it has its name. Left by a crash, it is taken anew. */
#define UNNAMED ".segment"

enum { SEGMENT_LAST = 99999999 };

static enum reason
failed(const struct segment *s, const char *name, const char *doing)
{
    return sync_failed(s->directory, name, doing);
}

void
segment_name(uint32_t number, char out[32])
{
    (void)snprintf(out, 32, "ledger-%08" PRIu32 ".jsonl", number);
}

static const char *
name_of(const struct segment *s)
{
    static _Thread_local char name[32];

    segment_name(s->number, name);
    return name;
}

/* ---- one line */

static char *
put(char *at, struct text t)
{
    memcpy(at, t.at, t.n);
    return at + t.n;
}

static char *
put_number(char *at, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put(at, text_of(digits + i, sizeof digits - i));
}

static struct text
stamp_of(struct segment *s, int64_t wall_ms)
{
    if (wall_ms != s->stamp_ms) {
        clock_format(wall_ms, s->stamp);
        s->stamp_ms = wall_ms;
    }
    return text_of(s->stamp, sizeof s->stamp - 1);
}

/* Appends the next record of the chain; the chain stands behind it then. */
static struct text
put_line(struct segment *s, struct spool *out, struct text kind, struct text members,
         int64_t wall_ms)
{
    enum { FRAME = 160 }; /* all that is neither kind nor members */
    char *start = spool_reserve(out, FRAME + kind.n + members.n), *at = start;
    struct text line;

    /* One record is one line, or the next start finds a broken chain. */
    assert(members.n == 0 || memchr(members.at, '\n', members.n) == NULL);
    at = put(at, TEXT("{\"seq\":"));
    at = put_number(at, ++s->chain.seq);
    at = put(at, TEXT(",\"prev\":\""));
    at = put(at, text_of(s->chain.hash, sizeof s->chain.hash));
    at = put(at, TEXT("\",\"ts\":\""));
    at = put(at, stamp_of(s, wall_ms));
    at = put(at, TEXT("\",\"kind\":\""));
    at = put(at, kind);
    *at++ = '"';
    if (members.n > 0) {
        *at++ = ',';
        at = put(at, members);
    }
    *at++ = '}';
    line = text_of(start, (size_t)(at - start));
    digest_sha256_base64url(line, s->chain.hash);
    *at = '\n';
    out->n += line.n + 1;
    return text_of(line.at, line.n + 1);
}

void
segment_put(struct segment *s, struct text kind, struct text members, int64_t wall_ms)
{
    assert(!s->has_end);
    s->size += (int64_t)put_line(s, &s->unsynced, kind, members, wall_ms).n;
    if (s->uncovered++ == 0)
        s->uncovered_ms = clock_monotonic_ms();
}

/* ---- checkpoints */

static enum reason
sign_state(struct segment *s, int64_t wall_ms, struct buf *members)
{
    struct text stamp = stamp_of(s, wall_ms);
    struct buf claims = { 0 };
    enum reason why;

    buf_printf(&claims,
               "{\"ledger\":\"%s\",\"seq\":%" PRIu64
               ",\"hash\":\"%.*s\",\"at\":%" PRId64 ",\"ts\":\"%.*s\"}",
               s->key_id, s->chain.seq, SHA256_BASE64URL_SIZE, s->chain.hash,
               wall_ms / 1000, TEXT_ARG(stamp));
    buf_add_z(members, "\"jws\":\"");
    why = jws_sign(s->key, buf_text(&s->jws_header), buf_text(&claims), members);
    buf_add_byte(members, '"');
    buf_free(&claims);
    return why;
}

static void
note_checkpoint(struct checkpoint_line *c, uint64_t seq, const char *hash,
                struct text line)
{
    c->seq = seq;
    memcpy(c->hash, hash, sizeof c->hash);
    spool_clear(&c->line);
    spool_add(&c->line, line);
}

enum reason
segment_put_checkpoint(struct segment *s)
{
    int64_t now = clock_wall_ms();
    struct buf members = { 0 };
    struct text line;
    enum reason why;

    if (s->uncovered == 0)
        return REASON_OK;
    if ((why = sign_state(s, now, &members)) == REASON_OK) {
        line = put_line(s, &s->unsynced, TEXT("checkpoint"), buf_text(&members), now);
        s->size += (int64_t)line.n;
        s->uncovered = 0;
        note_checkpoint(&s->latest, s->chain.seq, s->chain.hash, line);
    }
    buf_free(&members);
    return why;
}

enum reason
segment_put_end(struct segment *s)
{
    if (!s->has_end)
        segment_put(s, TEXT("end"), text_of(NULL, 0), clock_wall_ms());
    s->has_end = true;
    return segment_put_checkpoint(s);
}

/* ---- to the file, to the disk */

/* A short write is no failure until the next one says why. */
static bool
write_on(int fd, struct text bytes, size_t *written)
{
    while (*written < bytes.n) {
        ssize_t n = write(fd, bytes.at + *written, bytes.n - *written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        *written += (size_t)n;
    }
    return true;
}

enum reason
segment_write(struct segment *s)
{
    if (write_on(s->fd, spool_text(&s->unsynced), &s->written))
        return REASON_OK;
    return failed(s, name_of(s), "write");
}

/* After a sync that failed the kernel counts the bytes as clean, whether the disk has
 * them or not: a second sync alone would succeed and mean nothing. The same bytes in
 * the same place make them dirty again. The segment's own descriptor only appends. */
static enum reason
write_again(struct segment *s)
{
    off_t start = (off_t)s->size - (off_t)s->unsynced.n;
    int fd = openat(s->at, name_of(s), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t done = 0;
    ssize_t n = -1;

    if (fd < 0)
        return failed(s, name_of(s), "open to write again");
    while (done < s->written) {
        n = pwrite(fd, s->unsynced.at + done, s->written - done, start + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    s->is_doubtful = done < s->written;
    if (s->is_doubtful)
        (void)failed(s, name_of(s), "write again");
    (void)close(fd);
    return s->is_doubtful ? REASON_LEDGER_FAILED : REASON_OK;
}

/* The latest may be another before the sync is over. */
static void
take_latest(const struct segment *s, struct checkpoint_line *out)
{
    const struct checkpoint_line *c = &s->latest;

    out->seq = 0;
    if (c->seq != s->kept.seq)
        note_checkpoint(out, c->seq, c->hash, spool_text(&c->line));
}

enum reason
segment_sync_begin(struct segment *s)
{
    struct sync *y = &s->sync;
    enum reason why = segment_write(s);

    if (why == REASON_OK && s->is_doubtful)
        why = write_again(s);
    if (why != REASON_OK)
        return why;
    y->directory = s->directory;
    y->at = s->at;
    y->fd = s->fd;
    segment_name(s->number, y->name);
    y->bytes = s->unsynced.n;
    y->is_named = s->is_named;
    y->is_synced = y->is_doubtful = false;
    take_latest(s, &y->checkpoint);
    return REASON_OK;
}

/* What was written while it was under way is as doubtful as the rest: the kernel tells
 * of a failure once, and not of which bytes. */
enum reason
segment_sync_end(struct segment *s)
{
    struct sync *y = &s->sync;
    struct checkpoint_line before = s->kept;

    s->is_doubtful = y->is_doubtful;
    if (y->is_synced) {
        spool_drop(&s->unsynced, y->bytes);
        s->written -= y->bytes;
        s->is_named = true;
    }
    if (y->why == REASON_OK && y->checkpoint.seq > 0) {
        s->kept = y->checkpoint;
        y->checkpoint = before;
    }
    return y->why;
}

enum reason
segment_sync(struct segment *s)
{
    enum reason why = segment_sync_begin(s);

    if (why != REASON_OK)
        return why;
    sync_run(&s->sync);
    return segment_sync_end(s);
}

/* ---- from one to the next */

bool
segment_is_full(const struct segment *s)
{
    return s->size >= s->bytes_max;
}

static void
describe(const struct segment *s, const struct torn *torn, struct buf *members)
{
    json_put_number(members, "segment", (int64_t)s->number + 1);
    json_put_z(members, "key", s->key_id);
    if (torn == NULL)
        return;
    json_open(members, "torn", '{');
    json_put_number(members, "bytes", (int64_t)torn->bytes);
    json_put_text(members, "sha256", text_of(torn->sha256, sizeof torn->sha256));
    json_close(members, '}');
}

/* Made under another name, so that a segment that can be seen has its first record. */
static int
make_file(struct segment *s, const char *name, struct text first)
{
    size_t written = 0;
    int fd;

    (void)unlinkat(s->at, UNNAMED, 0);
    fd = openat(s->at, UNNAMED,
                O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && fchmod(fd, 0600) == 0 && write_on(fd, first, &written) &&
        fsync(fd) == 0 && renameat(s->at, UNNAMED, s->at, name) == 0)
        return fd;
    (void)failed(s, name, "make");
    if (fd >= 0) {
        (void)unlinkat(s->at, UNNAMED, 0);
        (void)close(fd);
    }
    return -1;
}

enum reason
segment_begin(struct segment *s, const struct torn *torn)
{
    struct chain before = s->chain;
    struct buf members = { 0 };
    struct spool first = { 0 };
    char name[32];
    int fd = -1;

    segment_name(s->number + 1, name);
    describe(s, torn, &members);
    (void)put_line(s, &first, TEXT("segment"), buf_text(&members), clock_wall_ms());
    if (s->number < SEGMENT_LAST)
        fd = make_file(s, name, spool_text(&first));
    else
        (void)log_reason(REASON_LEDGER_FAILED, "%s: no number is left for a segment",
                         s->directory);
    if (fd < 0) {
        s->chain = before;
    } else {
        if (s->fd >= 0)
            (void)close(s->fd);
        s->fd = fd;
        s->number++;
        s->size = (int64_t)first.n;
        s->is_named = s->has_end = false;
        s->uncovered = 1;
        s->uncovered_ms = clock_monotonic_ms();
    }
    spool_free(&first);
    buf_free(&members);
    return fd < 0 ? REASON_LEDGER_FAILED : REASON_OK;
}

enum reason
segment_turn(struct segment *s)
{
    enum reason why = segment_put_end(s);

    if (why == REASON_OK)
        why = segment_sync(s);
    return why == REASON_OK ? segment_begin(s, NULL) : why;
}

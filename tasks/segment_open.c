/* The way to the first record: the directory is ours, the key is the ledger's, nobody
 * else writes, and the last segment is whole and as young as its checkpoint. What a
 * crash left behind its last newline is sealed; what no crash explains ends the way. */
#include "tasks/segment.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "tasks/audit_files.h"
#include "tasks/ledger.h"
#include "tasks/vouched.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

static enum reason
unreadable(const struct segment *s, const char *name)
{
    if (errno == ELOOP)
        return log_reason(REASON_FILE_UNSAFE, "%s/%s: is a link", s->directory, name);
    return log_reason(REASON_FILE_UNREADABLE, "%s/%s: %s", s->directory, name,
                      strerror(errno));
}

/* ---- reading a segment */

struct reader {
    struct segment *s;
    const struct chain *vouched;
    char name[32];
    int fd;
    struct spool held;    /* read and not yet a line */
    uint64_t line, whole; /* lines so far, and their bytes */
    unsigned closing;     /* … of which so many close it: `end`, and its checkpoint */
};

static enum reason
broken(const struct reader *r, const char *what)
{
    return log_reason(REASON_LEDGER_BROKEN, "%s/%s:%" PRIu64 ": %s", r->s->directory,
                      r->name, r->line, what);
}

/* A record with this number behind that chain begins with these bytes and no others. */
static bool
follows(struct text line, const struct chain *before)
{
    char front[96];
    int n = snprintf(front, sizeof front, "{\"seq\":%" PRIu64 ",\"prev\":\"%.*s\",",
                     before->seq + 1, SHA256_BASE64URL_SIZE, before->hash);

    return text_starts(line, text_of(front, (size_t)n)) && line.at[line.n - 1] == '}';
}

static bool
member_is(const struct json *record, const char *name, struct text wanted)
{
    struct text said;

    return json_string(json_get(record, name), &said) && text_equals(said, wanted);
}

/* What the first record says of itself: its number and `prev` are believed, for the
 * segment before is not read. */
static enum reason
judge_first(const struct reader *r, const struct json *record)
{
    struct chain *chain = &r->s->chain;
    struct text prev;
    int64_t seq, segment;

    if (!json_number(json_get(record, "seq"), &seq) || seq < 1 ||
        !json_string(json_get(record, "prev"), &prev) || prev.n != sizeof chain->hash)
        return broken(r, "is not a record");
    if (!member_is(record, "kind", TEXT("segment")) ||
        !json_number(json_get(record, "segment"), &segment) ||
        segment != (int64_t)r->s->number)
        return broken(r, "is not this segment's first record");
    if (!member_is(record, "key", text_z(r->s->key_id)))
        return broken(r, "the ledger was begun under another key than key.pem");
    chain->seq = (uint64_t)seq - 1;
    memcpy(chain->hash, prev.at, prev.n);
    return REASON_OK;
}

/* Behind `end` its checkpoint may stand, and nothing behind that. */
static bool
may_stand(struct reader *r, struct text line)
{
    struct audit_line l;
    bool is_form = audit_take_apart(line, &l);

    if (r->closing > 0)
        return ++r->closing == 2 && is_form &&
               text_equals(audit_kind(&l), TEXT("checkpoint"));
    r->closing = is_form && text_equals(audit_kind(&l), TEXT("end"));
    return is_form;
}

static enum reason
take_line(struct reader *r, struct text line)
{
    struct chain *chain = &r->s->chain;
    enum reason why = REASON_OK;

    if (++r->line == 1) {
        struct json *record = json_parse(line, line.n);

        why = judge_first(r, record);
        json_free(record);
        /* Behind the segment before, where an orderly end has left it. */
        if (why == REASON_OK)
            why = vouched_judge_record(r->s, r->vouched);
    }
    if (why != REASON_OK)
        return why;
    if (!follows(line, chain))
        return broken(r, "does not follow the record before it");
    if (!may_stand(r, line))
        return broken(r, "is not a record, or stands behind the segment's end");
    chain->seq++;
    digest_sha256_base64url(line, chain->hash);
    r->whole += line.n + 1;
    return vouched_judge_record(r->s, r->vouched);
}

/* The lines that are whole by now; the rest stays. */
static enum reason
take_lines(struct reader *r)
{
    struct text rest = spool_text(&r->held);
    const char *newline;
    enum reason why = REASON_OK;

    while (why == REASON_OK && rest.n > 0 &&
           (newline = memchr(rest.at, '\n', rest.n)) != NULL) {
        size_t n = (size_t)(newline - rest.at);

        if ((why = take_line(r, text_of(rest.at, n))) == REASON_OK)
            rest = text_of(newline + 1, rest.n - n - 1);
    }
    memmove(r->held.at, rest.at, rest.n);
    r->held.n = rest.n;
    return why;
}

static enum reason
read_lines(struct reader *r)
{
    enum reason why = REASON_OK;
    ssize_t n = 1;

    while (why == REASON_OK && n != 0) {
        n = read(r->fd, spool_reserve(&r->held, READ_STEP), READ_STEP);
        if (n < 0 && errno != EINTR)
            return unreadable(r->s, r->name);
        if (n <= 0)
            continue;
        r->held.n += (size_t)n;
        why = take_lines(r);
        /* Neither a record nor what a crash leaves of one; and it must not fill our
         * memory. */
        if (why == REASON_OK && r->held.n > LEDGER_LINE_MAX)
            why = broken(r, "more bytes without a newline follow than a record has");
    }
    return why;
}

static enum reason
open_to_read(struct reader *r)
{
    struct stat st;

    r->fd = openat(r->s->at, r->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &st) != 0)
        return unreadable(r->s, r->name);
    if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) ||
        (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return log_reason(REASON_FILE_UNSAFE, "%s/%s: not a file of ours alone",
                          r->s->directory, r->name);
    return REASON_OK;
}

/* What a crash leaves of a record it tore. */
static void
note_torn(const struct reader *r, struct torn *torn)
{
    if (r->held.n == 0)
        return;
    torn->bytes = r->held.n;
    digest_sha256_base64url(spool_text(&r->held), torn->sha256);
    log_warn("%s/%s: the last %zu bytes are no whole record, as a crash leaves them: "
             "sealed by the next segment",
             r->s->directory, r->name, r->held.n);
}

/* The chain stands behind its last record then. */
static enum reason
read_last(struct segment *s, const struct chain *vouched, struct torn *torn)
{
    struct reader r = { .s = s, .vouched = vouched, .fd = -1 };
    enum reason why;

    segment_name(s->number, r.name);
    if ((why = open_to_read(&r)) == REASON_OK)
        why = read_lines(&r);
    if (why == REASON_OK && r.line == 0)
        why = broken(&r, "holds no whole record");
    if (why == REASON_OK && r.held.n > 0 && r.closing == 2)
        why = broken(&r, "bytes stand behind the segment's end");
    if (why == REASON_OK)
        why = vouched_judge_end(s, vouched);
    if (why == REASON_OK)
        note_torn(&r, torn);
    spool_free(&r.held);
    if (r.fd >= 0)
        (void)close(r.fd);
    return why;
}

/* ---- what the directory holds */

/* 0: not a segment's name. */
static uint32_t
number_of(const char *name)
{
    char again[32];
    unsigned number;

    if (sscanf(name, "ledger-%8u", &number) != 1)
        return 0;
    segment_name(number, again);
    return strcmp(name, again) == 0 ? number : 0;
}

static enum reason
find_last(struct segment *s)
{
    int fd = openat(s->at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *one;

    if (all == NULL) {
        (void)unreadable(s, "");
        if (fd >= 0)
            (void)close(fd);
        return REASON_FILE_UNREADABLE;
    }
    while (errno = 0, (one = readdir(all)) != NULL)
        if (number_of(one->d_name) > s->number)
            s->number = number_of(one->d_name);
    if (errno != 0) {
        (void)unreadable(s, "");
        s->number = 0;
        (void)closedir(all);
        return REASON_FILE_UNREADABLE;
    }
    (void)closedir(all);
    return REASON_OK;
}

/* ---- what the directory is given */

static void
header_spell(struct segment *s)
{
    struct buf json = { 0 };
    struct text t;

    buf_printf(&json, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"ledger+jws\"}",
               s->key_id);
    t = buf_text(&json);
    buf_commit(&s->jws_header,
               base64url_encode((const unsigned char *)t.at, t.n,
                                buf_reserve(&s->jws_header, BASE64URL_SIZE(t.n))));
    buf_free(&json);
}

static enum reason
publish_key(struct segment *s)
{
    struct buf path = { 0 }, jwk = { 0 };
    enum reason why;

    buf_printf(&path, "%s/key.jwk%c", s->directory, '\0');
    jwk_print(s->key, s->key_id, &jwk);
    buf_add_byte(&jwk, '\n');
    why = file_write(buf_text(&path).at, 0644, buf_text(&jwk));
    buf_free(&jwk);
    buf_free(&path);
    return why;
}

/* A ledger that has records has a key: another in its place would begin another ledger
 * that passes for this one. */
static enum reason
take_key(struct segment *s)
{
    struct buf path = { 0 };
    enum reason why;

    buf_printf(&path, "%s/key.pem%c", s->directory, '\0');
    why = s->number == 0 ? key_keep(buf_text(&path).at, &s->key)
                         : key_load(buf_text(&path).at, &s->key);
    buf_free(&path);
    if (why != REASON_OK)
        return why;
    key_thumbprint(s->key, s->key_id);
    header_spell(s);
    return publish_key(s);
}

/* Two writers would fork the chain. */
static enum reason
take_lock(struct segment *s)
{
    s->lock = openat(s->at, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return unreadable(s, "lock");
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return REASON_OK;
    if (errno != EWOULDBLOCK)
        return unreadable(s, "lock");
    return log_reason(REASON_FILE_UNSAFE, "%s: another one writes here", s->directory);
}

static enum reason
take_directory(struct segment *s)
{
    enum reason why = file_judge_directory(s->directory, 0700);

    if (why != REASON_OK)
        return why;
    s->at = open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return s->at < 0 ? unreadable(s, "") : take_lock(s);
}

/* ---- the whole */

static enum reason
continue_ledger(struct segment *s)
{
    struct torn torn = { 0 };
    struct chain vouched;
    enum reason why = take_directory(s);

    if (why == REASON_OK)
        why = find_last(s);
    if (why == REASON_OK)
        why = vouched_read(s, &vouched);
    if (why == REASON_OK && s->number == 0)
        why = vouched_judge_end(s, &vouched);
    if (why == REASON_OK)
        why = take_key(s);
    if (why == REASON_OK && s->number > 0)
        why = read_last(s, &vouched, &torn);
    if (why == REASON_OK)
        why = segment_begin(s, torn.bytes > 0 ? &torn : NULL);
    return why == REASON_OK ? segment_sync(s) : why;
}

enum reason
segment_open(const char *directory, int64_t bytes_max, struct segment **out)
{
    struct segment *s = memory_new(sizeof *s);
    enum reason why;

    *out = NULL;
    s->directory = memory_copy_z(directory);
    s->bytes_max = bytes_max;
    s->at = s->lock = s->fd = -1;
    s->stamp_ms = -1;
    memset(s->chain.hash, 'A', sizeof s->chain.hash);
    if ((why = continue_ledger(s)) == REASON_OK)
        *out = s;
    else
        segment_close(s);
    return why;
}

void
segment_close(struct segment *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->lock >= 0)
        (void)close(s->lock);
    if (s->at >= 0)
        (void)close(s->at);
    key_free(s->key);
    buf_free(&s->jws_header);
    spool_free(&s->unsynced);
    spool_free(&s->sync.checkpoint.line);
    spool_free(&s->latest.line);
    spool_free(&s->kept.line);
    free(s->directory);
    free(s);
}

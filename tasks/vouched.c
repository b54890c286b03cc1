#include "tasks/vouched.h"

#include "base/file.h"
#include "base/log.h"
#include "tasks/audit_files.h"
#include "tasks/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADVICE                                                                         \
    "keep the directory as it is, for `audit verify` and whoever looks into it, and "  \
    "give `ledger.keep` a new one"

static enum reason
judge_file(const struct segment *s, const struct stat *st)
{
    if (S_ISREG(st->st_mode) && (st->st_uid == geteuid() || st->st_uid == 0) &&
        (st->st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return REASON_OK;
    return log_reason(REASON_FILE_UNSAFE, "%s/checkpoint: not a file of ours alone",
                      s->directory);
}

/* One line, with its newline: a checkpoint record. */
static bool
take_record(struct text all, struct chain *out)
{
    struct audit_line record;

    if (!text_ends(all, TEXT("\n")) || memchr(all.at, '\n', all.n - 1) != NULL ||
        !audit_take_apart(text_of(all.at, all.n - 1), &record) || record.seq == 0 ||
        !audit_is_kind(&record, TEXT("checkpoint")))
        return false;
    out->seq = record.seq;
    digest_sha256_base64url(record.text, out->hash);
    return true;
}

static enum reason
read_record(const struct segment *s, struct chain *out)
{
    struct buf path = { 0 }, all = { 0 };
    enum reason why;

    buf_printf(&path, "%s/checkpoint%c", s->directory, '\0');
    why = file_read(buf_text(&path).at, LEDGER_LINE_MAX, &all);
    if (why == REASON_OK && !take_record(buf_text(&all), out))
        why = log_reason(REASON_LEDGER_BROKEN,
                         "%s/checkpoint: is not one checkpoint record, and no crash "
                         "leaves it so: " ADVICE,
                         s->directory);
    buf_free(&all);
    buf_free(&path);
    return why;
}

enum reason
vouched_read(const struct segment *s, struct chain *out)
{
    struct stat st;
    enum reason why;

    *out = (struct chain){ 0 };
    if (fstatat(s->at, "checkpoint", &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return log_reason(REASON_FILE_UNREADABLE, "%s/checkpoint: %s", s->directory,
                              strerror(errno));
        if (s->number > 0)
            log_warn("%s: there is no file `checkpoint`, as when the first one was not "
                     "written yet: whether the ledger's end was cut is not to be seen "
                     "here",
                     s->directory);
        return REASON_OK;
    }
    why = judge_file(s, &st);
    return why == REASON_OK ? read_record(s, out) : why;
}

enum reason
vouched_judge_record(const struct segment *s, const struct chain *vouched)
{
    if (vouched->seq == 0 || s->chain.seq != vouched->seq ||
        memcmp(s->chain.hash, vouched->hash, sizeof vouched->hash) == 0)
        return REASON_OK;
    return log_reason(REASON_LEDGER_BROKEN,
                      "%s: record %" PRIu64 " is another than the one that the file "
                      "`checkpoint` holds: " ADVICE,
                      s->directory, vouched->seq);
}

enum reason
vouched_judge_end(const struct segment *s, const struct chain *vouched)
{
    char name[32];

    if (s->chain.seq >= vouched->seq)
        return REASON_OK;
    if (s->number == 0)
        return log_reason(REASON_LEDGER_BROKEN,
                          "%s: no segment is there, and the file `checkpoint` is "
                          "record %" PRIu64 ": they were taken away: " ADVICE,
                          s->directory, vouched->seq);
    segment_name(s->number, name);
    return log_reason(REASON_LEDGER_BROKEN,
                      "%s/%s: ends with record %" PRIu64 ", and the file `checkpoint` "
                      "is record %" PRIu64 ", which was on the disk: the end was cut, "
                      "or an older state put back: " ADVICE,
                      s->directory, name, s->chain.seq, vouched->seq);
}

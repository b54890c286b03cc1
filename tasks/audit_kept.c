#include "tasks/audit_kept.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- reading */

static enum reason
read_line(struct text line, const char *path, struct audit_chain *c,
          const struct checkpoint_key *key, struct audit_keepsake *out)
{
    struct audit_place at = { .name = "checkpoint" };
    struct checkpoint read;

    switch (checkpoint_read(key, line, &read)) {
    case CHECKPOINT_GOOD:
        out->checkpoint = read;
        return REASON_OK;
    case CHECKPOINT_OTHER_TIME:
    case CHECKPOINT_UNSIGNED:
        audit_fault(c, &at, "%s: bad signature", out->who);
        return REASON_OK;
    case CHECKPOINT_NONE:
    default:
        return log_reason(REASON_FILE_CONTENT, "%s: not a checkpoint", path);
    }
}

static struct text
without_last_newline(struct text t)
{
    if (t.n == 0)
        return TEXT("");
    return text_of(t.at, t.at[t.n - 1] == '\n' ? t.n - 1 : t.n);
}

/* A line; or several, as a witness was sent them: the last one vouches for those before
 * it. */
static enum reason
read_file(const char *path, struct audit_chain *c, const struct checkpoint_key *key,
          struct audit_keepsake *out)
{
    struct buf all = { 0 };
    enum reason why = file_read(path, AUDIT_LINE_MAX, &all);
    struct text rest = without_last_newline(buf_text(&all)), line;

    while (why == REASON_OK && text_split(&rest, '\n', &line))
        why = read_line(line, path, c, key, out);
    buf_free(&all);
    return why;
}

enum reason
audit_kept_read(struct audit_kept *k, struct audit_chain *c,
                const struct checkpoint_key *key, const struct audit_asked *asked)
{
    struct audit_keepsake *given = &k->at[0], *own = &k->at[1];
    char path[PATH_MAX];
    enum reason why = REASON_OK;

    given->who = "the checkpoint given";
    own->who = "the directory's own checkpoint";
    if (asked->checkpoint != NULL)
        why = read_file(asked->checkpoint, c, key, given);
    snprintf(path, sizeof path, "%s/checkpoint", asked->directory);
    if (why == REASON_OK && (access(path, F_OK) == 0 || errno != ENOENT))
        why = read_file(path, c, key, own);
    return why;
}

/* ---- comparing */

static bool
is_other(uint64_t seq, const char hash[SHA256_BASE64URL_SIZE],
         const struct audit_line *l)
{
    return seq == l->seq && memcmp(hash, l->hash, sizeof l->hash) != 0;
}

/* A kept checkpoint vouches for the record before it, and whoever kept it, for itself.
 */
void
audit_kept_compare(const struct audit_kept *k, struct audit_chain *c,
                   const struct audit_segment *s, size_t i)
{
    struct audit_place at = audit_place_of(s, i);
    const struct audit_line *l = &s->lines[i];

    for (size_t n = 0; n < AUDIT_KEPT; n++) {
        const struct checkpoint *kept = &k->at[n].checkpoint;

        if (!is_other(kept->seq, kept->hash, l) &&
            !is_other(kept->own_seq, kept->own_hash, l))
            continue;
        audit_fault(c, &at,
                    "record %" PRIu64
                    ": changed or of another time, %s vouches for another one",
                    l->seq, k->at[n].who);
        return;
    }
}

void
audit_kept_judge_age(const struct audit_kept *k, struct audit_chain *c)
{
    struct audit_place first = audit_place_of_segment(1); /* nothing was in its place */

    for (size_t i = 0; i < AUDIT_KEPT; i++) {
        uint64_t seq = k->at[i].checkpoint.own_seq;

        if (seq <= c->result->last)
            continue;
        audit_fault(c, c->last.line > 0 ? &c->last : &first,
                    "record %" PRIu64 " is the last, and %s is record %" PRIu64
                    ": the tail was cut, or an older state put back",
                    c->result->last, k->at[i].who, seq);
        return;
    }
}

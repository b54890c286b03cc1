#include "tasks/audit_vouching.h"

#include "tasks/ledger.h"

#include <inttypes.h>
#include <string.h>

enum vouching {
    VOUCHES,
    VOUCHES_FOR_OTHERS,
    VOUCHES_AT_ANOTHER_TIME,
    UNSIGNED,
    MISSPELT
};

/* The checkpoint that is this line, for the record before it. */
static enum vouching
look_at(struct audit_chain *chain, const struct checkpoint_key *key,
        const struct audit_line *l)
{
    struct checkpoint c;

    switch (checkpoint_read(key, l->text, &c)) {
    case CHECKPOINT_GOOD:
        break;
    case CHECKPOINT_OTHER_TIME:
        return VOUCHES_AT_ANOTHER_TIME;
    case CHECKPOINT_UNSIGNED:
        return UNSIGNED;
    case CHECKPOINT_NONE:
        return MISSPELT;
    }
    if (memcmp(c.hash, audit_prev(l).at, sizeof c.hash) != 0)
        return VOUCHES_FOR_OTHERS;
    if (c.seq > chain->result->covered)
        chain->result->covered = c.seq;
    return VOUCHES;
}

static void
judge(struct audit_chain *c, const struct checkpoint_key *key,
      const struct audit_segment *s, size_t i)
{
    struct audit_place at = audit_place_of(s, i);
    uint64_t seq = s->lines[i].seq;

    switch (look_at(c, key, &s->lines[i])) {
    case VOUCHES:
        break;
    case VOUCHES_FOR_OTHERS:
        audit_fault(c, &at,
                    "records up to %" PRIu64
                    ": changed, this checkpoint was signed for others",
                    seq - 1);
        break;
    case VOUCHES_AT_ANOTHER_TIME:
        audit_fault(c, &at,
                    "record %" PRIu64 ": changed, it was signed at another time", seq);
        break;
    case UNSIGNED:
        audit_fault(c, &at, "record %" PRIu64 ": bad signature", seq);
        break;
    case MISSPELT:
        audit_fault(c, &at,
                    "record %" PRIu64 ": changed, no checkpoint is spelt like this",
                    seq);
    }
}

static bool
is_checkpoint(const struct audit_line *l)
{
    return l->seq > 0 && !l->is_displaced && audit_is_kind(l, TEXT("checkpoint"));
}

/* Where the run of records without a checkpoint ends that begins with line i. */
static size_t
end_of_unsigned(const struct audit_segment *s, size_t i)
{
    while (i < s->n && !is_checkpoint(&s->lines[i]))
        i++;
    return i;
}

/* Who rewrites records has no key to sign them with, and leaves the checkpoints out. */
static void
judge_unsigned(struct audit_chain *c, const struct audit_segment *s)
{
    for (size_t i = 0, end; i < s->n; i = end + 1) {
        struct audit_place at = audit_place_of(s, i);

        end = end_of_unsigned(s, i);
        if (end - i <= LEDGER_CHECKPOINT_RECORDS)
            continue;
        audit_fault(c, &at,
                    "records %" PRIu64 " to %" PRIu64
                    ": changed, the checkpoints between them are missing",
                    s->lines[i].seq, s->lines[end - 1].seq);
    }
}

void
audit_judge_signatures(struct audit_chain *c, const struct checkpoint_key *key,
                       const struct audit_segment *s, bool is_whole)
{
    size_t last = s->n;

    if (is_whole)
        judge_unsigned(c, s);
    while (last > 0 && !is_checkpoint(&s->lines[last - 1]))
        last--;
    if (last == 0 || (is_whole && look_at(c, key, &s->lines[last - 1]) == VOUCHES))
        return;
    for (size_t i = 0; i < last; i++)
        if (is_checkpoint(&s->lines[i]))
            judge(c, key, s, i);
}

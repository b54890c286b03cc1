/* The files of a ledger (ledger.h) as they lie there, without a word about whether they
 * are right: which segments there are, and the lines of each, taken apart as far as
 * every record is alike. */
#ifndef TASKS_AUDIT_FILES_H
#define TASKS_AUDIT_FILES_H

#include "base/digest.h"
#include "base/reason.h"
#include "base/text.h"

#include <string.h>

enum { AUDIT_TS_LENGTH = 24 };

struct audit_line {
    struct text text;                 /* without its newline */
    uint64_t seq;                     /* 0: not of a record's form */
    char hash[SHA256_BASE64URL_SIZE]; /* of text */
    unsigned char prev;               /* where its 43 characters stand */
    unsigned char kind, kind_length;  /* likewise */
    bool is_displaced;                /* the chain's (audit_chain.h) */
};

struct audit_segment {
    unsigned number; /* by its name */
    char name[32];
    struct text bytes;
    struct text tail; /* behind the last newline */
    struct audit_line *lines;
    size_t n, room;
};

/* The numbers of the segments, ascending; the caller frees. Logs what goes wrong. */
MUST_USE enum reason audit_list(const char *directory, unsigned **numbers, size_t *n);

/* Opens one, its lines not yet looked at. A zeroed segment, or one that was opened
 * before, whose memory is used again. */
MUST_USE enum reason audit_open(const char *directory, unsigned number,
                                struct audit_segment *s);
/* Takes each line apart and hashes it. */
void audit_read_lines(struct audit_segment *s);
/* Unmaps and frees. */
void audit_close(struct audit_segment *s);

/* Is this a record's beginning, as ledger.h spells it? Fills all but the hash. */
bool audit_take_apart(struct text line, struct audit_line *out);

static inline struct text
audit_prev(const struct audit_line *l)
{
    return text_of(l->text.at + l->prev, SHA256_BASE64URL_SIZE);
}

static inline struct text
audit_ts(const struct audit_line *l)
{
    enum { BETWEEN = sizeof "\",\"kind\":\"" - 1 };

    return text_of(l->text.at + l->kind - BETWEEN - AUDIT_TS_LENGTH, AUDIT_TS_LENGTH);
}

static inline struct text
audit_kind(const struct audit_line *l)
{
    return text_of(l->text.at + l->kind, l->kind_length);
}

static inline bool
audit_is_kind(const struct audit_line *l, struct text kind)
{
    return l->kind_length == kind.n &&
           memcmp(l->text.at + l->kind, kind.at, kind.n) == 0;
}

#endif

/* The ledger's reader. The chain (audit_chain.h) judges records, one segment after the
 * other; what stands here judges how segments follow each other, and what signatures
 * vouch for. */
#include "tasks/audit.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "tasks/audit_chain.h"
#include "tasks/audit_checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the first record of a segment says of it. */
struct opening {
    uint64_t number;
    char key[THUMBPRINT_SIZE];
    bool has_torn;
    uint64_t torn_bytes;
    char torn_hash[SHA256_BASE64URL_SIZE];
};

/* A segment that was judged. */
struct passed {
    unsigned place;  /* by its name */
    uint64_t number; /* by its first record, where that can be read */
    uint64_t next;
    char hash[SHA256_BASE64URL_SIZE]; /* of its last record */
};

struct tail {
    struct audit_place at;
    size_t bytes; /* 0: there is none, or it was told of */
    bool is_told; /* it stands where none may, sealed or not */
    char hash[SHA256_BASE64URL_SIZE];
};

/* A checkpoint from outside the chain. */
struct kept {
    struct checkpoint checkpoint; /* seq 0: none */
    const char *who;
};

struct audit {
    const struct audit_asked *asked;
    struct checkpoint_key *key;
    struct kept kept[2]; /* given; the directory's own */
    unsigned *numbers;
    size_t n;
    struct passed *passed;
    size_t n_passed;
    struct audit_segment segment;
    struct audit_chain chain;
    struct tail tail;
    struct audit_result *result;
};

/* ---- kinds that the ledger itself writes */

static bool
is_kind(const struct audit_line *l, struct text kind)
{
    return l->kind_length == kind.n &&
           memcmp(l->text.at + l->kind, kind.at, kind.n) == 0;
}

static void
take_lost(struct audit *a, const struct audit_line *l)
{
    struct json *j = json_parse(l->text, AUDIT_LINE_MAX);
    int64_t refusals;

    if (json_number(json_get(j, "refusals"), &refusals) && refusals > 0)
        a->result->lost += (uint64_t)refusals;
    json_free(j);
}

/* Nothing but a checkpoint stands behind a segment's end, and nothing behind that. A
 * line that has no record's form is the chain's to tell. */
static void
take_end(struct audit *a, const struct audit_segment *s, size_t i)
{
    struct audit_place at = audit_place_of(s, i);
    const struct audit_line *l = &s->lines[i];

    /* Signed or not, it has one spelling: a checkpoint whose newline before it was
     * changed is no part of it. */
    if (l->text.at + l->text.n != audit_kind(l).at + l->kind_length + 2)
        audit_fault(&a->chain, &at, "record %" PRIu64 ": changed, an end says no more",
                    l->seq);
    if (i + 1 == s->n || s->lines[i + 1].seq == 0)
        return;
    at = audit_place_of(s, ++i);
    if (!is_kind(&s->lines[i], TEXT("checkpoint"))) {
        audit_fault(&a->chain, &at,
                    "record %" PRIu64 ": changed or inserted, behind the segment's end "
                    "stands its checkpoint alone",
                    s->lines[i].seq);
        return;
    }
    if (i + 1 == s->n || s->lines[i + 1].seq == 0)
        return;
    at = audit_place_of(s, i + 1);
    audit_fault(&a->chain, &at,
                "record %" PRIu64 ": inserted, behind the segment's end",
                s->lines[i + 1].seq);
}

static bool
is_other(uint64_t seq, const char hash[SHA256_BASE64URL_SIZE],
         const struct audit_line *l)
{
    return seq == l->seq && memcmp(hash, l->hash, sizeof l->hash) != 0;
}

/* A kept checkpoint vouches for the record before it, and whoever kept it, for itself.
 */
static void
compare_kept(struct audit *a, const struct audit_segment *s, size_t i)
{
    struct audit_place at = audit_place_of(s, i);

    for (size_t k = 0; k < sizeof a->kept / sizeof a->kept[0]; k++) {
        const struct checkpoint *c = &a->kept[k].checkpoint;

        if (!is_other(c->seq, c->hash, &s->lines[i]) &&
            !is_other(c->own_seq, c->own_hash, &s->lines[i]))
            continue;
        audit_fault(&a->chain, &at,
                    "record %" PRIu64
                    ": changed or of another time, %s vouches for another one",
                    s->lines[i].seq, a->kept[k].who);
        return;
    }
}

/* Cheap, for it is asked of every record. */
static bool
is_kept(const struct audit *a, uint64_t seq)
{
    return seq - a->kept[0].checkpoint.seq <= 1 || seq - a->kept[1].checkpoint.seq <= 1;
}

/* A record in its place. */
static void
take_record(void *owner, struct audit_segment *s, size_t i)
{
    struct audit *a = owner;
    const struct audit_line *l = &s->lines[i];
    struct audit_place at;

    if (a->result->records++ == 0)
        a->result->first = l->seq;
    if (l->seq > a->result->last)
        a->result->last = l->seq;
    if (is_kept(a, l->seq))
        compare_kept(a, s, i);
    if (is_kind(l, TEXT("checkpoint"))) {
        a->result->checkpoints++;
    } else if (is_kind(l, TEXT("lost"))) {
        take_lost(a, l);
    } else if (is_kind(l, TEXT("end"))) {
        take_end(a, s, i);
    } else if (is_kind(l, TEXT("segment")) && i > 0) {
        at = audit_place_of(s, i);
        audit_fault(&a->chain, &at,
                    "record %" PRIu64 ": a segment begins within another", l->seq);
    }
}

static bool
stands_elsewhere(void *owner, const struct audit_segment *s, const struct audit_line *l)
{
    const struct audit *a = owner;
    struct audit_segment other = { 0 };
    bool found = false;

    for (size_t k = 0; k < a->n && !found; k++)
        found = a->numbers[k] != s->number &&
                audit_open(a->asked->directory, a->numbers[k], &other) == REASON_OK &&
                memmem(other.bytes.at, other.bytes.n, l->text.at, l->text.n) != NULL;
    audit_close(&other);
    return found;
}

/* ---- how a segment begins */

static bool
read_torn(const struct json *torn, struct opening *o)
{
    struct text hash;
    int64_t bytes;

    o->has_torn = torn != NULL;
    if (torn == NULL)
        return true;
    if (!json_number(json_get(torn, "bytes"), &bytes) || bytes < 0 ||
        !json_string(json_get(torn, "sha256"), &hash) || hash.n != sizeof o->torn_hash)
        return false;
    o->torn_bytes = (uint64_t)bytes;
    memcpy(o->torn_hash, hash.at, hash.n);
    return true;
}

/* False: there is none, or it is not as it was written, which the chain tells. */
static bool
read_opening(const struct audit_segment *s, struct opening *o)
{
    unsigned char digest[SHA256_SIZE + 1];
    struct json *j;
    size_t length;
    struct text key;
    int64_t number;
    bool is_good;

    if (s->n == 0 || s->lines[0].seq == 0 || !is_kind(&s->lines[0], TEXT("segment")) ||
        (s->n > 1 && !audit_links(s, 0)))
        return false;
    j = json_parse(s->lines[0].text, AUDIT_LINE_MAX);
    is_good = json_number(json_get(j, "segment"), &number) && number > 0 &&
              json_string(json_get(j, "key"), &key) && key.n == sizeof o->key &&
              read_torn(json_get(j, "torn"), o);
    /* It is told to people: nothing but what a thumbprint is made of. */
    is_good = is_good && base64url_decode(key, digest, &length);
    if (is_good) {
        o->number = (uint64_t)number;
        memcpy(o->key, key.at, key.n);
    }
    json_free(j);
    return is_good;
}

static struct audit_place
place_of_segment(unsigned number)
{
    struct audit_place p = { .line = 0 };

    snprintf(p.name, sizeof p.name, "ledger-%08u.jsonl", number);
    return p;
}

static void
tell_missing(struct audit *a, unsigned first, unsigned last)
{
    struct audit_place at = place_of_segment(first);

    if (first == last)
        audit_fault(&a->chain, &at, "segment %u: missing", first);
    else
        audit_fault(&a->chain, &at, "segments %u to %u: missing", first, last);
}

static const struct passed *
find_passed(const struct audit *a, uint64_t number)
{
    for (size_t i = 0; i < a->n_passed; i++)
        if (a->passed[i].number == number)
            return &a->passed[i];
    return NULL;
}

/* It follows a segment that stands where it should not: that was told. */
static bool
follows_another(const struct audit *a, const struct audit_line *l)
{
    for (size_t i = 0; i < a->n_passed; i++)
        if (a->passed[i].next == l->seq &&
            memcmp(a->passed[i].hash, audit_prev(l).at, sizeof a->passed[i].hash) == 0)
            return true;
    return false;
}

static void
tell_break(struct audit *a, const struct audit_segment *s)
{
    const struct audit_line *l = &s->lines[0];
    struct audit_place at = place_of_segment(s->number);

    if (l->seq < a->chain.next)
        audit_fault(&a->chain, &at,
                    "segment %u: of another time, it begins with record %" PRIu64
                    " behind record %" PRIu64,
                    s->number, l->seq, a->chain.next - 1);
    else
        audit_fault(&a->chain, a->chain.last.line > 0 ? &a->chain.last : &at,
                    "record %" PRIu64 ": changed, or segment %u: of another time, it "
                    "was written behind another",
                    l->seq - 1, s->number);
}

enum standing { IN_PLACE, MOVED, APART };

/* Whether the segment belongs here; the chain goes on with it as it says. */
static enum standing
judge_opening(struct audit *a, const struct opening *o)
{
    const struct audit_segment *s = &a->segment;
    const struct audit_line *l = &s->lines[0];
    struct audit_place at = place_of_segment(s->number);
    enum standing standing = IN_PLACE;
    bool fits = audit_fits(&a->chain, l);

    if (memcmp(o->key, checkpoint_thumbprint(a->key), sizeof o->key) != 0) {
        standing = APART;
        audit_fault(&a->chain, &at,
                    "segment %" PRIu64 ": of another ledger, its key is %.*s",
                    o->number, (int)sizeof o->key, o->key);
    } else if (o->number != s->number && find_passed(a, o->number) != NULL) {
        standing = APART;
        audit_fault(&a->chain, &at, "segment %" PRIu64 ": twice", o->number);
    } else if (o->number != s->number) {
        standing = MOVED;
        audit_fault(&a->chain, &at,
                    "segment %" PRIu64 ": out of order, in the place of segment %u",
                    o->number, s->number);
    } else if (!fits && !follows_another(a, l)) {
        /* More records than one missing: the chain says which. */
        if (l->seq > a->chain.next)
            return standing;
        tell_break(a, s);
    }
    if (!fits)
        audit_resume(&a->chain, l);
    return standing;
}

/* ---- torn tails */

static void
tell_unsealed(struct audit *a)
{
    if (a->tail.bytes > 0 && !a->tail.is_told)
        audit_fault(&a->chain, &a->tail.at,
                    "a torn tail of %zu bytes that nobody sealed", a->tail.bytes);
    a->tail.bytes = 0;
}

static void
judge_tail(struct audit *a, const struct opening *o)
{
    struct audit_place at = place_of_segment(a->segment.number);

    if (!o->has_torn) {
        tell_unsealed(a);
        return;
    }
    a->result->torn++;
    if (a->tail.bytes != o->torn_bytes ||
        memcmp(a->tail.hash, o->torn_hash, sizeof a->tail.hash) != 0)
        audit_fault(&a->chain, &at,
                    "segment %" PRIu64 ": changed, the torn tail before it is not the "
                    "one it sealed",
                    o->number);
    a->tail.bytes = 0;
}

/* No crash tears what comes behind the last record: there is nothing to be written. */
static void
note_tail(struct audit *a, bool is_closed)
{
    const struct audit_segment *s = &a->segment;

    a->tail.bytes = s->tail.n;
    a->tail.at = audit_place_of(s, s->n);
    a->tail.is_told = is_closed && s->tail.n > 0;
    if (s->tail.n > 0)
        digest_sha256_base64url(s->tail, a->tail.hash);
    if (a->tail.is_told)
        audit_fault(&a->chain, &a->tail.at,
                    "%zu bytes inserted, behind the segment's end", s->tail.n);
}

/* ---- what is signed */

enum vouching {
    VOUCHES,
    VOUCHES_FOR_OTHERS,
    VOUCHES_AT_ANOTHER_TIME,
    UNSIGNED,
    MISSPELT
};

/* The checkpoint that is line i, for the record before it. */
static enum vouching
look_at_checkpoint(struct audit *a, size_t i)
{
    const struct audit_line *l = &a->segment.lines[i];
    struct checkpoint c;

    switch (checkpoint_read(a->key, l->text, &c)) {
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
    if (c.seq > a->result->covered)
        a->result->covered = c.seq;
    return VOUCHES;
}

static void
judge_checkpoint(struct audit *a, size_t i)
{
    struct audit_place at = audit_place_of(&a->segment, i);
    uint64_t seq = a->segment.lines[i].seq;

    switch (look_at_checkpoint(a, i)) {
    case VOUCHES:
        break;
    case VOUCHES_FOR_OTHERS:
        audit_fault(&a->chain, &at,
                    "records up to %" PRIu64
                    ": changed, this checkpoint was signed for others",
                    seq - 1);
        break;
    case VOUCHES_AT_ANOTHER_TIME:
        audit_fault(&a->chain, &at,
                    "record %" PRIu64 ": changed, it was signed at another time", seq);
        break;
    case UNSIGNED:
        audit_fault(&a->chain, &at, "record %" PRIu64 ": bad signature", seq);
        break;
    case MISSPELT:
        audit_fault(&a->chain, &at,
                    "record %" PRIu64 ": changed, no checkpoint is spelt like this",
                    seq);
    }
}

static bool
is_checkpoint(const struct audit_line *l)
{
    return l->seq > 0 && !l->is_displaced && is_kind(l, TEXT("checkpoint"));
}

/* The last good one vouches for those before it, as long as the chain between them is
 * whole. */
static void
judge_signatures(struct audit *a, bool is_whole)
{
    const struct audit_segment *s = &a->segment;
    size_t last = s->n;

    while (last > 0 && !is_checkpoint(&s->lines[last - 1]))
        last--;
    if (last == 0 || (is_whole && look_at_checkpoint(a, last - 1) == VOUCHES))
        return;
    for (size_t i = 0; i < last; i++)
        if (is_checkpoint(&s->lines[i]))
            judge_checkpoint(a, i);
}

/* ---- one segment */

/* While its writer lives, the end of what it just wrote may not be there yet: looked at
 * again until it stands still. */
static enum reason
open_segment(struct audit *a, size_t k)
{
    enum { PATIENCE = 8 };
    const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
    struct audit_segment *s = &a->segment;
    enum reason why = audit_open(a->asked->directory, a->numbers[k], s);
    size_t size = 0;

    if (why != REASON_OK)
        return why;
    audit_read_lines(s);
    for (unsigned i = 0;
         i < PATIENCE && k + 1 == a->n && s->tail.n > 0 && s->bytes.n != size; i++) {
        size = s->bytes.n;
        nanosleep(&nap, NULL);
        why = audit_open(a->asked->directory, a->numbers[k], s);
        if (why != REASON_OK)
            return why;
        audit_read_lines(s);
    }
    return REASON_OK;
}

static void
note_passed(struct audit *a, uint64_t number)
{
    struct passed *p = &a->passed[a->n_passed++];

    p->place = a->segment.number;
    p->number = number;
    p->next = a->chain.next;
    memcpy(p->hash, a->chain.hash, sizeof p->hash);
}

static bool
is_behind_gap(struct audit *a, size_t k)
{
    unsigned expected = k == 0 ? 1 : a->numbers[k - 1] + 1;

    if (a->numbers[k] == expected)
        return false;
    tell_missing(a, expected, a->numbers[k] - 1);
    a->tail.bytes = 0; /* what sealed it is missing */
    if (a->segment.n > 0 && a->segment.lines[0].seq >= a->chain.next)
        audit_resume(&a->chain, &a->segment.lines[0]);
    return true;
}

/* Its last two records are those that close it. */
static bool
has_closing(const struct audit_segment *s)
{
    return s->n >= 2 && is_kind(&s->lines[s->n - 2], TEXT("end")) &&
           is_kind(&s->lines[s->n - 1], TEXT("checkpoint"));
}

/* It could not be read, and the chain found nothing wrong with it. */
static void
tell_bad_opening(struct audit *a)
{
    const struct audit_segment *s = &a->segment;
    struct audit_place at = place_of_segment(s->number);

    if (s->n == 0)
        audit_fault(&a->chain, &at, "segment %u: changed, it holds no record",
                    s->number);
    else
        audit_fault(&a->chain, &at, "segment %u: changed, no segment begins like this",
                    s->number);
}

static void
judge_segment(struct audit *a, size_t k)
{
    bool behind_gap = is_behind_gap(a, k);
    struct opening o = { .number = a->segment.number };
    struct audit_chain before = a->chain;
    enum standing standing = IN_PLACE;
    bool is_opened = read_opening(&a->segment, &o), is_closed;
    uint64_t faults;

    if (is_opened) {
        standing = judge_opening(a, &o);
        if (standing == IN_PLACE && !behind_gap)
            judge_tail(a, &o);
    }
    faults = a->result->faults;
    audit_follow(&a->chain, &a->segment);
    if (!is_opened && a->result->faults == faults)
        tell_bad_opening(a);
    if (standing != APART || o.number != a->segment.number)
        judge_signatures(a, a->result->faults == faults);
    note_passed(a, o.number);
    is_closed = has_closing(&a->segment);
    note_tail(a, is_closed);
    a->result->is_ended = is_closed && a->segment.tail.n == 0;
    if (standing == APART)
        a->chain = before;
}

/* ---- the ledger */

/* Segments in whose place another stands, and that stand nowhere: if one behind them
 * is there, so were they. */
static void
tell_replaced(struct audit *a)
{
    uint64_t last = 0;

    for (size_t i = 0; i < a->n_passed; i++)
        if (a->passed[i].number > last)
            last = a->passed[i].number;
    for (size_t i = 0; i < a->n_passed && a->result->faults > 0 &&
                       a->result->faults < AUDIT_FAULTS_TOLD;
         i++) {
        unsigned place = a->passed[i].place;

        if (place != a->passed[i].number && place < last &&
            find_passed(a, place) == NULL)
            tell_missing(a, place, place);
    }
}

static void
judge_age(struct audit *a)
{
    for (size_t i = 0; i < sizeof a->kept / sizeof a->kept[0]; i++) {
        const struct kept *k = &a->kept[i];

        if (k->checkpoint.own_seq <= a->result->last)
            continue;
        audit_fault(&a->chain, &a->chain.last,
                    "record %" PRIu64 " is the last, and %s is record %" PRIu64
                    ": the tail was cut, or an older state put back",
                    a->result->last, k->who, k->checkpoint.own_seq);
        return;
    }
}

/* Not told as a fault: so does every ledger look that is being written. Where there are
 * faults, they say more. */
static void
tell_open_end(struct audit *a)
{
    const struct audit_place *at = &a->chain.last;

    if (a->result->is_ended || a->result->faults > 0)
        return;
    buf_printf(a->chain.report,
               "%s:%zu: record %" PRIu64
               " is the last, not closed in order: the writer "
               "is at work or was killed, or the end was cut\n",
               at->name, at->line, a->result->last);
}

static enum reason
judge_all(struct audit *a)
{
    struct audit_place all = place_of_segment(1);

    for (size_t k = 0; k < a->n; k++) {
        enum reason why = open_segment(a, k);

        if (why != REASON_OK)
            return why;
        judge_segment(a, k);
    }
    if (a->n == 0)
        audit_fault(&a->chain, &all, "segment 1: missing, there is none");
    tell_unsealed(a);
    tell_replaced(a);
    judge_age(a);
    tell_open_end(a);
    return REASON_OK;
}

/* ---- what it is judged by */

static enum reason
read_kept(struct audit *a, const char *path, const char *who, struct kept *out)
{
    struct audit_place at = { .name = "checkpoint" };
    struct buf line = { 0 };
    enum reason why = file_read(path, AUDIT_LINE_MAX, &line);

    if (why == REASON_OK) {
        out->who = who;
        switch (checkpoint_read(a->key, buf_text(&line), &out->checkpoint)) {
        case CHECKPOINT_GOOD:
            break;
        case CHECKPOINT_OTHER_TIME:
        case CHECKPOINT_UNSIGNED:
            audit_fault(&a->chain, &at, "%s: bad signature", who);
            break;
        case CHECKPOINT_NONE:
            why = log_reason(REASON_FILE_CONTENT, "%s: not a checkpoint", path);
        }
    }
    buf_free(&line);
    return why;
}

/* Read before the segments are: the writer writes it behind them. */
static enum reason
read_own_checkpoint(struct audit *a)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/checkpoint", a->asked->directory);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return REASON_OK;
    return read_kept(a, path, "the directory's own checkpoint", &a->kept[1]);
}

static enum reason
prepare(struct audit *a)
{
    char path[PATH_MAX];
    enum reason why;

    snprintf(path, sizeof path, "%s/key.jwk", a->asked->directory);
    why = checkpoint_key_load(a->asked->key != NULL ? a->asked->key : path, &a->key);
    if (why == REASON_OK && a->asked->checkpoint != NULL)
        why = read_kept(a, a->asked->checkpoint, "the checkpoint given", &a->kept[0]);
    if (why == REASON_OK)
        why = read_own_checkpoint(a);
    if (why == REASON_OK)
        why = audit_list(a->asked->directory, &a->numbers, &a->n);
    if (why == REASON_OK)
        a->passed = memory_new_array(a->n, sizeof *a->passed);
    return why;
}

enum reason
audit_verify(const struct audit_asked *asked, struct buf *report,
             struct audit_result *out)
{
    struct audit a = { .asked = asked, .result = out };
    enum reason why;

    *out = (struct audit_result){ 0 };
    a.chain = (struct audit_chain){ .next = 1,
                                    .stands_elsewhere = stands_elsewhere,
                                    .take = take_record,
                                    .owner = &a,
                                    .report = report,
                                    .result = out };
    memset(a.chain.hash, 'A', sizeof a.chain.hash);
    why = prepare(&a);
    if (why == REASON_OK)
        why = judge_all(&a);
    out->segments = a.n;
    audit_close(&a.segment);
    free(a.passed);
    free(a.numbers);
    checkpoint_key_free(a.key);
    return why;
}

/* ---- walking */

/* False: enough. */
static bool
walk_segment(struct audit_segment *s,
             bool (*take)(void *owner, struct text line, const struct json *record),
             void *owner, uint64_t *bad)
{
    struct text rest = s->bytes;
    const char *newline;
    bool more = true;

    while (more && rest.n > 0 && (newline = memchr(rest.at, '\n', rest.n)) != NULL) {
        struct text line = text_of(rest.at, (size_t)(newline - rest.at));
        struct audit_line form;
        struct json *record = audit_take_apart(line, &form)
                                  ? json_parse(line, AUDIT_LINE_MAX)
                                  : NULL;

        if (record != NULL)
            more = take(owner, line, record);
        else
            ++*bad;
        json_free(record);
        rest = text_of(newline + 1, rest.n - line.n - 1);
    }
    return more;
}

enum reason
audit_walk(const char *directory,
           bool (*take)(void *owner, struct text line, const struct json *record),
           void *owner, uint64_t *bad)
{
    struct audit_segment s = { 0 };
    unsigned *numbers;
    size_t n;
    enum reason why = audit_list(directory, &numbers, &n);

    *bad = 0;
    for (size_t k = 0; why == REASON_OK && k < n; k++) {
        why = audit_open(directory, numbers[k], &s);
        if (why == REASON_OK && !walk_segment(&s, take, owner, bad))
            break;
    }
    audit_close(&s);
    free(numbers);
    return why;
}

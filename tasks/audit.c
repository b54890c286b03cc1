/* Brings together what is judged of a ledger: how its segments follow each other
 * (audit_order.h), its records within them (audit_chain.h), what a crash left behind
 * them (audit_tail.h), and who vouches for it, from inside (audit_vouching.h) and
 * outside (audit_kept.h). */
#include "tasks/audit.h"

#include "tasks/audit_kept.h"
#include "tasks/audit_order.h"
#include "tasks/audit_tail.h"
#include "tasks/audit_vouching.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct audit {
    const struct audit_asked *asked;
    struct checkpoint_key *key;
    struct audit_kept kept;
    unsigned *numbers;
    size_t n;
    struct audit_order order;
    struct audit_segment segment;
    struct audit_chain chain;
    struct audit_tail tail;
    struct audit_result *result;
};

/* ---- kinds that the ledger itself writes */

static void
take_lost(struct audit *a, const struct audit_line *l)
{
    struct json *j = json_parse(l->text, AUDIT_LINE_MAX);
    int64_t records;

    if (json_number(json_get(j, "records"), &records) && records > 0)
        a->result->lost += (uint64_t)records;
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
    if (!audit_is_kind(&s->lines[i], TEXT("checkpoint"))) {
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
    if (audit_kept_knows(&a->kept, l->seq))
        audit_kept_compare(&a->kept, &a->chain, s, i);
    if (audit_is_kind(l, TEXT("checkpoint"))) {
        a->result->checkpoints++;
    } else if (audit_is_kind(l, TEXT("lost"))) {
        take_lost(a, l);
    } else if (audit_is_kind(l, TEXT("end"))) {
        take_end(a, s, i);
    } else if (audit_is_kind(l, TEXT("segment")) && i > 0) {
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

static enum audit_standing
judge_opening(struct audit *a, const struct audit_opening *o, bool behind_gap)
{
    enum audit_standing standing = audit_order_judge(&a->order, &a->segment, o);

    if (standing == AUDIT_IN_PLACE && !behind_gap)
        audit_tail_judge(&a->tail, &a->chain, &a->segment, o);
    return standing;
}

/* It could not be read, and the chain found nothing wrong with it. */
static void
tell_bad_opening(struct audit *a)
{
    const struct audit_segment *s = &a->segment;
    struct audit_place at = audit_place_of_segment(s->number);

    if (s->n == 0)
        audit_fault(&a->chain, &at, "segment %u: changed, it holds no record",
                    s->number);
    else
        audit_fault(&a->chain, &at, "segment %u: changed, no segment begins like this",
                    s->number);
}

/* Its last two records are those that close it. */
static bool
has_closing(const struct audit_segment *s)
{
    return s->n >= 2 && audit_is_kind(&s->lines[s->n - 2], TEXT("end")) &&
           audit_is_kind(&s->lines[s->n - 1], TEXT("checkpoint"));
}

static void
judge_closing(struct audit *a)
{
    bool is_closed = has_closing(&a->segment);

    audit_tail_note(&a->tail, &a->chain, &a->segment, is_closed);
    a->result->is_ended = is_closed && a->segment.tail.n == 0;
}

static void
judge_segment(struct audit *a, size_t k)
{
    const struct audit_segment *s = &a->segment;
    bool behind_gap = audit_order_has_gap(&a->order, k, s);
    struct audit_opening o = { .number = s->number };
    struct audit_chain before = a->chain;
    enum audit_standing standing = AUDIT_IN_PLACE;
    bool is_opened = audit_read_opening(s, &o);
    uint64_t faults;

    if (behind_gap)
        a->tail.bytes = 0; /* what sealed it is missing */
    if (is_opened)
        standing = judge_opening(a, &o, behind_gap);
    faults = a->result->faults;
    audit_follow(&a->chain, &a->segment);
    if (!is_opened && a->result->faults == faults)
        tell_bad_opening(a);
    if (standing != AUDIT_APART || o.number != s->number)
        audit_judge_signatures(&a->chain, a->key, s, a->result->faults == faults);
    audit_order_pass(&a->order, s, o.number);
    judge_closing(a);
    if (standing == AUDIT_APART)
        a->chain = before;
}

/* ---- the ledger */

/* Not told as a fault: every ledger that is being written looks so. Where there are
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
    struct audit_place all = audit_place_of_segment(1);

    for (size_t k = 0; k < a->n; k++) {
        enum reason why = open_segment(a, k);

        if (why != REASON_OK)
            return why;
        judge_segment(a, k);
    }
    if (a->n == 0)
        audit_fault(&a->chain, &all, "segment 1: missing, there is none");
    audit_tail_finish(&a->tail, &a->chain);
    audit_order_finish(&a->order);
    audit_kept_judge_age(&a->kept, &a->chain);
    tell_open_end(a);
    return REASON_OK;
}

static enum reason
prepare(struct audit *a)
{
    char path[PATH_MAX];
    enum reason why;

    snprintf(path, sizeof path, "%s/key.jwk", a->asked->directory);
    why = checkpoint_key_load(a->asked->key != NULL ? a->asked->key : path, &a->key);
    if (why == REASON_OK)
        why = audit_kept_read(&a->kept, &a->chain, a->key, a->asked);
    if (why == REASON_OK)
        why = audit_list(a->asked->directory, &a->numbers, &a->n);
    if (why == REASON_OK)
        audit_order_begin(&a->order, &a->chain, checkpoint_thumbprint(a->key),
                          a->numbers, a->n);
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
    audit_order_clear(&a.order);
    free(a.numbers);
    checkpoint_key_free(a.key);
    return why;
}

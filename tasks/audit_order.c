#include "tasks/audit_order.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void
audit_order_begin(struct audit_order *o, struct audit_chain *c, const char *key,
                  const unsigned *numbers, size_t n)
{
    o->chain = c;
    o->key = key;
    o->numbers = numbers;
    o->passed = memory_new_array(n, sizeof *o->passed);
    o->n_passed = 0;
}

void
audit_order_clear(struct audit_order *o)
{
    free(o->passed);
    o->passed = NULL;
}

static const struct audit_passed *
find_passed(const struct audit_order *o, uint64_t number)
{
    for (size_t i = 0; i < o->n_passed; i++)
        if (o->passed[i].number == number)
            return &o->passed[i];
    return NULL;
}

void
audit_order_pass(struct audit_order *o, const struct audit_segment *s, uint64_t number)
{
    struct audit_passed *p = &o->passed[o->n_passed++];

    p->place = s->number;
    p->number = number;
    p->next = o->chain->next;
    memcpy(p->hash, o->chain->hash, sizeof p->hash);
}

/* ---- missing */

static void
tell_missing(const struct audit_order *o, unsigned first, unsigned last)
{
    struct audit_place at = audit_place_of_segment(first);

    if (first == last)
        audit_fault(o->chain, &at, "segment %u: missing", first);
    else
        audit_fault(o->chain, &at, "segments %u to %u: missing", first, last);
}

bool
audit_order_has_gap(struct audit_order *o, size_t k, const struct audit_segment *s)
{
    unsigned expected = k == 0 ? 1 : o->numbers[k - 1] + 1;

    if (o->numbers[k] == expected)
        return false;
    tell_missing(o, expected, o->numbers[k] - 1);
    if (s->n > 0 && s->lines[0].seq >= o->chain->next)
        audit_resume(o->chain, &s->lines[0]);
    return true;
}

/* Segments in whose place another stands, and that stand nowhere: if one behind them
 * is there, so were they. */
void
audit_order_finish(const struct audit_order *o)
{
    const struct audit_result *result = o->chain->result;
    uint64_t last = 0;

    for (size_t i = 0; i < o->n_passed; i++)
        if (o->passed[i].number > last)
            last = o->passed[i].number;
    for (size_t i = 0;
         i < o->n_passed && result->faults > 0 && result->faults < AUDIT_FAULTS_TOLD;
         i++) {
        unsigned place = o->passed[i].place;

        if (place != o->passed[i].number && place < last &&
            find_passed(o, place) == NULL)
            tell_missing(o, place, place);
    }
}

/* ---- out of place */

/* It follows a segment that stands where it should not: that was told. */
static bool
follows_another(const struct audit_order *o, const struct audit_line *l)
{
    for (size_t i = 0; i < o->n_passed; i++)
        if (o->passed[i].next == l->seq &&
            memcmp(o->passed[i].hash, audit_prev(l).at, sizeof o->passed[i].hash) == 0)
            return true;
    return false;
}

static void
tell_break(const struct audit_order *o, const struct audit_segment *s)
{
    const struct audit_line *l = &s->lines[0];
    const struct audit_place *last = &o->chain->last;
    struct audit_place at = audit_place_of_segment(s->number);

    if (l->seq < o->chain->next)
        audit_fault(o->chain, &at,
                    "segment %u: of another time, it begins with record %" PRIu64
                    " behind record %" PRIu64,
                    s->number, l->seq, o->chain->next - 1);
    else
        audit_fault(o->chain, last->line > 0 ? last : &at,
                    "record %" PRIu64 ": changed, or segment %u: of another time, it "
                    "was written behind another",
                    l->seq - 1, s->number);
}

static enum audit_standing
judge_place(const struct audit_order *o, const struct audit_segment *s,
            const struct audit_opening *opening)
{
    struct audit_place at = audit_place_of_segment(s->number);

    if (memcmp(opening->key, o->key, sizeof opening->key) != 0) {
        audit_fault(o->chain, &at,
                    "segment %" PRIu64 ": of another ledger, its key is %.*s",
                    opening->number, (int)sizeof opening->key, opening->key);
        return AUDIT_APART;
    }
    if (opening->number == s->number)
        return AUDIT_IN_PLACE;
    if (find_passed(o, opening->number) != NULL) {
        audit_fault(o->chain, &at, "segment %" PRIu64 ": twice", opening->number);
        return AUDIT_APART;
    }
    audit_fault(o->chain, &at,
                "segment %" PRIu64 ": out of order, in the place of segment %u",
                opening->number, s->number);
    return AUDIT_MOVED;
}

enum audit_standing
audit_order_judge(struct audit_order *o, const struct audit_segment *s,
                  const struct audit_opening *opening)
{
    const struct audit_line *l = &s->lines[0];
    enum audit_standing standing = judge_place(o, s, opening);

    if (audit_fits(o->chain, l))
        return standing;
    if (standing == AUDIT_IN_PLACE && !follows_another(o, l)) {
        /* More records than one missing: the chain says which. */
        if (l->seq > o->chain->next)
            return standing;
        tell_break(o, s);
    }
    audit_resume(o->chain, l);
    return standing;
}

#include "tasks/audit_chain.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- telling */

void
audit_fault(struct audit_chain *c, const struct audit_place *at, const char *format,
            ...)
{
    char words[384];
    va_list args;

    if (c->result->faults++ >= AUDIT_FAULTS_TOLD)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (at->line > 0)
        buf_printf(c->report, "%s:%zu: %s\n", at->name, at->line, words);
    else
        buf_printf(c->report, "%s: %s\n", at->name, words);
}

struct audit_place
audit_place_of(const struct audit_segment *s, size_t i)
{
    struct audit_place p = { .line = i + 1 };

    memcpy(p.name, s->name, sizeof p.name);
    return p;
}

struct audit_place
audit_place_of_segment(unsigned number)
{
    struct audit_place p = { .line = 0 };

    snprintf(p.name, sizeof p.name, "ledger-%08u.jsonl", number);
    return p;
}

#define FAULT(c, s, i, ...)                                                            \
    do {                                                                               \
        struct audit_place here = audit_place_of((s), (i));                            \
        audit_fault((c), &here, __VA_ARGS__);                                          \
    } while (0)

/* "record 7" or "records 7 to 9". */
struct span {
    char words[64];
};

static struct span
span_of(uint64_t first, uint64_t last)
{
    struct span s;

    if (first == last)
        snprintf(s.words, sizeof s.words, "record %" PRIu64, first);
    else
        snprintf(s.words, sizeof s.words, "records %" PRIu64 " to %" PRIu64, first,
                 last);
    return s;
}

/* ---- following */

static bool
follows(const char hash[SHA256_BASE64URL_SIZE], const struct audit_line *l)
{
    return l->seq > 0 && memcmp(audit_prev(l).at, hash, SHA256_BASE64URL_SIZE) == 0;
}

bool
audit_fits(const struct audit_chain *c, const struct audit_line *l)
{
    if (c->is_blind)
        return l->seq > 0 && (l->seq == c->next || l->seq == c->next + 1);
    return l->seq == c->next && follows(c->hash, l);
}

bool
audit_links(const struct audit_segment *s, size_t i)
{
    return i + 1 < s->n && s->lines[i + 1].seq == s->lines[i].seq + 1 &&
           follows(s->lines[i].hash, &s->lines[i + 1]);
}

void
audit_resume(struct audit_chain *c, const struct audit_line *l)
{
    c->next = l->seq;
    memcpy(c->hash, audit_prev(l).at, sizeof c->hash);
    c->is_blind = false;
}

static void
move_past(struct audit_chain *c, const struct audit_segment *s, size_t i)
{
    const struct audit_line *l = &s->lines[i];

    c->next = l->seq + 1;
    memcpy(c->hash, l->hash, sizeof c->hash);
    c->is_blind = false;
    c->last = audit_place_of(s, i);
}

static void
accept(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    move_past(c, s, i);
    c->take(c->owner, s, i);
}

/* The one record that can stand next, wherever it stands in this segment; s->n: it does
 * not. */
static size_t
find_next(const struct audit_chain *c, const struct audit_segment *s, size_t guess)
{
    if (c->is_blind)
        return s->n;
    if (guess < s->n && audit_fits(c, &s->lines[guess]))
        return guess;
    for (size_t i = 0; i < s->n; i++)
        if (audit_fits(c, &s->lines[i]))
            return i;
    return s->n;
}

/* ---- records that are not where they should be */

static bool
stands_twice(const struct audit_chain *c, const struct audit_segment *s, size_t i)
{
    for (size_t k = 0; k < s->n; k++)
        if (k != i && s->lines[k].seq == s->lines[i].seq &&
            memcmp(s->lines[k].hash, s->lines[i].hash, sizeof s->lines[k].hash) == 0)
            return true;
    return c->stands_elsewhere(c->owner, s, &s->lines[i]);
}

/* The last of those that came here together with line i. */
static size_t
end_of_run(const struct audit_chain *c, const struct audit_segment *s, size_t i)
{
    while (audit_links(s, i) && !audit_fits(c, &s->lines[i + 1]))
        i++;
    return i;
}

/* Told, and passed by: the chain goes on behind them. */
static void
set_aside(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    size_t end = end_of_run(c, s, i);
    struct span span = span_of(s->lines[i].seq, s->lines[end].seq);

    if (stands_twice(c, s, i))
        FAULT(c, s, i, "%s: twice", span.words);
    else
        FAULT(c, s, i, "%s: out of order, where record %" PRIu64 " should stand",
              span.words, c->next);
    for (; i <= end; i++)
        s->lines[i].is_displaced = true;
}

/* What stood too early takes its place in the chain, as far as that leads to line i. */
static void
fill_from_displaced(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    size_t k = s->n;

    while (!audit_fits(c, &s->lines[i])) {
        k = find_next(c, s, k + 1);
        if (k >= i || !s->lines[k].is_displaced)
            return;
        accept(c, s, k);
    }
}

/* ---- what was done to it */

static bool
is_json(const struct audit_line *l)
{
    struct json *j = json_parse(l->text, AUDIT_LINE_MAX);
    bool is = json_is_object(j);

    json_free(j);
    return is;
}

static void
tell_spoilt(struct audit_chain *c, const struct audit_segment *s, size_t i)
{
    if (c->is_blind)
        c->next++;
    FAULT(c, s, i, "record %" PRIu64 ": changed, it is not of a record's form",
          c->next);
    c->is_blind = true;
}

/* Right by its number, and behind a record that is not there: either that one was
 * changed, or this one. Whom the next agrees with is right. */
static void
tell_changed(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    uint64_t seq = s->lines[i].seq;

    if (c->last.line == 0)
        FAULT(c, s, i, "record %" PRIu64 ": changed, no ledger begins like this", seq);
    else if (i + 1 == s->n)
        audit_fault(c, &c->last,
                    "record %" PRIu64 " or record %" PRIu64
                    ": changed, one does not follow the other",
                    seq - 1, seq);
    else if (audit_links(s, i))
        audit_fault(c, &c->last,
                    "record %" PRIu64 ": changed, record %" PRIu64
                    " was written behind another",
                    seq - 1, seq);
    else
        FAULT(c, s, i, "record %" PRIu64 ": changed, it follows no record before it",
              seq);
    accept(c, s, i);
    if (i + 1 < s->n && !audit_links(s, i)) {
        c->next = seq;
        c->is_blind = true;
    }
}

/* Another record stands where `next` should, and behind it the numbers go on. */
static bool
is_replaced(const struct audit_chain *c, const struct audit_segment *s, size_t i)
{
    uint64_t place = c->is_blind ? c->next + 1 : c->next;

    return i + 1 < s->n && s->lines[i + 1].seq == place + 1 && !audit_links(s, i);
}

static void
tell_replaced(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    if (c->is_blind)
        c->next++;
    set_aside(c, s, i);
    c->is_blind = true;
}

static void
tell_missing(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    const struct audit_line *l = &s->lines[i];
    uint64_t first = c->is_blind ? c->next + 1 : c->next;

    if (i > 0 && s->lines[i - 1].seq > 0 && !is_json(&s->lines[i - 1]))
        FAULT(c, s, i - 1, "record %" PRIu64 ": changed, it is not one JSON object",
              s->lines[i - 1].seq);
    else
        FAULT(c, s, i, "%s: missing", span_of(first, l->seq - 1).words);
    accept(c, s, i);
}

/* Of a number that was passed already, and its own place is not here. */
static void
tell_past(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    const struct audit_line *l = &s->lines[i];

    if (!audit_links(s, i)) {
        set_aside(c, s, i);
        return;
    }
    if (i > 0 && s->lines[i - 1].seq == l->seq)
        FAULT(c, s, i - 1,
              "record %" PRIu64 ": inserted, the records behind follow another",
              l->seq);
    else
        FAULT(c, s, i,
              "record %" PRIu64 ": of another time, behind record %" PRIu64
              " another history begins",
              l->seq, c->next - 1);
    accept(c, s, i);
}

static void
explain(struct audit_chain *c, struct audit_segment *s, size_t i)
{
    const struct audit_line *l = &s->lines[i];
    size_t true_next = find_next(c, s, i + 1);

    if (!c->is_blind && follows(c->hash, l)) {
        FAULT(c, s, i, "record %" PRIu64 ": changed, it says it were record %" PRIu64,
              c->next, l->seq);
        c->is_blind = true;
    } else if (true_next < s->n && true_next > i && l->seq == c->next + 1 &&
               follows(s->lines[true_next].hash, l)) {
        FAULT(c, s, true_next,
              "record %" PRIu64 ": out of order, behind record %" PRIu64, c->next,
              s->lines[true_next - 1].seq);
        s->lines[true_next].is_displaced = true;
        accept(c, s, true_next);
        accept(c, s, i);
    } else if (true_next < s->n) {
        set_aside(c, s, i);
    } else if (l->seq == c->next) {
        tell_changed(c, s, i);
    } else if (is_replaced(c, s, i)) {
        tell_replaced(c, s, i);
    } else if (stands_twice(c, s, i)) {
        set_aside(c, s, i);
    } else if (l->seq > c->next) {
        tell_missing(c, s, i);
    } else {
        tell_past(c, s, i);
    }
}

void
audit_follow(struct audit_chain *c, struct audit_segment *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct audit_line *l = &s->lines[i];

        if (l->is_displaced)
            continue;
        if (!audit_fits(c, l) && l->seq > 0 && c->result->faults < AUDIT_FAULTS_TOLD)
            fill_from_displaced(c, s, i);
        if (audit_fits(c, l)) {
            accept(c, s, i);
        } else if (l->seq == 0) {
            tell_spoilt(c, s, i);
        } else if (c->result->faults >= AUDIT_FAULTS_TOLD) {
            /* Enough is known: those that follow are only counted, which costs no
             * search. */
            c->result->faults++;
            accept(c, s, i);
        } else {
            explain(c, s, i);
        }
    }
}

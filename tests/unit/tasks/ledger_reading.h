/* A ledger as its tests see it: read back by other means than those that wrote it. */
#ifndef UNIT_TASKS_LEDGER_READING_H
#define UNIT_TASKS_LEDGER_READING_H

#include "tests/unit/certs/scratch.h"

#include "base/digest.h"
#include "tasks/ledger.h"
#include "tokens/jws.h"

#include <dirent.h>

enum { RECORDS_READ_MAX = 1 << 16 };

struct seen {
    size_t n;
    struct json *records[RECORDS_READ_MAX];
    unsigned segments;
    size_t torn; /* bytes behind last newlines */
};

static inline const char *
segment_path(unsigned number)
{
    char name[64];

    (void)snprintf(name, sizeof name, "ledger/ledger-%08u.jsonl", number);
    return in_scratch(name);
}

static inline unsigned
segments_there(void)
{
    unsigned n = 0;

    while (access(segment_path(n + 1), F_OK) == 0)
        n++;
    return n;
}

static inline struct text
word_of(const struct json *record, const char *name)
{
    struct text t = { "", 0 };

    (void)json_text(json_get(record, name), &t);
    return t;
}

static inline int64_t
number_of(const struct json *record, const char *name)
{
    int64_t n = -1;

    (void)json_number(json_get(record, name), &n);
    return n;
}

static inline bool
is_kind(const struct json *record, const char *kind)
{
    return text_equals(word_of(record, "kind"), text_z(kind));
}

/* Exactly the front the contract states, the next number, the hash of the line before.
 */
static inline void
see_line(struct seen *s, struct text line, char before[SHA256_BASE64URL_SIZE])
{
    char front[160], stamp[25];
    struct json *record = json_parse(line, LEDGER_LINE_MAX);

    assert_non_null(record);
    assert_true(s->n < RECORDS_READ_MAX);
    assert_int_equal(word_of(record, "ts").n, 24);
    memcpy(stamp, word_of(record, "ts").at, 25);
    (void)snprintf(front, sizeof front,
                   "{\"seq\":%zu,\"prev\":\"%.43s\",\"ts\":\"%s\",\"kind\":\"%.*s\"",
                   s->n + 1, before, stamp, TEXT_ARG(word_of(record, "kind")));
    if (!text_starts(line, text_z(front)))
        fail_msg("%.*s\ndoes not begin with\n%s", TEXT_ARG(line), front);
    digest_sha256_base64url(line, before);
    s->records[s->n++] = record;
}

static inline void
see_segment(struct seen *s, char before[SHA256_BASE64URL_SIZE])
{
    char *text = read_text(segment_path(s->segments));
    size_t first = s->n;
    char *line = text, *newline;

    for (; (newline = strchr(line, '\n')) != NULL; line = newline + 1)
        see_line(s, text_of(line, (size_t)(newline - line)), before);
    s->torn += strlen(line);
    free(text);
    assert_true(s->n > first);
    assert_true(is_kind(s->records[first], "segment"));
    assert_int_equal(number_of(s->records[first], "segment"), s->segments);
    assert_int_equal(mode_of(segment_path(s->segments)), 0600);
}

/* All segments in order, each line judged. */
static inline struct seen *
ledger_seen(void)
{
    struct seen *s = calloc(1, sizeof *s);
    char before[SHA256_BASE64URL_SIZE];
    unsigned all = segments_there();

    assert_non_null(s);
    memset(before, 'A', sizeof before);
    while (s->segments < all) {
        s->segments++;
        see_segment(s, before);
    }
    return s;
}

static inline void
seen_free(struct seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        json_free(s->records[i]);
    free(s);
}

static inline size_t
count_kind(const struct seen *s, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += is_kind(s->records[i], kind);
    return n;
}

#endif

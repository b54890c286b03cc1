/* Our own vector files, read a line at a time: each line is a row of a table, or a
 * member of a JSON object written one member a line. Not base/json.h, because some rows
 * hold what it refuses (a NUL in a string). Also exact copies, so that a sanitizer sees
 * one byte read too many, and random numbers from a printed seed. */
#ifndef TESTS_BASE_ROWS_H
#define TESTS_BASE_ROWS_H

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROW_MAX = 4096, COLUMNS_MAX = 8 };

struct row_reader {
    FILE *file;
    char line[ROW_MAX];
};

static inline void
rows_open(struct row_reader *r, const char *path)
{
    r->file = fopen(path, "r");
    if (r->file == NULL)
        fail_msg("%s cannot be read", path);
}

/* The next line without its newline; NULL at the end. */
static inline char *
rows_next(struct row_reader *r)
{
    if (fgets(r->line, sizeof(r->line), r->file) == NULL) {
        fclose(r->file);
        return NULL;
    }
    assert_true(strlen(r->line) + 1 < sizeof(r->line));
    r->line[strcspn(r->line, "\n")] = '\0';
    return r->line;
}

/* Splits at tabs, in place; returns how many columns there are. */
static inline size_t
row_columns(char *line, char *columns[COLUMNS_MAX])
{
    size_t n = 0;

    for (char *at = line; at != NULL; n++) {
        assert_true(n < COLUMNS_MAX);
        columns[n] = strsep(&at, "\t");
    }
    return n;
}

static inline size_t
put_utf8(unsigned c, char *out)
{
    size_t n = 0;

    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xc0 | c >> 6);
        out[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        out[n++] = (char)(0xe0 | c >> 12);
        out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (c & 0x3f));
    }
    return n;
}

/* What a JSON string means, up to its closing quote or the end; out has ROW_MAX bytes.
 */
static inline struct text
unescape(const char *z, char *out)
{
    size_t n = 0;

    for (; *z != '\0' && *z != '"'; z++) {
        unsigned code;

        if (*z != '\\') {
            out[n++] = *z;
            continue;
        }
        switch (*++z) {
        case 't':
            out[n++] = '\t';
            break;
        case 'u':
            assert_int_equal(sscanf(z + 1, "%4x", &code), 1);
            n += put_utf8(code, out + n);
            z += 4;
            break;
        default:
            assert_true(*z == '\\' || *z == '"' || *z == '/');
            out[n++] = *z;
        }
    }
    return text_of(out, n);
}

/* `  "name": "value",` gives value; false when the line is another member's or not a
 * string. */
static inline bool
row_member(const char *line, const char *name, char *mem, struct text *out)
{
    char start[64];

    snprintf(start, sizeof(start), "\"%s\": \"", name);
    line += strspn(line, " ");
    if (strncmp(line, start, strlen(start)) != 0)
        return false;
    *out = unescape(line + strlen(start), mem);
    return true;
}

/* A copy with nothing behind it: a read past the end is seen. Freed by exact_free. */
static inline struct text
exact_new(struct text t)
{
    char *mem = malloc(t.n > 0 ? t.n : 1);

    assert_non_null(mem);
    if (t.n == 0) {
        free(mem);
        return text_of(NULL, 0);
    }
    memcpy(mem, t.at, t.n);
    return text_of(mem, t.n);
}

static inline void
exact_free(struct text t)
{
    free((char *)(uintptr_t)t.at);
}

/* xorshift64*. The seed is printed, and HOLDFAST_SEED repeats it. */
static uint64_t random_state;

static inline int
random_begin(void **state)
{
    const char *given = getenv("HOLDFAST_SEED");
    struct timespec now;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &now);
    random_state = given != NULL
                       ? strtoull(given, NULL, 10)
                       : (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    random_state += random_state == 0;
    printf("HOLDFAST_SEED=%llu\n", (unsigned long long)random_state);
    return 0;
}

static inline uint64_t
random_u64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}

static inline size_t
random_below(size_t n)
{
    return (size_t)(random_u64() >> 33) % n;
}

/* Up to `max` bytes of the alphabet; now and then any byte at all. */
static inline struct text
random_text(char *mem, size_t max, struct text alphabet)
{
    size_t n = random_below(max + 1);
    bool wild = random_below(4) == 0;

    for (size_t i = 0; i < n; i++) {
        mem[i] = wild && random_below(8) == 0 ? (char)random_u64()
                                              : alphabet.at[random_below(alphabet.n)];
    }
    return text_of(mem, n);
}

#endif

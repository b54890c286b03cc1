/* Text that is borrowed: a pointer and a length, never NUL-terminated by promise.
 * Whoever lends the bytes says how long they live (an arena, a buffer until the next
 * read, a literal). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at;
    size_t n;
};

/* TEXT("literal") is a struct text of it. */
#define TEXT(literal) ((struct text){ (literal), sizeof(literal) - 1 })
/* For printf: printf("%.*s", TEXT_ARG(t)). */
#define TEXT_ARG(t) (int)(t).n, (t).at

static inline struct text
text_of(const char *at, size_t n)
{
    return (struct text){ at, n };
}

/* text_z: of a NUL-terminated string; NULL gives the empty text. */
struct text text_z(const char *z);

bool text_is_empty(struct text t);
/* Byte for byte; with _nocase ASCII letters fold, and nothing else. */
static inline bool
text_equals(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

bool text_equals_nocase(struct text a, struct text b);
bool text_starts(struct text t, struct text prefix);
bool text_ends(struct text t, struct text suffix);
bool text_has_byte(struct text t, char c);

/* Compares in time that depends on the lengths alone. */
bool text_equals_constant_time(struct text a, struct text b);

/* Without leading and trailing SP and HTAB (RFC 9110 section 5.5 OWS). */
struct text text_trim(struct text t);

/* Takes everything before `separator` off the front of *rest; false when *rest is spent
 * (its `at` is NULL). "a,,b" gives three parts, "a," two, "" one empty part. */
bool text_split(struct text *rest, char separator, struct text *part);

/* The byte that two hex digits at p stand for; -1 when they are not there. */
int text_hex_pair(const char *p, const char *end);

/* A plain decimal number: digits only, no sign, no space, at most `max`. False
 * otherwise. */
bool text_to_u64(struct text t, uint64_t max, uint64_t *out);

#endif

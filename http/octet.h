/* What a byte of a head may be part of: one grammar for every version of HTTP. */
#ifndef HTTP_OCTET_H
#define HTTP_OCTET_H

#include "base/text.h"

#include <string.h>

enum {
    OCTET_TOKEN = 0x01,  /* RFC 9110 section 5.6.2 */
    OCTET_TARGET = 0x02, /* visible ASCII without '#': a fragment is never sent */
    OCTET_VALUE = 0x04,  /* HTAB, SP, visible, 0x80 and up: no other control byte */
    OCTET_QUOTED = 0x08, /* qdtext: what stands between quotes without a backslash */
    OCTET_DIGIT = 0x10,
    OCTET_HEX = 0x20,
    OCTET_PLAIN_NAME = 0x40, /* a token without '_' */
    OCTET_LOWER_NAME = 0x80  /* a token without capitals (RFC 9113 section 8.2.1) */
};

extern const unsigned char octet_classes[256];

static inline bool
octet_is(unsigned char c, unsigned class)
{
    return (octet_classes[c] & class) != 0;
}

/* None of these eight bytes is below SP or DEL. Exact for bytes below 0x80; what it
 * misses above is allowed in a value anyway. */
static inline bool
octet_are_visible(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t del = eight ^ (ones * 0x7f);

    return ((((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & tops) == 0;
}

/* … and none is above it: eight visible characters or spaces. */
static inline bool
octet_are_plain(uint64_t eight)
{
    return (eight & UINT64_C(0x8080808080808080)) == 0 && octet_are_visible(eight);
}

static inline uint64_t
octet_load(const void *eight)
{
    uint64_t all;

    memcpy(&all, eight, sizeof all);
    return all;
}

/* The first byte that may not stand in a value. Eight bytes at a time while there is
 * nothing to look at closer: values are most of a head. */
static inline const unsigned char *
octet_skip_value(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 8 && octet_are_visible(octet_load(p)))
        p += 8;
    while (p < end && octet_is(*p, OCTET_VALUE))
        p++;
    return p;
}

/* A field's value as it is passed on: no control byte, no white space at its ends. */
bool octet_is_value(struct text t);
/* Every byte is of the class, and there is one. */
bool octet_is_all(struct text t, unsigned class);

#endif

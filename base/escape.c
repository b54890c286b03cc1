/* One strict UTF-8 reader (RFC 3629: nothing overlong, no surrogates) and the list of
 * what may not stand bare. */
#include "base/escape.h"

#include <assert.h>
#include <string.h>

static bool
is_plain_ascii(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Length of the well-formed sequence at the front of t and the character in *code; 0
 * when there is none. */
static size_t
read_utf8(struct text t, uint32_t *code)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char c = (unsigned char)t.at[0];
    size_t n = c < 0x80   ? 1
               : c < 0xc2 ? 0
               : c < 0xe0 ? 2
               : c < 0xf0 ? 3
               : c < 0xf5 ? 4
                          : 0;

    if (n == 0 || n > t.n)
        return 0;
    *code = n == 1 ? c : c & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char more = (unsigned char)t.at[i];

        if ((more & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (more & 0x3f);
    }
    if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return n;
}

/* Beyond ASCII: what ends a line somewhere (NEL, LS, PS), what a terminal obeys (C1),
 * and what lets a line read otherwise than it is (bidirectional marks, the byte order
 * mark). */
static bool
is_harmful(uint32_t code)
{
    return code < 0xa0 || code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xfeff;
}

#define EIGHT(c) (UINT64_C(0x0101010101010101) * (c))

/* Some byte of the eight is zero: the bit at its top is set, and above it others may
 * be. */
static uint64_t
has_zero(uint64_t eight)
{
    return (eight - EIGHT(1)) & ~eight & EIGHT(0x80);
}

/* is_plain_ascii of eight at once: nearly all text is. */
static bool
are_plain_ascii(uint64_t eight)
{
    return ((((eight - EIGHT(0x20)) | eight) & EIGHT(0x80)) |
            has_zero(eight ^ EIGHT('"')) | has_zero(eight ^ EIGHT('\\')) |
            has_zero(eight ^ EIGHT(0x7f))) == 0;
}

static uint64_t
eight_at(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    return eight;
}

/* Of four to seven bytes, each at least once. */
static uint64_t
eight_of_few(struct text t)
{
    uint32_t front, back;

    memcpy(&front, t.at, sizeof front);
    memcpy(&back, t.at + t.n - sizeof back, sizeof back);
    return (uint64_t)front << 32 | back;
}

/* The last eight may be looked at twice. */
static bool
is_all_plain(struct text t)
{
    size_t i = 0;

    if (t.n < 4)
        return false;
    if (t.n < 8)
        return are_plain_ascii(eight_of_few(t));
    for (; t.n - i > 8; i += 8)
        if (!are_plain_ascii(eight_at(t.at + i)))
            return false;
    return are_plain_ascii(eight_at(t.at + t.n - 8));
}

size_t
escape_plain(struct text t)
{
    size_t i = 0;

    if (is_all_plain(t))
        return t.n;
    while (t.n - i >= 8 && are_plain_ascii(eight_at(t.at + i)))
        i += 8;
    while (i < t.n && is_plain_ascii((unsigned char)t.at[i]))
        i++;
    return i;
}

static size_t
write_code(uint32_t code, char out[ESCAPE_MAX])
{
    static const char hex[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[code >> (12 - 4 * i) & 15];
    return 6;
}

size_t
escape_one(struct text *rest, char out[ESCAPE_MAX])
{
    unsigned char c;
    uint32_t code = 0;
    size_t n, written;

    assert(rest->n > 0);
    c = (unsigned char)rest->at[0];
    n = read_utf8(*rest, &code);
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        written = 2;
    } else if (n == 0) {
        n = 1;
        written = write_code(
            c, out); /* the byte's own value: more use at night than U+FFFD */
    } else if (n == 1 ? !is_plain_ascii(c) : is_harmful(code)) {
        written = write_code(code, out);
    } else {
        memcpy(out, rest->at, n);
        written = n;
    }
    *rest = text_of(rest->at + n, rest->n - n);
    return written;
}

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

/* is_plain_ascii of eight at once: nearly all text is. A byte's top bit says whether it
 * passed. What is above ASCII fails by itself, and may carry into its neighbour. */
static inline bool
are_plain_ascii(uint64_t eight)
{
    uint64_t not_control = eight + EIGHT(0x60);
    uint64_t not_quote = (eight ^ EIGHT('"')) + EIGHT(0x7f);
    uint64_t not_backslash = (eight ^ EIGHT('\\')) + EIGHT(0x7f);
    uint64_t del_or_above = (eight + EIGHT(1)) | eight;

    return (not_control & not_quote & not_backslash & ~del_or_above & EIGHT(0x80)) ==
           EIGHT(0x80);
}

static inline uint64_t
eight_at(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    return eight;
}

/* Of four to seven bytes, each at least once. */
static inline uint64_t
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

/* ---- most texts need none of that: they are copied as they are looked at */

static inline bool
copy_eight(const char *at, char *out)
{
    uint64_t eight = eight_at(at);

    if (!are_plain_ascii(eight))
        return false;
    memcpy(out, &eight, sizeof eight);
    return true;
}

static bool
copy_few(struct text t, char *out)
{
    if (t.n >= 4) {
        if (!are_plain_ascii(eight_of_few(t)))
            return false;
        memcpy(out, t.at, 4);
        memcpy(out + t.n - 4, t.at + t.n - 4, 4);
        return true;
    }
    for (size_t i = 0; i < t.n; i++) {
        if (!is_plain_ascii((unsigned char)t.at[i]))
            return false;
        out[i] = t.at[i];
    }
    return true;
}

/* False: it is not all plain, and what was copied is to be written over. */
static bool
copy_plain(struct text t, char *out)
{
    if (t.n < 8)
        return copy_few(t, out);
    for (size_t i = 0; t.n - i > 8; i += 8)
        if (!copy_eight(t.at + i, out + i))
            return false;
    return copy_eight(t.at + t.n - 8, out + t.n - 8);
}

/* Apart, so that what is plain does without what this needs. */
static __attribute__((noinline)) char *
copy_escaped(struct text t, char *out)
{
    while (t.n > 0) {
        size_t plain = escape_plain(t);

        memcpy(out, t.at, plain);
        out += plain;
        t = text_of(t.at + plain, t.n - plain);
        if (t.n > 0)
            out += escape_one(&t, out);
    }
    return out;
}

char *
escape_copy(struct text t, char *out)
{
    return copy_plain(t, out) ? out + t.n : copy_escaped(t, out);
}

bool
escape_is_utf8(struct text t)
{
    uint32_t code;
    size_t n;

    for (; t.n > 0; t = text_of(t.at + n, t.n - n)) {
        if ((n = read_utf8(t, &code)) == 0)
            return false;
    }
    return true;
}

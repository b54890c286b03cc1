/* The eight kinds of bare values, each read by its own rule of RFC 9651 section 4.2. A
 * value that needs no decoding is lent by the field. */
#include "http/structured_value.h"

#include "base/digest.h"
#include "base/escape.h"
#include "http/octet.h"

enum { DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_letter(char c)
{
    return is_lower((char)(c | 0x20));
}

static bool
begins_key(char c)
{
    return is_lower(c) || c == '*';
}

static bool
continues_key(char c)
{
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

static bool
begins_token(char c)
{
    return is_letter(c) || c == '*';
}

static bool
continues_token(char c)
{
    return octet_is((unsigned char)c, OCTET_TOKEN) || c == ':' || c == '/';
}

typedef bool of_class(char c);

static bool
read_word(struct sf_reader *r, of_class *begins, of_class *continues, struct text *out)
{
    const char *from = r->p;

    if (r->p == r->end || !begins(*r->p))
        return false;
    while (r->p < r->end && continues(*r->p))
        r->p++;
    *out = text_of(from, (size_t)(r->p - from));
    return true;
}

bool
sf_read_key(struct sf_reader *r, struct text *out)
{
    return read_word(r, begins_key, continues_key, out);
}

static bool
is_word(struct text t, of_class *begins, of_class *continues)
{
    struct sf_reader r = { .p = t.at, .end = t.at + t.n };
    struct text word;

    return read_word(&r, begins, continues, &word) && r.p == r.end;
}

bool
sf_is_key(struct text t)
{
    return is_word(t, begins_key, continues_key);
}

bool
sf_is_token(struct text t)
{
    return is_word(t, begins_token, continues_token);
}

/* How many digits were taken, at most `max` of them: none, or too many, is 0. */
static unsigned
read_digits(struct sf_reader *r, unsigned max, int64_t *number)
{
    unsigned n = 0;

    for (; r->p < r->end && is_digit(*r->p); r->p++) {
        if (++n > max)
            return 0;
        *number = *number * 10 + (*r->p - '0');
    }
    return n;
}

static bool
read_fraction(struct sf_reader *r, unsigned whole, struct sf_value *out)
{
    unsigned n;

    if (whole > DECIMAL_DIGITS)
        return false;
    n = read_digits(r, FRACTION_DIGITS, &out->number);
    if (n == 0)
        return false;
    for (; n < FRACTION_DIGITS; n++)
        out->number *= 10;
    out->kind = SF_DECIMAL;
    return true;
}

static bool
read_number(struct sf_reader *r, struct sf_value *out)
{
    bool is_negative = sf_take(r, '-');
    unsigned whole;

    out->kind = SF_INTEGER;
    whole = read_digits(r, SF_INTEGER_DIGITS, &out->number);
    if (whole == 0 || (sf_take(r, '.') && !read_fraction(r, whole, out)))
        return false;
    if (is_negative)
        out->number = -out->number;
    return true;
}

static bool
read_date(struct sf_reader *r, struct sf_value *out)
{
    r->p++;
    if (!read_number(r, out) || out->kind != SF_INTEGER)
        return false;
    out->kind = SF_DATE;
    return true;
}

static bool
read_boolean(struct sf_reader *r, struct sf_value *out)
{
    r->p++;
    out->kind = SF_BOOLEAN;
    out->number = sf_has(r, '1');
    return sf_take(r, '1') || sf_take(r, '0');
}

static bool
read_token(struct sf_reader *r, struct sf_value *out)
{
    out->kind = SF_TOKEN;
    return read_word(r, begins_token, continues_token, &out->text);
}

static bool
is_visible(char c)
{
    return c >= ' ' && c <= '~';
}

/* Behind the first quote: where the last one is, and whether anything was escaped.
 * NULL: there is none, or a byte that may not stand there. */
static const char *
find_quote(const struct sf_reader *r, char escape, bool *is_escaped)
{
    const char *p = r->p;

    *is_escaped = false;
    for (; p < r->end && *p != '"'; p++) {
        if (!is_visible(*p))
            return NULL;
        if (*p != escape)
            continue;
        *is_escaped = true;
        if (escape == '\\' && (++p == r->end || (*p != '"' && *p != '\\')))
            return NULL;
    }
    return p < r->end ? p : NULL;
}

static struct text
without_backslashes(struct arena *a, const char *p, const char *end)
{
    char *at = arena_alloc(a, (size_t)(end - p));
    size_t n = 0;

    while (p < end) {
        p += *p == '\\';
        at[n++] = *p++;
    }
    return text_of(at, n);
}

static bool
read_string(struct sf_reader *r, struct sf_value *out)
{
    bool is_escaped;
    const char *end;

    r->p++;
    if ((end = find_quote(r, '\\', &is_escaped)) == NULL)
        return false;
    out->kind = SF_STRING;
    out->text = is_escaped ? without_backslashes(r->arena, r->p, end)
                           : text_of(r->p, (size_t)(end - r->p));
    r->p = end + 1;
    return true;
}

/* Two hex digits in lower case: the RFC allows no other spelling. */
static int
hex_pair(const char *p, const char *end)
{
    if (end - p < 2 || (p[0] >= 'A' && p[0] <= 'F') || (p[1] >= 'A' && p[1] <= 'F'))
        return -1;
    return text_hex_pair(p, end);
}

static bool
decode_percents(const char *p, const char *end, char *at, size_t *n)
{
    for (*n = 0; p < end; (*n)++) {
        int byte = *p;

        if (*p++ == '%') {
            if ((byte = hex_pair(p, end)) < 0)
                return false;
            p += 2;
        }
        at[*n] = (char)byte;
    }
    return true;
}

static bool
read_display(struct sf_reader *r, struct sf_value *out)
{
    bool is_escaped;
    const char *end;
    char *at;

    r->p++;
    if (!sf_take(r, '"') || (end = find_quote(r, '%', &is_escaped)) == NULL)
        return false;
    at = arena_alloc(r->arena, (size_t)(end - r->p));
    if (!decode_percents(r->p, end, at, &out->text.n))
        return false;
    out->kind = SF_DISPLAY;
    out->text.at = at;
    r->p = end + 1;
    return escape_is_utf8(out->text);
}

static bool
read_bytes(struct sf_reader *r, struct sf_value *out)
{
    const char *from = ++r->p;
    const char *end = memchr(from, ':', (size_t)(r->end - from));
    struct text encoded;
    unsigned char *at;

    if (end == NULL)
        return false;
    encoded = text_of(from, (size_t)(end - from));
    at = arena_alloc(r->arena, encoded.n / 4 * 3 + 3);
    out->kind = SF_BYTES;
    out->text.at = (const char *)at;
    r->p = end + 1;
    return base64_decode(encoded, at, &out->text.n);
}

bool
sf_read_value(struct sf_reader *r, struct sf_value *out)
{
    *out = (struct sf_value){ .kind = SF_BOOLEAN };
    if (r->p == r->end)
        return false;
    switch (*r->p) {
    case '"':
        return read_string(r, out);
    case ':':
        return read_bytes(r, out);
    case '?':
        return read_boolean(r, out);
    case '@':
        return read_date(r, out);
    case '%':
        return read_display(r, out);
    default:
        return *r->p == '-' || is_digit(*r->p) ? read_number(r, out)
                                               : read_token(r, out);
    }
}

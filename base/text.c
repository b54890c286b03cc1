/* Looking at borrowed bytes; nothing here allocates or writes. */
#include "base/text.h"

#include <openssl/crypto.h>
#include <string.h>

struct text
text_z(const char *z)
{
    if (z == NULL)
        return text_of("", 0);
    return text_of(z, strlen(z));
}

bool
text_is_empty(struct text t)
{
    return t.n == 0;
}

/* Not tolower(3): a locale must never decide whether two header names are one. */
static unsigned char
fold(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool
text_equals_nocase(struct text a, struct text b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (fold(a.at[i]) != fold(b.at[i]))
            return false;
    return true;
}

bool
text_starts(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_equals(text_of(t.at, prefix.n), prefix);
}

bool
text_ends(struct text t, struct text suffix)
{
    if (suffix.n == 0)
        return true;
    return t.n >= suffix.n &&
           text_equals(text_of(t.at + (t.n - suffix.n), suffix.n), suffix);
}

bool
text_has_byte(struct text t, char c)
{
    return t.n > 0 && memchr(t.at, c, t.n) != NULL;
}

bool
text_equals_constant_time(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.at, b.at, a.n) == 0);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text
text_trim(struct text t)
{
    while (t.n > 0 && is_blank(t.at[0])) {
        t.at++;
        t.n--;
    }
    while (t.n > 0 && is_blank(t.at[t.n - 1]))
        t.n--;
    return t;
}

bool
text_split(struct text *rest, char separator, struct text *part)
{
    const char *cut;

    if (rest->at == NULL)
        return false;
    cut = rest->n > 0 ? memchr(rest->at, separator, rest->n) : NULL;
    if (cut == NULL) {
        *part = *rest;
        *rest = text_of(NULL, 0);
        return true;
    }
    *part = text_of(rest->at, (size_t)(cut - rest->at));
    *rest = text_of(cut + 1, rest->n - part->n - 1);
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int
text_hex_pair(const char *p, const char *end)
{
    int high;
    int low;

    if (end - p < 2 || (high = hex_digit(p[0])) < 0 || (low = hex_digit(p[1])) < 0)
        return -1;
    return high * 16 + low;
}

bool
text_to_u64(struct text t, uint64_t max, uint64_t *out)
{
    uint64_t sum = 0;

    if (t.n == 0)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned digit = (unsigned)(unsigned char)t.at[i] - '0';

        if (digit > 9 || digit > max || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *out = sum;
    return true;
}

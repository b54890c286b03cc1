#include "filters/basic.h"

#include <string.h>

static int
sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool
basic_is(struct text value)
{
    return value.n > 6 && text_equals_nocase(text_of(value.at, 5), TEXT("Basic")) &&
           (value.at[5] == ' ' || value.at[5] == '\t');
}

struct text
basic_decode(struct arena *a, struct text value)
{
    struct text t = text_of(value.at + 6, value.n - 6);
    char *out = arena_alloc(a, t.n * 3 / 4 + 1);
    unsigned bits = 0, held = 0;
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++) {
        int six = sextet(t.at[i]);

        if (six < 0)
            continue;
        held = held << 6 | (unsigned)six;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        out[n++] = (char)(held >> bits & 0xff);
    }
    return text_of(out, n);
}

bool
basic_split(struct text plain, struct text *user, struct text *password)
{
    const char *colon = plain.n > 0 ? memchr(plain.at, ':', plain.n) : NULL;

    if (colon == NULL)
        return false;
    *user = text_of(plain.at, (size_t)(colon - plain.at));
    *password = text_of(colon + 1, plain.n - user->n - 1);
    return true;
}

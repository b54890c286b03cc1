#include "filters/parameter.h"

#include <string.h>

static void
split(struct parameter *p)
{
    const char *equals = p->whole.n > 0 ? memchr(p->whole.at, '=', p->whole.n) : NULL;

    p->name = p->whole;
    p->value = text_of("", 0);
    if (equals == NULL)
        return;
    p->name.n = (size_t)(equals - p->whole.at);
    p->value = text_of(equals + 1, p->whole.n - p->name.n - 1);
}

bool
parameter_next(struct text *rest, struct parameter *p)
{
    size_t n = 0;

    if (rest->at == NULL)
        return false;
    p->separator = p->whole.at == NULL ? 0 : p->whole.at[p->whole.n];
    while (n < rest->n && rest->at[n] != '&' && rest->at[n] != ';')
        n++;
    p->whole = text_of(rest->at, n);
    *rest = n == rest->n ? text_of(NULL, 0)
                         : text_of(rest->at + n + 1, rest->n - n - 1);
    split(p);
    return true;
}

struct text
parameter_decode(struct arena *a, struct text t)
{
    char *out;
    size_t n = 0;

    if (!text_has_byte(t, '%') && !text_has_byte(t, '+'))
        return t;
    out = arena_alloc(a, t.n);
    for (size_t i = 0; i < t.n; i++) {
        int byte = t.at[i] == '%' ? text_hex_pair(t.at + i + 1, t.at + t.n) : -1;

        if (byte >= 0) {
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = t.at[i];
            if (t.at[i] == '+')
                out[n - 1] = ' ';
        }
    }
    return text_of(out, n);
}

/* Strict on purpose: two readers that disagree about an identifier are an attack. */
#include "tokens/identifier.h"

#include <string.h>

static bool
is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
trust_domain_is_valid(struct text t)
{
    if (t.n == 0 || t.n > TRUST_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (!(is_alnum(t.at[i]) && !(t.at[i] >= 'A' && t.at[i] <= 'Z')) &&
            !is_one_of(t.at[i], "-._"))
            return false;
    }
    return true;
}

/* SPIFFE-ID 2.2 allows letters, digits and -._ alone; a wimse path is RFC 3986 pchar,
 * less the escapes, which would give one workload two spellings. */
static bool
segment_is_valid(struct text segment, bool is_spiffe)
{
    if (segment.n == 0 || text_equals(segment, TEXT(".")) ||
        text_equals(segment, TEXT("..")))
        return false;
    for (size_t i = 0; i < segment.n; i++) {
        if (!is_alnum(segment.at[i]) && !is_one_of(segment.at[i], "-._") &&
            (is_spiffe || !is_one_of(segment.at[i], "~!$&'()*+,;=:@")))
            return false;
    }
    return true;
}

/* path: begins with '/'. */
static bool
path_is_valid(struct text path, bool is_spiffe)
{
    size_t begin = 1;

    for (size_t i = 1; i <= path.n; i++) {
        if (i < path.n && path.at[i] != '/')
            continue;
        if (!segment_is_valid(text_of(path.at + begin, i - begin), is_spiffe))
            return false;
        begin = i + 1;
    }
    return true;
}

static bool
scheme_take(struct text *t, struct text *scheme)
{
    static const struct text schemes[] = { { "spiffe", 6 }, { "wimse", 5 } };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct text rest;

        if (!text_starts(*t, schemes[i]))
            continue;
        rest = text_of(t->at + schemes[i].n, t->n - schemes[i].n);
        if (!text_starts(rest, TEXT("://")))
            continue;
        *scheme = text_of(t->at, schemes[i].n);
        *t = text_of(rest.at + 3, rest.n - 3);
        return true;
    }
    return false;
}

bool
identifier_parse(struct text t, struct identifier *out)
{
    const char *slash;

    if (t.n > IDENTIFIER_MAX || !scheme_take(&t, &out->scheme))
        return false;
    if (t.n == 0 || (slash = memchr(t.at, '/', t.n)) == NULL)
        return false;
    out->domain = text_of(t.at, (size_t)(slash - t.at));
    return trust_domain_is_valid(out->domain) &&
           path_is_valid(text_of(slash, t.n - out->domain.n), out->scheme.n == 6);
}

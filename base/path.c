/* Paths in one spelling: what is judged is what is sent and signed. A path that another
 * reader could resolve to another place is refused rather than guessed at. One pass
 * over a copy, in place: nothing here makes a path longer. */
#include "base/path.h"

#include <string.h>

enum { QUERY = 1, SEGMENT = 2, UNRESERVED = 4 };

/* RFC 3986 section 3.3 for what may stand in a segment. '%' and '/' have their own
 * branches. A query is wider than the RFC: every printable ASCII byte but '#'.
 * Browsers, curl and many client libraries send [ ] | { } ^ ` " < > and backslash bare;
 * no rule reads the query, it is signed exactly as it is sent, and none of these bytes
 * can end a request line. */
/* clang-format off */
#define Q QUERY
#define S (QUERY | SEGMENT)
#define U (QUERY | SEGMENT | UNRESERVED)
static const unsigned char kinds[256] = {
    ['!'] = S, ['"'] = Q, ['$'] = S, ['%'] = Q, ['&' ... ','] = S,
    ['-'] = U, ['.'] = U, ['/'] = Q, ['0' ... '9'] = U,
    [':'] = S, [';'] = S, ['<'] = Q, ['='] = S, ['>'] = Q, ['?'] = Q, ['@'] = S,
    ['A' ... 'Z'] = U, ['['] = Q, ['\\'] = Q, [']'] = Q, ['^'] = Q,
    ['_'] = U, ['`'] = Q,
    ['a' ... 'z'] = U, ['{'] = Q, ['|'] = Q, ['}'] = Q, ['~'] = U,
};
#undef Q
#undef S
#undef U
/* clang-format on */

/* The path as far as it is written. It is at most as long as what has been read, so
 * both share one piece of memory. */
struct writer {
    struct arena *arena;
    char *at;
    size_t n;
    size_t segment; /* where the '/' of the last segment stands */
    bool doubtful;  /* that segment holds an escaped '%' or '/', or a ';' */
};

/* What a reader sees who decodes until there is nothing left to decode; out has room
 * for n bytes. A byte may complete an escape whose front was itself an escape
 * ("%25%32%65"), so each one looks back at the two before it. */
static size_t
decode_wholly(const char *p, size_t n, char *out)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++) {
        int c;

        out[to++] = p[i];
        while (to >= 3 && out[to - 3] == '%' &&
               (c = text_hex_pair(out + to - 2, out + to)) >= 0) {
            to -= 3;
            out[to++] = (char)c;
        }
    }
    return to;
}

/* Some reader behind us finds a dot segment here that we do not: one who decodes twice
 * ("%252e%252e"), or who cuts path parameters off first (".." of "..;x"). */
static bool
hides_dot_segment(struct arena *a, const char *p, size_t n)
{
    char *seen = arena_alloc(a, n);
    size_t dots = 0, others = 0;

    n = decode_wholly(p, n, seen);
    for (size_t i = 0; i < n; i++) {
        if (seen[i] == '/' || seen[i] == '\\' || seen[i] == ';') {
            if (others == 0 && (dots == 1 || dots == 2))
                return true;
            dots = others = 0;
        } else if (seen[i] == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return others == 0 && (dots == 1 || dots == 2);
}

/* The last segment is whole: RFC 3986 section 5.2.4, but ".." above the root is
 * refused, since it only ever stands for somebody's hope. */
static bool
close_segment(struct writer *w)
{
    const char *at = w->at + w->segment + 1;
    size_t n = w->n - w->segment - 1;

    if (n == 1 && at[0] == '.') {
        w->n = w->segment;
    } else if (n == 2 && at[0] == '.' && at[1] == '.') {
        if (w->segment == 0)
            return false;
        w->segment = (size_t)((char *)memrchr(w->at, '/', w->segment) - w->at);
        w->n = w->segment;
    } else if (w->doubtful && hides_dot_segment(w->arena, at, n)) {
        return false;
    }
    w->doubtful = false;
    return true;
}

static bool
open_segment(struct writer *w)
{
    if (!close_segment(w))
        return false;
    w->segment = w->n;
    w->at[w->n++] = '/';
    return true;
}

/* c was written as an escape: bare if that says the same (RFC 3986 section 6.2.2.2),
 * else in upper-case hex. */
static bool
put_escaped(struct writer *w, int c)
{
    static const char hex[] = "0123456789ABCDEF";

    if (c <= 0 || c == '\\')
        return false;
    if ((kinds[c] & UNRESERVED) != 0) {
        w->at[w->n++] = (char)c;
        return true;
    }
    w->doubtful |= c == '%' || c == '/' || c == ';';
    w->at[w->n++] = '%';
    w->at[w->n++] = hex[c >> 4];
    w->at[w->n++] = hex[c & 15];
    return true;
}

/* at[0] is '/'. Returns the length of the path that now stands at `at`; 0 when it is
 * refused. */
static size_t
normalise(struct arena *a, char *at, size_t n)
{
    struct writer w = { .arena = a, .at = at, .n = 1 };
    const char *end = at + n;

    for (const char *p = at + 1; p < end; p++) {
        if (*p == '/') {
            if (!open_segment(&w))
                return 0;
        } else if (*p == '%') {
            if (!put_escaped(&w, text_hex_pair(p + 1, end)))
                return 0;
            p += 2;
        } else {
            if ((kinds[(unsigned char)*p] & SEGMENT) == 0)
                return 0;
            w.doubtful |= *p == ';';
            w.at[w.n++] = *p;
        }
    }
    if (!close_segment(&w))
        return 0;
    if (w.n == w.segment) /* a dot segment at the end leaves the '/' before it */
        w.at[w.n++] = '/';
    return w.n;
}

static bool
query_is_clean(const char *p, const char *end)
{
    while (p < end && (kinds[(unsigned char)*p] & QUERY) != 0)
        p++;
    return p == end;
}

bool
path_is_plain(struct text path)
{
    if (path.n == 0 || path.at[0] != '/')
        return false;
    for (size_t i = 1; i < path.n; i++) {
        char c = path.at[i];

        if (c != '/' && (kinds[(unsigned char)c] & SEGMENT) == 0)
            return false;
        if (c == ';' || (c == '.' && path.at[i - 1] == '/'))
            return false;
    }
    return true;
}

bool
path_has_encoded_slash(struct text path)
{
    return memmem(path.at, path.n, "%2F", 3) != NULL;
}

enum reason
path_normalise(struct arena *a, struct text target, struct text *path,
               struct text *query)
{
    char *mem;
    char *end;
    char *mark;
    size_t n;

    *path = *query = (struct text){ NULL, 0 };
    if (target.n == 0 ||
        (target.at[0] != '/' && !(target.n == 1 && target.at[0] == '*')))
        return REASON_PATH_MALFORMED;
    mem = arena_alloc(a, target.n);
    memcpy(mem, target.at, target.n);
    end = mem + target.n;
    if ((mark = memchr(mem, '?', target.n)) != NULL && !query_is_clean(mark + 1, end))
        return REASON_PATH_MALFORMED;
    n = (size_t)((mark == NULL ? end : mark) - mem);
    if ((n = normalise(a, mem, n)) == 0)
        return REASON_PATH_MALFORMED;
    *path = text_of(mem, n);
    if (mark != NULL)
        *query = text_of(mark + 1, (size_t)(end - mark - 1));
    return REASON_OK;
}

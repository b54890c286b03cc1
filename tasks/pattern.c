/* Path patterns, one at a time. */
#include "tasks/pattern.h"

#include "base/path.h"

#include <string.h>

bool
pattern_is_star(struct text segment)
{
    return segment.n == 1 && segment.at[0] == '*';
}

/* Not an empty one: services that fold "//" would see a path nobody allowed. */
bool
pattern_star_fits(struct text segment)
{
    return segment.n > 0;
}

bool
pattern_is_tail(struct text segment)
{
    return segment.n == 2 && segment.at[0] == '*' && segment.at[1] == '*';
}

bool
pattern_segment(struct text *rest, struct text *segment)
{
    const char *slash;

    if (rest->at == NULL)
        return false;
    *segment = *rest;
    slash = memchr(rest->at, '/', rest->n);
    if (slash == NULL) {
        *rest = text_of(NULL, 0);
        return true;
    }
    segment->n = (size_t)(slash - rest->at);
    *rest = text_of(slash + 1, rest->n - segment->n - 1);
    return true;
}

static struct text
behind_slash(struct text path)
{
    return text_of(path.at + 1, path.n - 1);
}

static const char *
segments_fault(struct text rest)
{
    size_t n = 0;
    struct text segment;

    while (pattern_segment(&rest, &segment)) {
        if (pattern_is_tail(segment) && rest.at != NULL)
            return "\"**\" stands for the rest of a path and may only come last";
        if (!pattern_is_star(segment) && !pattern_is_tail(segment) &&
            text_has_byte(segment, '*'))
            return "\"*\" stands for a whole segment, not for a part of one";
        if (++n > PATTERN_SEGMENTS_MAX)
            return "more segments than a pattern may have";
    }
    return NULL;
}

/* A pattern that is not spelled as canonical paths are would never match. */
static bool
is_canonical(struct text pattern)
{
    struct arena *a;
    struct text path, query;
    bool is;

    if (path_is_plain(pattern))
        return true;
    a = arena_new();
    is = path_normalise(a, pattern, &path, &query) == REASON_OK && query.at == NULL &&
         text_equals(path, pattern);

    arena_free(a);
    return is;
}

const char *
pattern_fault(struct text pattern)
{
    if (!text_starts(pattern, TEXT("/")))
        return "a path begins with \"/\"";
    if (!is_canonical(pattern))
        return "not a canonical path: no query, no dot segments, escapes in upper case "
               "and only where needed";
    return segments_fault(behind_slash(pattern));
}

bool
pattern_is_literal(struct text pattern)
{
    return !text_has_byte(pattern, '*');
}

bool
pattern_fits(struct text pattern, struct text path)
{
    struct text want, have;

    if (!text_starts(pattern, TEXT("/")) || !text_starts(path, TEXT("/")))
        return false;
    pattern = behind_slash(pattern);
    path = behind_slash(path);
    while (pattern_segment(&pattern, &want)) {
        if (pattern_is_tail(want))
            return true;
        if (!pattern_segment(&path, &have))
            return false;
        if (pattern_is_star(want) ? !pattern_star_fits(have) : !text_equals(want, have))
            return false;
    }
    return path.at == NULL;
}

#include "filters/subprotocols.h"

#include <string.h>

/* A name that a member begins with has no more dots than this. */
enum { DOTS_MAX = 8 };

static bool
is_jwt(struct text member)
{
    const char *dot = memchr(member.at, '.', member.n);

    return text_starts(member, TEXT("eyJ")) && dot != NULL &&
           memchr(dot + 1, '.', (size_t)(member.at + member.n - dot - 1)) != NULL;
}

static bool
is_name(const struct positions *p, struct text t)
{
    return positions_header(p, t) == POSITION_CREDENTIAL ||
           text_equals_nocase(t, TEXT("base64url.bearer.authorization.k8s.io"));
}

static bool
begins_with_name(const struct positions *p, struct text member)
{
    size_t dots = 0;

    for (size_t i = 0; i < member.n && dots < DOTS_MAX; i++) {
        if (member.at[i] != '.')
            continue;
        dots++;
        if (is_name(p, text_of(member.at, i)))
            return true;
    }
    return false;
}

static void
add(char *list, size_t *n, struct text member)
{
    if (*n > 0) {
        memcpy(list + *n, ", ", 2);
        *n += 2;
    }
    memcpy(list + *n, member.at, member.n);
    *n += member.n;
}

bool
subprotocols_split(const struct positions *p, struct arena *a, struct text value,
                   struct text *kept, struct text *taken)
{
    /* A comma may become a comma and a space. */
    char *left = arena_alloc(a, 2 * value.n), *gone = arena_alloc(a, 2 * value.n);
    size_t n_left = 0, n_gone = 0;
    struct text rest = value, member;
    bool is_value = false;

    while (text_split(&rest, ',', &member)) {
        bool names;

        member = text_trim(member);
        if (member.n == 0)
            continue;
        names = !is_value && is_name(p, member);
        if (is_value || names || begins_with_name(p, member) || is_jwt(member))
            add(gone, &n_gone, member);
        else
            add(left, &n_left, member);
        is_value = names;
    }
    *kept = text_of(left, n_left);
    *taken = text_of(gone, n_gone);
    return n_gone > 0;
}

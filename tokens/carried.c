/* One list of the fields that carry tokens beside ours, for maker and verifier. */
#include "tokens/carried.h"

#include <string.h>

const struct text carried_names[CARRIED_OTHERS] = {
    { "x-api-key", 9 },
    { "api-key", 7 },
    { "x-auth-token", 12 },
    { "private-token", 13 },
    { "x-access-token", 14 },
    { "x-goog-api-key", 14 },
    { "x-amz-security-token", 20 },
};

/* RFC 9110 11.4: credentials = scheme 1*SP token68. Without a space all of it is taken.
 */
static struct text
behind_scheme(struct text value)
{
    const char *space = value.n == 0 ? NULL : memchr(value.at, ' ', value.n);

    if (space == NULL)
        return value;
    return text_trim(text_of(space, value.n - (size_t)(space - value.at)));
}

/* Asked of every field of every request: the length settles nearly all. */
static inline bool
is_named(const struct field *f, struct text name)
{
    return f->name.n == name.n && text_equals_nocase(f->name, name);
}

static void
note(struct text *place, struct text value, bool *repeated)
{
    *repeated = *repeated || place->at != NULL;
    *place = value.at == NULL ? TEXT("") : value;
}

static void
note_other(struct carried *out, const struct field *f)
{
    for (size_t i = 0; i < CARRIED_OTHERS; i++) {
        if (is_named(f, carried_names[i]))
            note(&out->others[i], f->value, &out->other_repeated);
    }
}

void
carried_find(const struct headers *h, struct carried *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < h->n; i++) {
        const struct field *f = &h->at[i];

        if (is_named(f, TEXT("Authorization")))
            note(&out->access, behind_scheme(f->value), &out->access_repeated);
        else if (is_named(f, TEXT("Txn-Token")))
            note(&out->transaction, f->value, &out->other_repeated);
        else
            note_other(out, f);
    }
}

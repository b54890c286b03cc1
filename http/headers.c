#include "http/headers.h"

#include <string.h>

enum { FIRST_ROOM = 16 };

static void
grow(struct headers *h, size_t room)
{
    struct field *at = arena_alloc(h->arena, room * sizeof *at);

    if (h->n > 0)
        memcpy(at, h->at, h->n * sizeof *at);
    h->at = at;
    h->room = room;
}

void
headers_init(struct headers *h, struct arena *arena)
{
    *h = (struct headers){ .arena = arena };
}

void
headers_reserve(struct headers *h, size_t n)
{
    if (h->room < n)
        grow(h, n);
}

void
headers_add(struct headers *h, struct text name, struct text value)
{
    if (h->n == h->room)
        grow(h, h->room == 0 ? FIRST_ROOM : h->room * 2);
    h->at[h->n++] = (struct field){ name, value, false };
}

void
headers_add_secret(struct headers *h, struct text name, struct text value)
{
    headers_add(h, name, value);
    h->at[h->n - 1].never_index = true;
}

void
headers_add_all(struct headers *h, const struct headers *from)
{
    headers_reserve(h, h->n + from->n);
    for (size_t i = 0; i < from->n; i++)
        h->at[h->n++] = from->at[i];
}

const struct field *
headers_get(const struct headers *h, struct text name)
{
    for (size_t i = 0; i < h->n; i++)
        if (text_equals_nocase(h->at[i].name, name))
            return &h->at[i];
    return NULL;
}

bool
headers_has(const struct headers *h, struct text name)
{
    return headers_get(h, name) != NULL;
}

size_t
headers_count(const struct headers *h, struct text name)
{
    size_t count = 0;

    for (size_t i = 0; i < h->n; i++)
        count += text_equals_nocase(h->at[i].name, name);
    return count;
}

size_t
headers_remove(struct headers *h, struct text name)
{
    size_t kept = 0;
    size_t removed;

    for (size_t i = 0; i < h->n; i++)
        if (!text_equals_nocase(h->at[i].name, name))
            h->at[kept++] = h->at[i];
    removed = h->n - kept;
    h->n = kept;
    return removed;
}

void
headers_remove_at(struct headers *h, size_t i)
{
    h->n--;
    memmove(&h->at[i], &h->at[i + 1], (h->n - i) * sizeof *h->at);
}

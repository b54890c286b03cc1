/* Header fields: an ordered list. Names keep the case they came in and compare without
 * it. */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include "base/arena.h"
#include "base/text.h"

struct field {
    struct text name;
    struct text value; /* trimmed */
    bool never_index;  /* HPACK must not remember it (RFC 7541 section 7.1.3): a
                          credential of ours, or the sender said so */
};

struct headers {
    struct arena *arena; /* the list grows here; names and values are on loan from it
                            (or from literals) */
    struct field *at;
    size_t n, room;
};

void headers_init(struct headers *h, struct arena *arena);
/* Room for n fields in all, so that adding as many allocates once. */
void headers_reserve(struct headers *h, size_t n);
void headers_add(struct headers *h, struct text name, struct text value);
/* The same of what must not be remembered by anybody on the way. */
void headers_add_secret(struct headers *h, struct text name, struct text value);
/* Another's fields as they are. */
void headers_add_all(struct headers *h, const struct headers *from);
/* The first field of this name; NULL when there is none. */
const struct field *headers_get(const struct headers *h, struct text name);
bool headers_has(const struct headers *h, struct text name);
size_t headers_count(const struct headers *h, struct text name);
/* Removes every field of this name; returns how many there were. */
size_t headers_remove(struct headers *h, struct text name);
/* Removes the i-th field, keeping the order of the rest. */
void headers_remove_at(struct headers *h, size_t i);

#endif

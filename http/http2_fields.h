/* The fields of HTTP/2 heads and trailers, kept as they are decoded until they are
 * read: one run of bytes, whatever many they are. Nothing is judged here but how much
 * of it there may be. */
#ifndef HTTP_HTTP2_FIELDS_H
#define HTTP_HTTP2_FIELDS_H

#include "base/buf.h"
#include "base/reason.h"
#include "http/headers.h"
#include "http/wire.h"

/* Sections in the order they came; the last may still be coming. A zeroed one is
 * empty, and holds no memory. */
struct sections {
    struct buf bytes;
    unsigned n_whole; /* that wait to be taken */
    bool is_coming;
    size_t size, n; /* of the one that is coming */
    enum reason why;
};

/* One section, in its reader's arena. */
struct section {
    struct text bytes;
    size_t n;        /* fields in it */
    bool is_last;    /* of its message: nothing follows */
    enum reason why; /* more came than may: REASON_HEAD_TOO_LARGE, _TOO_MANY_FIELDS */
};

void sections_free(struct sections *s);
void sections_begin(struct sections *s);
/* Past the limits it is counted and dropped: the peer's compression state needs it
 * decoded all the same (RFC 9113 section 4.3). */
void sections_add(struct sections *s, const struct wire_limits *limits,
                  struct text name, struct text value, bool never_index);
void sections_end(struct sections *s, bool is_last);

/* Takes the first that is whole; false when there is none. */
bool sections_take(struct sections *s, struct arena *a, struct section *out);
/* The bytes of the first that is whole, where it lies. */
struct text sections_first(const struct sections *s);
/* The fields one after the other, from a section's bytes; false behind the last. */
bool section_next(struct text *rest, struct field *out);

#endif

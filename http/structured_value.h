/* Inside http/: the bare values of structured fields, and the bytes they are made of.
 */
#ifndef HTTP_STRUCTURED_VALUE_H
#define HTTP_STRUCTURED_VALUE_H

#include "http/structured.h"

/* What is left of a field. */
struct sf_reader {
    const char *p, *end;
    struct arena *arena;
    bool repeated;
};

MUST_USE bool sf_read_value(struct sf_reader *r, struct sf_value *out);
MUST_USE bool sf_read_key(struct sf_reader *r, struct text *out);

/* The whole of t is one. */
bool sf_is_key(struct text t);
bool sf_is_token(struct text t);

enum { SF_INTEGER_DIGITS = 15 };
/* The greatest number of either sign: fifteen digits, of a decimal three behind the
 * point. */
#define SF_NUMBER_MAX INT64_C(999999999999999)

static inline bool
sf_has(const struct sf_reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}

static inline bool
sf_take(struct sf_reader *r, char c)
{
    if (!sf_has(r, c))
        return false;
    r->p++;
    return true;
}

#endif

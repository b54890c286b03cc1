/* Structured field values (RFC 9651), read strictly into an arena and written back in
 * their one canonical spelling. What the RFC lets a parser forgive (base64 without its
 * padding, or with spare bits) is not forgiven: what is signed must have one spelling.
 * Of a field that is not well-formed nothing is known. */
#ifndef HTTP_STRUCTURED_H
#define HTTP_STRUCTURED_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/reason.h"
#include "http/headers.h"

enum sf_kind {
    SF_INTEGER,
    SF_DECIMAL, /* in thousandths */
    SF_STRING,
    SF_TOKEN,
    SF_BYTES,
    SF_BOOLEAN, /* 0 or 1 */
    SF_DATE,    /* seconds */
    SF_DISPLAY  /* UTF-8 */
};

struct sf_value {
    enum sf_kind kind;
    int64_t number;
    struct text text; /* unescaped, decoded; of the four kinds that have one */
};

struct sf_param {
    struct text key;
    struct sf_value value;
};

struct sf_params {
    struct sf_param *at;
    size_t n;
};

struct sf_item {
    struct sf_value value;
    struct sf_params params;
};

struct sf_member {
    struct text key; /* of a dictionary's; empty elsewhere */
    bool is_inner;   /* an inner list: item.params are the list's, item.value nothing */
    struct sf_item item;
    struct sf_item *inner;
    size_t n_inner;
};

struct sf_field {
    struct sf_member *at;
    size_t n;
    bool repeated; /* a key stood twice somewhere: the last one counts, and whoever must
                      not be read in two ways refuses it */
};

/* An item is a field with one member. */
enum sf_type { SF_ITEM, SF_LIST, SF_DICTIONARY };

/* What a list or a dictionary may hold, what stands twice counted twice, and what the
 * parameters of one item and one inner list may: as many as the RFC demands. */
enum { SF_MEMBERS_MAX = 1024, SF_PARAMS_MAX = 256, SF_INNER_MAX = 256 };

/* All values of this name, joined as one (RFC 9651 section 4.2); false: there is none.
 * One value alone is on loan from the headers. */
bool sf_join(const struct headers *h, struct text name, struct arena *a,
             struct text *out);

/* Texts are on loan from t, or in the arena. False, with nothing in out: malformed, or
 * too much of it. */
MUST_USE bool sf_parse(enum sf_type type, struct text t, struct arena *a,
                       struct sf_field *out);

/* NULL: not there. */
const struct sf_member *sf_find(const struct sf_field *dictionary, struct text key);
const struct sf_value *sf_param(const struct sf_params *p, struct text key);
bool sf_is(const struct sf_value *v, enum sf_kind kind); /* v may be NULL */

/* Appends the canonical spelling. False: a value has none (a string that is not ASCII,
 * a number too long, a key that is no key), and what was appended is worth nothing. */
MUST_USE bool sf_write(enum sf_type type, const struct sf_field *f, struct buf *out);
MUST_USE bool sf_write_member(const struct sf_member *m, struct buf *out);
MUST_USE bool sf_write_item(const struct sf_item *i, struct buf *out);
MUST_USE bool sf_write_params(const struct sf_params *p, struct buf *out);
/* The same of one string and of bytes, for whoever writes a field by hand. */
MUST_USE bool sf_write_string(struct text t, struct buf *out);
void sf_write_bytes(struct text t, struct buf *out);

#endif

/* JSON in and out. Reading is jansson's one door: duplicate names, embedded NUL, depth
 * and trailing bytes are refused before anyone looks. Writing is ours: append to a buf,
 * escaped. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/text.h"

/* A parsed value on loan from its document. In every call NULL is "not there". */
struct json;

/* NULL when the text is not one strict JSON value of at most `max` bytes, 32 levels and
 * 256 members an object. json_free frees the document (its root), and wipes it. */
struct json *json_parse(struct text t, size_t max);
void json_free(struct json *root);

bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_string(const struct json *j);
const struct json *json_get(const struct json *object, const char *name);
size_t json_count(const struct json *j); /* members or elements; 0 for scalars */
const struct json *json_at(const struct json *array, size_t i);
/* The i-th member of an object, in the order written. */
const struct json *json_member(const struct json *object, size_t i, struct text *name);
bool json_text(const struct json *j, struct text *out); /* false: not a string */
/* jansson exports a json_string of its own: ours must not take its place in the linked
 * program. */
#define json_string json_text
/* The text of this member; empty: it is not there, or is none. */
struct text json_text_of(const struct json *object, const char *name);
/* A whole number of seconds or such; a fraction is cut off; false: not a number or
 * beyond +-2^53. */
bool json_number(const struct json *j, int64_t *out);
bool json_bool(const struct json *j, bool *out);

/* "…" with quotes, control bytes, invalid UTF-8, U+2028 and U+2029 escaped. */
void json_write_string(struct buf *out, struct text t);

#endif

/* JSON on its way out: members and elements are appended to a buf, and the commas find
 * themselves. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/json.h"

/* '{' or '['; key NULL: an element, or the whole. */
void json_open(struct buf *out, const char *key, char bracket);
void json_close(struct buf *out, char bracket);

/* key NULL: an element. A text is escaped (json_write_string). */
void json_put_text(struct buf *out, const char *key, struct text value);
/* value NULL: null. */
void json_put_z(struct buf *out, const char *key, const char *value);
void json_put_number(struct buf *out, const char *key, int64_t value);
void json_put_bool(struct buf *out, const char *key, bool value);

#endif

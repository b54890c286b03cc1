#include "base/json_write.h"

#include "base/escape.h"

#include <string.h>

/* Behind an opening bracket, or where a line begins, nothing stands before. */
static bool
is_first(const struct buf *out)
{
    char last = buf_length(out) > 0 ? out->mem[out->end - 1] : '\n';

    return last == '{' || last == '[' || last == '\n';
}

static void
begin(struct buf *out, const char *key)
{
    if (!is_first(out))
        buf_add_byte(out, ',');
    if (key == NULL)
        return;
    json_write_string(out, text_z(key));
    buf_add_byte(out, ':');
}

/* ,"key":"value" in one piece, where nothing has to be escaped: a record has a score of
 * these. */
static bool
put_plain(struct buf *out, struct text key, struct text value)
{
    char *start, *at;

    if (escape_plain(key) < key.n || escape_plain(value) < value.n)
        return false;
    start = at = buf_reserve(out, key.n + value.n + 6);
    if (!is_first(out))
        *at++ = ',';
    *at++ = '"';
    memcpy(at, key.at, key.n);
    at += key.n;
    memcpy(at, "\":\"", 3);
    at += 3;
    if (value.n > 0)
        memcpy(at, value.at, value.n);
    at[value.n] = '"';
    buf_commit(out, (size_t)(at - start) + value.n + 1);
    return true;
}

void
json_open(struct buf *out, const char *key, char bracket)
{
    begin(out, key);
    buf_add_byte(out, bracket);
}

void
json_close(struct buf *out, char bracket)
{
    buf_add_byte(out, bracket);
}

void
json_put_text(struct buf *out, const char *key, struct text value)
{
    if (key != NULL && put_plain(out, text_of(key, strlen(key)), value))
        return;
    begin(out, key);
    json_write_string(out, value);
}

void
json_put_z(struct buf *out, const char *key, const char *value)
{
    if (value != NULL) {
        json_put_text(out, key, text_of(value, strlen(value)));
        return;
    }
    begin(out, key);
    buf_add_z(out, "null");
}

void
json_put_number(struct buf *out, const char *key, int64_t value)
{
    begin(out, key);
    if (value < 0)
        buf_add_byte(out, '-');
    buf_add_u64(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void
json_put_bool(struct buf *out, const char *key, bool value)
{
    begin(out, key);
    buf_add_z(out, value ? "true" : "false");
}

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

/* ,"key": where nothing has to be escaped. Behind it `more` bytes are reserved. */
static char *
begin_plain(struct buf *out, struct text key, size_t more)
{
    char *start = buf_reserve(out, key.n + 4 + more), *at = start;

    if (!is_first(out))
        *at++ = ',';
    *at++ = '"';
    memcpy(at, key.at, key.n);
    at += key.n;
    *at++ = '"';
    *at++ = ':';
    buf_commit(out, (size_t)(at - start));
    return at;
}

static void
begin(struct buf *out, const char *key)
{
    struct text name = text_z(key);

    if (name.n > 0 && escape_plain(name) == name.n) {
        (void)begin_plain(out, name, 0);
        return;
    }
    if (!is_first(out))
        buf_add_byte(out, ',');
    if (key == NULL)
        return;
    json_write_string(out, name);
    buf_add_byte(out, ':');
}

/* ,"key":"value" in one piece, where nothing has to be escaped: a record has a score of
 * these. */
static bool
put_plain(struct buf *out, struct text key, struct text value)
{
    char *at;

    if (key.n == 0 || escape_plain(key) < key.n || escape_plain(value) < value.n)
        return false;
    at = begin_plain(out, key, value.n + 2);
    *at++ = '"';
    if (value.n > 0)
        memcpy(at, value.at, value.n);
    at[value.n] = '"';
    buf_commit(out, value.n + 2);
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
    buf_add(out, TEXT("null"));
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

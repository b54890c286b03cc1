#include "base/json_write.h"

#include <inttypes.h>

/* Behind an opening bracket, or where a line begins, nothing stands before. */
static bool
is_first(const struct buf *out)
{
    struct text t = buf_text(out);
    char last = t.n > 0 ? t.at[t.n - 1] : '\n';

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
    begin(out, key);
    json_write_string(out, value);
}

void
json_put_z(struct buf *out, const char *key, const char *value)
{
    begin(out, key);
    if (value == NULL)
        buf_add_z(out, "null");
    else
        json_write_string(out, text_z(value));
}

void
json_put_number(struct buf *out, const char *key, int64_t value)
{
    begin(out, key);
    buf_printf(out, "%" PRId64, value);
}

void
json_put_bool(struct buf *out, const char *key, bool value)
{
    begin(out, key);
    buf_add_z(out, value ? "true" : "false");
}

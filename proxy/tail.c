#include "proxy/tail.h"

#include "base/json.h"

#include <string.h>

static bool
has(struct text line, struct text field)
{
    return memmem(line.at, line.n, field.at, field.n) != NULL;
}

/* ,"key":"value" with its closing quote. */
static void
write_field(struct buf *out, const char *key, struct text value)
{
    buf_printf(out, ",\"%s\":", key);
    json_write_string(out, value);
}

static bool
names_port(struct text host)
{
    return text_has_byte(host, ':') && !text_ends(host, TEXT("]"));
}

/* As the log spells it. */
static void
write_host(struct buf *out, struct text host)
{
    struct buf lower = { 0 };

    for (size_t i = 0; i < host.n; i++)
        buf_add_byte(&lower, host.at[i] >= 'A' && host.at[i] <= 'Z'
                                 ? (char)(host.at[i] + 32)
                                 : host.at[i]);
    write_field(out, "to", buf_text(&lower));
    buf_free(&lower);
}

void
tail_begin(struct tail *t, bool denied, struct text grant, struct text host)
{
    *t = (struct tail){ .denied = denied };
    if (!text_is_empty(grant))
        write_field(&t->grant, "grant", grant);
    if (text_is_empty(host))
        return;
    write_host(&t->to, host);
    /* A colon in the quote's place: any port. */
    if (!names_port(host)) {
        buf_truncate(&t->to, buf_length(&t->to) - 1);
        buf_add_byte(&t->to, ':');
    }
}

void
tail_end(struct tail *t)
{
    buf_free(&t->grant);
    buf_free(&t->to);
}

static bool
is_refusal(struct text line)
{
    return (has(line, TEXT(",\"msg\":\"request\"")) ||
            has(line, TEXT(",\"msg\":\"connection\""))) &&
           !has(line, TEXT(",\"reason\":\"ok\""));
}

bool
tail_wants(const struct tail *t, struct text line)
{
    return (!t->denied || is_refusal(line)) &&
           (buf_length(&t->grant) == 0 || has(line, buf_text(&t->grant))) &&
           (buf_length(&t->to) == 0 || has(line, buf_text(&t->to)));
}

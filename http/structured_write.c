/* Structured fields written (RFC 9651 section 4.1): one spelling for each value, or
 * none. */
#include "http/structured_value.h"

#include "base/digest.h"
#include "base/escape.h"

static bool
is_number(int64_t n)
{
    return n >= -SF_NUMBER_MAX && n <= SF_NUMBER_MAX;
}

static bool
write_integer(int64_t n, struct buf *out)
{
    if (!is_number(n))
        return false;
    if (n < 0)
        buf_add_byte(out, '-');
    buf_add_u64(out, (uint64_t)(n < 0 ? -n : n));
    return true;
}

static bool
write_decimal(int64_t thousandths, struct buf *out)
{
    uint64_t n = (uint64_t)(thousandths < 0 ? -thousandths : thousandths);
    uint64_t fraction = n % 1000;
    char digits[3] = { (char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10),
                       (char)('0' + fraction % 10) };
    size_t length = digits[2] != '0' ? 3 : digits[1] != '0' ? 2 : 1;

    if (!is_number(thousandths))
        return false;
    if (thousandths < 0)
        buf_add_byte(out, '-');
    buf_add_u64(out, n / 1000);
    buf_add_byte(out, '.');
    buf_add(out, text_of(digits, length));
    return true;
}

/* How much of the front of t stands as it is between quotes. */
static size_t
plain_part(struct text t)
{
    size_t n = 0;

    while (n < t.n && t.at[n] >= ' ' && t.at[n] <= '~' && t.at[n] != '"' &&
           t.at[n] != '\\')
        n++;
    return n;
}

bool
sf_write_string(struct text t, struct buf *out)
{
    size_t n;

    buf_add_byte(out, '"');
    while ((n = plain_part(t)) < t.n) {
        if (t.at[n] != '"' && t.at[n] != '\\')
            return false;
        buf_add(out, text_of(t.at, n));
        buf_add_byte(out, '\\');
        buf_add_byte(out, t.at[n]);
        t = text_of(t.at + n + 1, t.n - n - 1);
    }
    buf_add(out, t);
    buf_add_byte(out, '"');
    return true;
}

void
sf_write_bytes(struct text t, struct buf *out)
{
    size_t n = BASE64_SIZE(t.n);

    buf_add_byte(out, ':');
    base64_encode((const unsigned char *)t.at, t.n, buf_reserve(out, n));
    buf_commit(out, n);
    buf_add_byte(out, ':');
}

static bool
write_display(struct text t, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";

    if (!escape_is_utf8(t))
        return false;
    buf_add_z(out, "%\"");
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.at[i];

        if (c >= ' ' && c <= '~' && c != '%' && c != '"') {
            buf_add_byte(out, t.at[i]);
            continue;
        }
        buf_add_byte(out, '%');
        buf_add_byte(out, hex[c >> 4]);
        buf_add_byte(out, hex[c & 15]);
    }
    buf_add_byte(out, '"');
    return true;
}

static bool
write_value(const struct sf_value *v, struct buf *out)
{
    switch (v->kind) {
    case SF_INTEGER:
        return write_integer(v->number, out);
    case SF_DECIMAL:
        return write_decimal(v->number, out);
    case SF_STRING:
        return sf_write_string(v->text, out);
    case SF_TOKEN:
        buf_add(out, v->text);
        return sf_is_token(v->text);
    case SF_BYTES:
        sf_write_bytes(v->text, out);
        return true;
    case SF_BOOLEAN:
        buf_add_z(out, v->number != 0 ? "?1" : "?0");
        return true;
    case SF_DATE:
        buf_add_byte(out, '@');
        return write_integer(v->number, out);
    case SF_DISPLAY:
        return write_display(v->text, out);
    }
    return false;
}

static bool
is_truth(const struct sf_value *v)
{
    return v->kind == SF_BOOLEAN && v->number != 0;
}

bool
sf_write_params(const struct sf_params *p, struct buf *out)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!sf_is_key(p->at[i].key))
            return false;
        buf_add_byte(out, ';');
        buf_add(out, p->at[i].key);
        if (is_truth(&p->at[i].value))
            continue;
        buf_add_byte(out, '=');
        if (!write_value(&p->at[i].value, out))
            return false;
    }
    return true;
}

bool
sf_write_item(const struct sf_item *i, struct buf *out)
{
    return write_value(&i->value, out) && sf_write_params(&i->params, out);
}

bool
sf_write_member(const struct sf_member *m, struct buf *out)
{
    if (!m->is_inner)
        return sf_write_item(&m->item, out);
    buf_add_byte(out, '(');
    for (size_t i = 0; i < m->n_inner; i++) {
        if (i > 0)
            buf_add_byte(out, ' ');
        if (!sf_write_item(&m->inner[i], out))
            return false;
    }
    buf_add_byte(out, ')');
    return sf_write_params(&m->item.params, out);
}

static bool
write_keyed(const struct sf_member *m, struct buf *out)
{
    if (!sf_is_key(m->key))
        return false;
    buf_add(out, m->key);
    if (!m->is_inner && is_truth(&m->item.value))
        return sf_write_params(&m->item.params, out);
    buf_add_byte(out, '=');
    return sf_write_member(m, out);
}

bool
sf_write(enum sf_type type, const struct sf_field *f, struct buf *out)
{
    for (size_t i = 0; i < f->n; i++) {
        if (i > 0)
            buf_add_z(out, ", ");
        if (!(type == SF_DICTIONARY ? write_keyed(&f->at[i], out)
                                    : sf_write_member(&f->at[i], out)))
            return false;
    }
    return true;
}

#include "http/http2_fields.h"

#include <assert.h>
#include <string.h>

/* Before each field, and, with name_n LAST, behind the last of a section. */
struct mark {
    uint32_t name_n, value_n;
};

static const uint32_t LAST = UINT32_MAX, NEVER_INDEX = UINT32_C(1) << 31,
                      NOTHING_FOLLOWS = UINT32_C(1) << 31;

enum {
    FIELD_OVERHEAD = 32, /* as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2) */
    WAITING_MAX = 2      /* whole limits of unread sections: a head and its trailers */
};

void
sections_free(struct sections *s)
{
    buf_free(&s->bytes);
    *s = (struct sections){ .n_whole = 0 };
}

static void
add_mark(struct sections *s, uint32_t name_n, uint32_t value_n)
{
    struct mark mark = { name_n, value_n };

    buf_add(&s->bytes, text_of((const char *)&mark, sizeof mark));
}

void
sections_begin(struct sections *s)
{
    s->is_coming = true;
    s->size = s->n = 0;
    s->why = REASON_OK;
}

static enum reason
weigh(struct sections *s, const struct wire_limits *limits, struct text name,
      struct text value)
{
    bool is_pseudo = name.n > 0 && name.at[0] == ':';

    s->size += name.n + value.n + FIELD_OVERHEAD;
    s->n += !is_pseudo; /* as HTTP/1 does not count its first line */
    if (s->size > limits->head_bytes ||
        buf_length(&s->bytes) > WAITING_MAX * limits->head_bytes)
        return REASON_HEAD_TOO_LARGE;
    return s->n > limits->fields ? REASON_TOO_MANY_FIELDS : REASON_OK;
}

static char *
put(char *at, const void *from, size_t n)
{
    if (n > 0)
        memcpy(at, from, n);
    return at + n;
}

static void
put_field(struct buf *b, struct text name, struct text value, bool never_index)
{
    struct mark mark = { (uint32_t)name.n | (never_index ? NEVER_INDEX : 0),
                         (uint32_t)value.n };
    size_t n = sizeof mark + name.n + value.n;
    char *at = buf_reserve(b, n);

    at = put(at, &mark, sizeof mark);
    at = put(at, name.at, name.n);
    put(at, value.at, value.n);
    buf_commit(b, n);
}

void
sections_add(struct sections *s, const struct wire_limits *limits, struct text name,
             struct text value, bool never_index)
{
    if (s->why == REASON_OK)
        s->why = weigh(s, limits, name, value);
    if (s->why != REASON_OK)
        return;
    assert(name.n < NEVER_INDEX && value.n < LAST);
    put_field(&s->bytes, name, value, never_index);
}

void
sections_end(struct sections *s, bool is_last)
{
    add_mark(s, LAST, (uint32_t)s->why | (is_last ? NOTHING_FOLLOWS : 0));
    s->is_coming = false;
    s->n_whole++;
}

static struct text
cut_front(struct text t, size_t n)
{
    return text_of(t.at + n, t.n - n);
}

static struct mark
take_mark(struct text *rest)
{
    struct mark mark;

    assert(rest->n >= sizeof mark);
    memcpy(&mark, rest->at, sizeof mark);
    *rest = cut_front(*rest, sizeof mark);
    return mark;
}

bool
section_next(struct text *rest, struct field *out)
{
    struct mark mark;

    if (rest->n == 0)
        return false;
    mark = take_mark(rest);
    out->never_index = (mark.name_n & NEVER_INDEX) != 0;
    out->name = text_of(rest->at, mark.name_n & ~NEVER_INDEX);
    out->value = text_of(rest->at + out->name.n, mark.value_n);
    *rest = cut_front(*rest, out->name.n + out->value.n);
    return true;
}

/* Behind the first section's last field; n counts them. */
static struct mark
skip_section(struct text *rest, size_t *n)
{
    struct mark mark = take_mark(rest);

    for (*n = 0; mark.name_n != LAST; mark = take_mark(rest), ++*n)
        *rest = cut_front(*rest, (mark.name_n & ~NEVER_INDEX) + mark.value_n);
    return mark;
}

struct text
sections_first(const struct sections *s)
{
    struct text all = buf_text(&s->bytes), rest = all;
    size_t n;

    assert(s->n_whole > 0);
    skip_section(&rest, &n);
    return text_of(all.at, all.n - rest.n - sizeof(struct mark));
}

bool
sections_take(struct sections *s, struct arena *a, struct section *out)
{
    struct text all = buf_text(&s->bytes), rest = all;
    struct mark mark;

    if (s->n_whole == 0)
        return false;
    mark = skip_section(&rest, &out->n);
    out->is_last = (mark.value_n & NOTHING_FOLLOWS) != 0;
    out->why = (enum reason)(mark.value_n & ~NOTHING_FOLLOWS);
    out->bytes = arena_copy(a, text_of(all.at, all.n - rest.n - sizeof mark));
    buf_drop(&s->bytes, all.n - rest.n);
    s->n_whole--;
    return true;
}

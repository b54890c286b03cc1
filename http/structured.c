/* Items, lists and dictionaries. Promises one reading of a field, and an end to what a
 * field can cost: every list in it has a most that it holds, and looking for what
 * stands twice is bounded by that. */
#include "http/structured_value.h"

/* ---- lists that grow in the arena */

enum { FIRST_ROOM = 4 };

/* Room for one more behind n things of this size. */
static void *
grow(struct sf_reader *r, void *old, size_t n, size_t size)
{
    void *more;

    if (n > 0 && (n < FIRST_ROOM || (n & (n - 1)) != 0))
        return old;
    more = arena_alloc(r->arena, (n == 0 ? FIRST_ROOM : 2 * n) * size);
    if (n > 0)
        memcpy(more, old, n * size);
    return more;
}

/* The one of this key, in its first place, or a new one at the end. */
static struct sf_param *
param_at(struct sf_reader *r, struct sf_params *p, struct text key)
{
    for (size_t i = 0; i < p->n; i++) {
        if (text_equals(p->at[i].key, key)) {
            r->repeated = true;
            return &p->at[i];
        }
    }
    p->at = grow(r, p->at, p->n, sizeof *p->at);
    p->at[p->n].key = key;
    return &p->at[p->n++];
}

static struct sf_member *
member_at(struct sf_reader *r, struct sf_field *f, struct text key)
{
    for (size_t i = 0; key.n > 0 && i < f->n; i++) {
        if (text_equals(f->at[i].key, key)) {
            r->repeated = true;
            return &f->at[i];
        }
    }
    f->at = grow(r, f->at, f->n, sizeof *f->at);
    f->at[f->n].key = key;
    return &f->at[f->n++];
}

/* ---- reading */

static void
skip_spaces(struct sf_reader *r)
{
    while (sf_take(r, ' '))
        continue;
}

static void
skip_blanks(struct sf_reader *r)
{
    while (sf_take(r, ' ') || sf_take(r, '\t'))
        continue;
}

static const struct sf_value truth = { .kind = SF_BOOLEAN, .number = 1 };

static bool
read_param(struct sf_reader *r, struct sf_params *p)
{
    struct sf_value value = truth;
    struct text key;

    skip_spaces(r);
    if (!sf_read_key(r, &key) || (sf_take(r, '=') && !sf_read_value(r, &value)))
        return false;
    param_at(r, p, key)->value = value;
    return true;
}

static bool
read_params(struct sf_reader *r, struct sf_params *p)
{
    *p = (struct sf_params){ .n = 0 };
    for (unsigned n = 0; sf_take(r, ';'); n++) {
        if (n == SF_PARAMS_MAX || !read_param(r, p))
            return false;
    }
    return true;
}

static bool
read_item(struct sf_reader *r, struct sf_item *out)
{
    return sf_read_value(r, &out->value) && read_params(r, &out->params);
}

/* RFC 9651 section 4.2.1.2: behind each item a space or the end. */
static bool
read_inner_item(struct sf_reader *r, struct sf_member *m)
{
    if (m->n_inner == SF_INNER_MAX)
        return false;
    m->inner = grow(r, m->inner, m->n_inner, sizeof *m->inner);
    return read_item(r, &m->inner[m->n_inner++]) && (sf_has(r, ' ') || sf_has(r, ')'));
}

static bool
read_inner(struct sf_reader *r, struct sf_member *m)
{
    m->is_inner = true;
    for (skip_spaces(r); !sf_take(r, ')'); skip_spaces(r)) {
        if (!read_inner_item(r, m))
            return false;
    }
    return read_params(r, &m->item.params);
}

static bool
read_member(struct sf_reader *r, struct sf_member *m)
{
    return sf_take(r, '(') ? read_inner(r, m) : read_item(r, &m->item);
}

static bool
read_keyed(struct sf_reader *r, struct sf_member *m)
{
    if (!sf_read_key(r, &m->key))
        return false;
    if (sf_take(r, '='))
        return read_member(r, m);
    m->item.value = truth;
    return read_params(r, &m->item.params);
}

/* A comma, and something behind it. */
static bool
read_comma(struct sf_reader *r)
{
    skip_blanks(r);
    if (r->p == r->end)
        return true;
    if (!sf_take(r, ','))
        return false;
    skip_blanks(r);
    return r->p < r->end;
}

static bool
read_members(struct sf_reader *r, enum sf_type type, struct sf_field *f)
{
    for (unsigned n = 0; r->p < r->end; n++) {
        struct sf_member m = { .n_inner = 0 };

        if (n == SF_MEMBERS_MAX ||
            !(type == SF_LIST ? read_member(r, &m) : read_keyed(r, &m)) ||
            !read_comma(r))
            return false;
        *member_at(r, f, m.key) = m;
    }
    return true;
}

static bool
read_field(struct sf_reader *r, enum sf_type type, struct sf_field *f)
{
    struct sf_item item;

    skip_spaces(r);
    if (type != SF_ITEM)
        return read_members(r, type, f);
    if (!read_item(r, &item))
        return false;
    member_at(r, f, text_of(NULL, 0))->item = item;
    skip_spaces(r);
    return r->p == r->end;
}

bool
sf_parse(enum sf_type type, struct text t, struct arena *a, struct sf_field *out)
{
    struct sf_reader r = { .p = t.at, .end = t.at + t.n, .arena = a };

    *out = (struct sf_field){ .n = 0 };
    if (read_field(&r, type, out)) {
        out->repeated = r.repeated;
        return true;
    }
    *out = (struct sf_field){ .n = 0 };
    return false;
}

bool
sf_join(const struct headers *h, struct text name, struct arena *a, struct text *out)
{
    const struct field *first = headers_get(h, name);
    size_t n = 0;
    char *at;

    if (first == NULL)
        return false;
    *out = first->value;
    for (const struct field *f = first; f < h->at + h->n; f++)
        n += text_equals_nocase(f->name, name) ? f->value.n + 2 : 0;
    if (n == first->value.n + 2)
        return true;
    at = arena_alloc(a, n);
    *out = text_of(at, n - 2);
    for (const struct field *f = first; f < h->at + h->n; f++) {
        if (!text_equals_nocase(f->name, name))
            continue;
        if (at != out->at)
            at = (char *)memcpy(at, ", ", 2) + 2;
        if (f->value.n > 0)
            at = (char *)memcpy(at, f->value.at, f->value.n) + f->value.n;
    }
    return true;
}

/* ---- looking */

const struct sf_member *
sf_find(const struct sf_field *dictionary, struct text key)
{
    for (size_t i = 0; i < dictionary->n; i++)
        if (text_equals(dictionary->at[i].key, key))
            return &dictionary->at[i];
    return NULL;
}

const struct sf_value *
sf_param(const struct sf_params *p, struct text key)
{
    for (size_t i = 0; i < p->n; i++)
        if (text_equals(p->at[i].key, key))
            return &p->at[i].value;
    return NULL;
}

bool
sf_is(const struct sf_value *v, enum sf_kind kind)
{
    return v != NULL && v->kind == kind;
}

/* The signature base: identifier, colon, value, for each component in its order, and
 * the parameters last. */
#include "tokens/signature_parts.h"

#include "http/octet.h"

/* ---- fields */

/* sf wants to know what a field is (RFC 9421 section 2.1.1): these we know. */
static const struct {
    struct text name;
    enum sf_type type;
} structured[] = {
    { { "content-digest", 14 }, SF_DICTIONARY },
    { { "repr-digest", 11 }, SF_DICTIONARY },
    { { "want-content-digest", 19 }, SF_DICTIONARY },
    { { "want-repr-digest", 16 }, SF_DICTIONARY },
    { { "signature-input", 15 }, SF_DICTIONARY },
    { { "signature", 9 }, SF_DICTIONARY },
    { { "accept-signature", 16 }, SF_DICTIONARY },
    { { "signature-agent", 15 }, SF_DICTIONARY },
    { { "priority", 8 }, SF_DICTIONARY },
    { { "cache-status", 12 }, SF_LIST },
    { { "proxy-status", 12 }, SF_LIST },
    { { "accept-ch", 9 }, SF_LIST },
    { { "client-cert", 11 }, SF_ITEM },
    { { "client-cert-chain", 17 }, SF_LIST },
};

static const struct signature_fields *
fields_of(const struct signature_scene *s, const struct component *c)
{
    return s->status == 0 || c->of_request ? &s->asked : &s->answered;
}

/* Neither line ends nor bytes beyond ASCII (RFC 9421 section 2.5): two readers would
 * find two bases. */
static bool
is_plain(struct text t)
{
    const char *p = t.at, *end = t.at + t.n;

    /* A token is most of a base. */
    while (end - p >= 8 && octet_are_plain(octet_load(p)))
        p += 8;
    while (p < end && ((*p >= ' ' && *p <= '~') || *p == '\t'))
        p++;
    return p == end;
}

static bool
add_value(const struct component *c, struct text value, struct buf *out)
{
    if (c->as_bytes)
        sf_write_bytes(value, out);
    else
        buf_add(out, value);
    return c->as_bytes || is_plain(value);
}

/* All values of this name, as they stand; false: there is none. */
static bool
add_values(const struct headers *h, const struct component *c, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < h->n; i++) {
        if (!text_equals_nocase(h->at[i].name, c->name))
            continue;
        if (any)
            buf_add_z(out, ", ");
        any = true;
        if (!add_value(c, h->at[i].value, out))
            return false;
    }
    return any;
}

/* What a codec keeps apart from the other fields. */
static bool
add_kept_apart(const struct signature_fields *f, const struct component *c,
               struct buf *out)
{
    if (f->host.at != NULL && text_equals(c->name, TEXT("host")))
        return add_value(c, f->host, out);
    if (!f->has_length || c->as_bytes || !text_equals(c->name, TEXT("content-length")))
        return false;
    buf_add_u64(out, f->length);
    return true;
}

/* One field, taken apart once however many of its members are covered: what it costs
 * is bounded by the message, whatever a stranger says of it. */
struct parsed {
    struct parsed *before;
    struct text name;
    bool of_request;
    enum sf_type type;
    bool is_good;
    struct sf_field field;
};

struct work {
    const struct signature_scene *scene;
    struct arena *arena;
    struct parsed *parsed; /* the newest; NULL: none */
};

static const struct parsed *
parse_anew(struct work *w, const struct component *c, enum sf_type type)
{
    struct parsed *p = arena_alloc(w->arena, sizeof *p);
    struct text value;

    *p = (struct parsed){
        .before = w->parsed, .name = c->name, .of_request = c->of_request, .type = type
    };
    p->is_good = sf_join(fields_of(w->scene, c)->headers, c->name, w->arena, &value) &&
                 sf_parse(type, value, w->arena, &p->field) && !p->field.repeated;
    w->parsed = p;
    return p;
}

/* NULL: it is not there, or cannot be read in one way. */
static const struct sf_field *
parse_field(struct work *w, const struct component *c, enum sf_type type)
{
    const struct parsed *p = w->parsed;

    while (p != NULL && !(p->type == type && p->of_request == c->of_request &&
                          text_equals(p->name, c->name)))
        p = p->before;
    if (p == NULL)
        p = parse_anew(w, c, type);
    return p->is_good ? &p->field : NULL;
}

static bool
add_member(struct work *w, const struct component *c, struct buf *out)
{
    const struct sf_field *field = parse_field(w, c, SF_DICTIONARY);
    const struct sf_member *m = field != NULL ? sf_find(field, c->key) : NULL;

    return m != NULL && sf_write_member(m, out);
}

static bool
add_in_order(struct work *w, const struct component *c, struct buf *out)
{
    const struct sf_field *field;

    for (size_t i = 0; i < sizeof structured / sizeof *structured; i++) {
        if (!text_equals(c->name, structured[i].name))
            continue;
        field = parse_field(w, c, structured[i].type);
        return field != NULL && sf_write(structured[i].type, field, out);
    }
    return false;
}

static bool
add_field(struct work *w, const struct component *c, struct buf *out)
{
    const struct signature_fields *f = fields_of(w->scene, c);

    if (c->of_trailer || (c->of_request && w->scene->status == 0))
        return false;
    if (c->has_key)
        return add_member(w, c, out);
    if (c->in_order)
        return add_in_order(w, c, out);
    return add_values(f->headers, c, out) || add_kept_apart(f, c, out);
}

bool
component_stands(const struct signature_scene *s, struct text field)
{
    const struct signature_fields *f = s->status == 0 ? &s->asked : &s->answered;

    return headers_has(f->headers, field) ||
           (f->host.at != NULL && text_equals(field, TEXT("host"))) ||
           (f->has_length && text_equals(field, TEXT("content-length")));
}

/* ---- lines */

static bool
stood_before(const struct component *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (component_equals(&all[i], &all[n]))
            return true;
    return false;
}

static bool
add_line(struct work *w, const struct sf_item *i, const struct component *c,
         struct buf *out)
{
    bool ok;

    if (!sf_write_item(i, out))
        return false;
    buf_add_z(out, ": ");
    ok = c->name.n > 0 && c->name.at[0] == '@'
             ? component_add_derived(w->scene, c, w->arena, out)
             : add_field(w, c, out);
    buf_add_byte(out, '\n');
    return ok;
}

enum reason
signature_base_write(const struct signature_scene *s, const struct sf_member *input,
                     struct arena *a, struct buf *out)
{
    struct component *all = arena_alloc(a, input->n_inner * sizeof *all);
    struct work w = { .scene = s, .arena = a };

    for (size_t i = 0; i < input->n_inner; i++) {
        if (!component_read(&input->inner[i], &all[i]) || stood_before(all, i) ||
            !add_line(&w, &input->inner[i], &all[i], out))
            return REASON_SIGNATURE_COMPONENT;
    }
    buf_add_z(out, SIGNATURE_PARAMS);
    return input->is_inner && sf_write_member(input, out) ? REASON_OK
                                                          : REASON_SIGNATURE_COMPONENT;
}

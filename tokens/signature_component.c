/* Covered components: what an identifier says, and what of a message it stands for (RFC
 * 9421 sections 2.1 and 2.2). */
#include "tokens/signature_parts.h"

#include "base/escape.h"
#include "http/octet.h"

enum { HTTPS_PORT = 443, HTTP_PORT = 80 };

/* ---- identifiers */

static bool
take_flag(const struct sf_value *v, bool *flag)
{
    *flag = true;
    return v->kind == SF_BOOLEAN && v->number != 0;
}

static bool
take_word(const struct sf_value *v, bool *has, struct text *word)
{
    *has = true;
    *word = v->text;
    return v->kind == SF_STRING;
}

static bool
take_parameter(const struct sf_param *p, struct component *c)
{
    if (text_equals(p->key, TEXT("req")))
        return take_flag(&p->value, &c->of_request);
    if (text_equals(p->key, TEXT("sf")))
        return take_flag(&p->value, &c->in_order);
    if (text_equals(p->key, TEXT("bs")))
        return take_flag(&p->value, &c->as_bytes);
    if (text_equals(p->key, TEXT("tr")))
        return take_flag(&p->value, &c->of_trailer);
    if (text_equals(p->key, TEXT("key")))
        return take_word(&p->value, &c->has_key, &c->key);
    if (text_equals(p->key, TEXT("name")))
        return take_word(&p->value, &c->has_name, &c->parameter);
    return false;
}

static bool
is_derived(const struct component *c)
{
    return c->name.n > 0 && c->name.at[0] == '@';
}

/* RFC 9421 section 2.1.3: bytes are of the values as they are, so neither of a member
 * nor in another spelling. What is derived has neither, and only @query-param a name.
 */
static bool
go_together(const struct component *c)
{
    bool of_a_field = c->in_order || c->as_bytes || c->of_trailer || c->has_key;

    if (is_derived(c))
        return !of_a_field && c->has_name == text_equals(c->name, TEXT("@query-param"));
    return octet_is_all(c->name, OCTET_LOWER_NAME) && !c->has_name &&
           !(c->as_bytes && (c->in_order || c->has_key));
}

bool
component_read(const struct sf_item *i, struct component *out)
{
    *out = (struct component){ .name = i->value.text };
    if (i->value.kind != SF_STRING)
        return false;
    for (size_t p = 0; p < i->params.n; p++) {
        if (!take_parameter(&i->params.at[p], out))
            return false;
    }
    return go_together(out);
}

bool
component_equals(const struct component *a, const struct component *b)
{
    return text_equals(a->name, b->name) && a->of_request == b->of_request &&
           a->in_order == b->in_order && a->as_bytes == b->as_bytes &&
           a->of_trailer == b->of_trailer && a->has_key == b->has_key &&
           text_equals(a->key, b->key) && text_equals(a->parameter, b->parameter);
}

/* ---- derived components: what a request says of itself in no field */

static bool
add_method(const struct signature_scene *s, struct buf *out)
{
    buf_add(out, s->request->method);
    return true;
}

static bool
add_scheme(const struct signature_scene *s, struct buf *out)
{
    buf_add(out, s->request->scheme);
    return true;
}

static bool
add_authority(const struct signature_scene *s, struct buf *out)
{
    bool is_http = text_equals(s->request->scheme, TEXT("http"));
    char room[AUTHORITY_PRINT_SIZE];

    buf_add(out, authority_print(&s->request->authority,
                                 is_http ? HTTP_PORT : HTTPS_PORT, room));
    return true;
}

static bool
add_path(const struct signature_scene *s, struct buf *out)
{
    buf_add(out, text_is_empty(s->request->path) ? TEXT("/") : s->request->path);
    return true;
}

static bool
add_query(const struct signature_scene *s, struct buf *out)
{
    buf_add_byte(out, '?');
    buf_add(out, s->request->query);
    return true;
}

static bool
add_path_and_query(const struct signature_scene *s, struct buf *out)
{
    return add_path(s, out) && (s->request->query.at == NULL || add_query(s, out));
}

static bool
add_target(const struct signature_scene *s, struct buf *out)
{
    if (s->target.at == NULL)
        return add_path_and_query(s, out);
    buf_add(out, s->target);
    return true;
}

static bool
add_uri(const struct signature_scene *s, struct buf *out)
{
    (void)add_scheme(s, out);
    buf_add_z(out, "://");
    return add_authority(s, out) && add_path_and_query(s, out);
}

static const struct derived {
    struct text name;
    bool (*add)(const struct signature_scene *s, struct buf *out);
} derived[] = {
    { { "@method", 7 }, add_method },
    { { "@target-uri", 11 }, add_uri },
    { { "@authority", 10 }, add_authority },
    { { "@scheme", 7 }, add_scheme },
    { { "@request-target", 15 }, add_target },
    { { "@path", 5 }, add_path },
    { { "@query", 6 }, add_query },
};

/* ---- one parameter of the query */

static int
form_byte(struct text *t)
{
    int byte = (unsigned char)t->at[0];
    int pair = byte == '%' ? text_hex_pair(t->at + 1, t->at + t->n) : -1;
    size_t n = pair >= 0 ? 3 : 1;

    *t = text_of(t->at + n, t->n - n);
    return pair >= 0 ? pair : byte == '+' ? ' ' : byte;
}

/* Decoded as a form is, and encoded again, so that one value has one spelling (RFC 9421
 * section 2.2.8). Another reader puts a mark in place of what is not UTF-8, and takes
 * two names for one: refused. */
static bool
respell(struct text t, struct arena *a, struct text *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char *plain = arena_alloc(a, t.n), *at = arena_alloc(a, 3 * t.n);
    size_t n = 0, length = 0;

    for (struct text rest = t; rest.n > 0; n++)
        plain[n] = (char)form_byte(&rest);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)plain[i];

        if ((octet_is(c, OCTET_HEX) && c != '\0') || (c | 0x20U) - 'a' < 26U ||
            (c != '\0' && strchr("*-._", c) != NULL)) {
            at[length++] = (char)c;
            continue;
        }
        at[length++] = '%';
        at[length++] = hex[c >> 4];
        at[length++] = hex[c & 15];
    }
    *out = text_of(at, length);
    return escape_is_utf8(text_of(plain, n));
}

/* The one parameter of this name; false when there is none, or more than one. */
static bool
find_parameter(struct text query, struct text name, struct arena *a, struct text *value)
{
    struct text part, found = { NULL, 0 };

    while (query.at != NULL && text_split(&query, '&', &part)) {
        struct text said = part, this;

        if (part.n == 0)
            continue;
        if (!text_split(&said, '=', &part) || !respell(part, a, &this))
            return false;
        if (!text_equals(this, name))
            continue;
        if (found.at != NULL)
            return false;
        found = said.at == NULL ? TEXT("") : said;
    }
    return found.at != NULL && respell(found, a, value);
}

static bool
add_parameter(const struct signature_scene *s, const struct component *c,
              struct arena *a, struct buf *out)
{
    struct text value;

    if (!find_parameter(s->request->query, c->parameter, a, &value))
        return false;
    buf_add(out, value);
    return true;
}

/* ---- both */

static bool
add_status(const struct signature_scene *s, struct buf *out)
{
    buf_add_u64(out, (uint64_t)s->status);
    return true;
}

/* A request's components are of an answer by `req` alone, its status never. */
bool
component_add_derived(const struct signature_scene *s, const struct component *c,
                      struct arena *a, struct buf *out)
{
    bool is_answer = s->status != 0;

    if (text_equals(c->name, TEXT("@status")))
        return is_answer && !c->of_request && add_status(s, out);
    if (c->of_request != is_answer)
        return false;
    if (c->has_name)
        return add_parameter(s, c, a, out);
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
        if (text_equals(c->name, derived[i].name))
            return derived[i].add(s, out);
    return false;
}

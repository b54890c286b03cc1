/* jansson's one door, and our writer. Before jansson sees a text we bound its depth and
 * the members of each object: walking an object by index is quadratic, and deep nesting
 * costs stack. */
#include "base/json.h"

#include "base/digest.h"
#include "base/escape.h"

#undef json_string /* jansson's own */
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, MEMBERS_MAX = 256 };

#define WHOLE_MAX                                                                      \
    (INT64_C(1) << 53) /* RFC 8259 section 6: what every reader agrees on */

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Stands before each piece jansson gets: token answers are JSON, so what it frees is
 * wiped. */
union piece {
    size_t n;
    max_align_t align;
};

static void *
piece_new(size_t n)
{
    union piece *p = n <= SIZE_MAX / 2 ? malloc(sizeof(*p) + n) : NULL;

    if (p == NULL)
        return NULL;
    p->n = n;
    return p + 1;
}

static void
piece_free(void *at)
{
    union piece *p = at;

    if (p == NULL)
        return;
    p--;
    explicit_bzero(p, sizeof(*p) + p->n);
    free(p);
}

/* Seeded by us: jansson would open /dev/urandom in the middle of a request, and a seed
 * that can be guessed lets a stranger build an object whose names all collide. */
static void
prepare(void)
{
    uint32_t seed;

    random_bytes(&seed, sizeof(seed));
    json_set_alloc_funcs(piece_new, piece_free);
    json_object_seed(seed | 1);
}

/* The closing quote of the string that opens at i, or n. */
static size_t
skip_string(struct text t, size_t i)
{
    for (i++; i < t.n && t.at[i] != '"'; i++)
        if (t.at[i] == '\\')
            i++;
    return i;
}

static bool
is_bounded(struct text t)
{
    struct {
        bool is_object;
        unsigned commas;
    } open[DEPTH_MAX];
    size_t depth = 0;

    for (size_t i = 0; i < t.n; i++) {
        char c = t.at[i];

        if (c == '"') {
            i = skip_string(t, i);
        } else if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX)
                return false;
            open[depth].is_object = c == '{';
            open[depth++].commas = 0;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == ',' && depth > 0 && open[depth - 1].is_object) {
            if (++open[depth - 1].commas == MEMBERS_MAX)
                return false;
        }
    }
    return true;
}

static const json_t *
inner(const struct json *j)
{
    return (const json_t *)j;
}

static const struct json *
outer(const json_t *j)
{
    return (const struct json *)j;
}

struct json *
json_parse(struct text t, size_t max)
{
    if (t.n == 0 || t.n > max || !is_bounded(t))
        return NULL;
    pthread_once(&once, prepare);
    return (struct json *)json_loadb(t.at, t.n,
                                     JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

void
json_free(struct json *root)
{
    json_decref((json_t *)root);
}

/* jansson's json_is_… are macros of the same names. */
#undef json_is_object
#undef json_is_array
#undef json_is_string

bool
json_is_object(const struct json *j)
{
    return j != NULL && json_typeof(inner(j)) == JSON_OBJECT;
}

bool
json_is_array(const struct json *j)
{
    return j != NULL && json_typeof(inner(j)) == JSON_ARRAY;
}

bool
json_is_string(const struct json *j)
{
    return j != NULL && json_typeof(inner(j)) == JSON_STRING;
}

const struct json *
json_get(const struct json *object, const char *name)
{
    return outer(json_object_get(inner(object), name));
}

size_t
json_count(const struct json *j)
{
    if (json_is_object(j))
        return json_object_size(inner(j));
    return json_is_array(j) ? json_array_size(inner(j)) : 0;
}

const struct json *
json_at(const struct json *array, size_t i)
{
    return outer(json_array_get(inner(array), i));
}

const struct json *
json_member(const struct json *object, size_t i, struct text *name)
{
    json_t *o = (json_t *)(uintptr_t)
        object; /* the iterator asks for a mutable one and changes nothing */
    void *at;

    if (!json_is_object(object))
        return NULL;
    at = json_object_iter(o);
    for (; at != NULL && i > 0; i--)
        at = json_object_iter_next(o, at);
    if (at == NULL)
        return NULL;
    *name = text_z(json_object_iter_key(at));
    return outer(json_object_iter_value(at));
}

bool
json_text(const struct json *j, struct text *out)
{
    if (!json_is_string(j))
        return false;
    *out = text_of(json_string_value(inner(j)), json_string_length(inner(j)));
    return true;
}

static bool
whole_of_real(double real, int64_t *out)
{
    if (!(real >= -(double)WHOLE_MAX && real <= (double)WHOLE_MAX))
        return false;
    *out = (int64_t)real;
    return true;
}

struct text
json_text_of(const struct json *object, const char *name)
{
    struct text t;

    return json_text(json_get(object, name), &t) ? t : text_of("", 0);
}

bool
json_number(const struct json *j, int64_t *out)
{
    json_int_t whole;

    if (j == NULL)
        return false;
    if (json_typeof(inner(j)) == JSON_REAL)
        return whole_of_real(json_real_value(inner(j)), out);
    whole = json_integer_value(inner(j));
    if (json_typeof(inner(j)) != JSON_INTEGER || whole < -WHOLE_MAX ||
        whole > WHOLE_MAX)
        return false;
    *out = whole;
    return true;
}

bool
json_bool(const struct json *j, bool *out)
{
    if (j == NULL)
        return false;
    *out = json_typeof(inner(j)) == JSON_TRUE;
    return *out || json_typeof(inner(j)) == JSON_FALSE;
}

void
json_write_string(struct buf *out, struct text t)
{
    size_t n = escape_plain(t);
    char *at = buf_reserve(out, n + 2);

    *at = '"';
    if (n > 0)
        memcpy(at + 1, t.at, n);
    at[n + 1] = '"';
    if (n == t.n) {
        buf_commit(out, n + 2);
        return;
    }
    buf_commit(out, n + 1);
    do {
        char form[ESCAPE_MAX];

        t = text_of(t.at + n, t.n - n);
        buf_add(out, text_of(form, escape_one(&t, form)));
        n = escape_plain(t);
        buf_add(out, text_of(t.at, n));
    } while (n < t.n);
    buf_add_byte(out, '"');
}

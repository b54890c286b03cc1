#include "proxy/verb.h"

#include "proxy/control.h"

#include <string.h>

static const struct verb *
find_verb(const struct verb *verbs, size_t n, struct text name)
{
    for (size_t i = 0; i < n; i++)
        if (text_equals(name, text_z(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

static bool
is_among(const char *const names[VERB_MEMBERS], struct text name)
{
    for (size_t i = 0; i < VERB_MEMBERS && names[i] != NULL; i++)
        if (text_equals(name, text_z(names[i])))
            return true;
    return false;
}

/* A misspelt member, or one of another kind, would be a wish that nobody hears. */
static bool
takes(const struct verb *v, struct text name, const struct json *value,
      struct buf *error)
{
    struct text t;
    int64_t number;
    bool flag;

    if (text_equals(name, TEXT("verb")))
        return true;
    if (is_among(v->flags, name) && !json_bool(value, &flag))
        buf_printf(error, "\"%.*s\" is neither true nor false", TEXT_ARG(name));
    else if (is_among(v->texts, name) && !json_string(value, &t))
        buf_printf(error, "\"%.*s\" is no text", TEXT_ARG(name));
    else if (is_among(v->numbers, name) && !json_number(value, &number))
        buf_printf(error, "\"%.*s\" is no number", TEXT_ARG(name));
    else if (!is_among(v->flags, name) && !is_among(v->texts, name) &&
             !is_among(v->numbers, name))
        buf_printf(error, "%s takes no \"%.*s\"", v->name, TEXT_ARG(name));
    return buf_length(error) == 0;
}

static bool
takes_all(const struct verb *v, const struct json *request, struct buf *error)
{
    const struct json *value;
    struct text name;

    for (size_t i = 0; (value = json_member(request, i, &name)) != NULL; i++)
        if (!takes(v, name, value, error))
            return false;
    return true;
}

const struct verb *
verb_read(const struct verb *verbs, size_t n, struct text line, struct json **request,
          struct buf *error)
{
    struct json *j = json_parse(line, CONTROL_LINE_MAX);
    const struct verb *v = NULL;
    struct text name;

    *request = NULL;
    if (!json_is_object(j))
        buf_add_z(error, "this is not one JSON object on one line");
    else if (!json_string(json_get(j, "verb"), &name))
        buf_add_z(error, "a \"verb\" is missing");
    else if ((v = find_verb(verbs, n, name)) == NULL)
        buf_printf(error, "there is no verb \"%.*s\"", TEXT_ARG(name));
    else if (!takes_all(v, j, error))
        v = NULL;
    if (v != NULL)
        *request = j;
    else
        json_free(j);
    return v;
}

bool
verb_flag(const struct json *request, const char *name)
{
    bool is_set;

    return json_bool(json_get(request, name), &is_set) && is_set;
}

struct text
verb_text(const struct json *request, const char *name)
{
    struct text t;

    return json_string(json_get(request, name), &t) ? t : text_of("", 0);
}

int64_t
verb_number(const struct json *request, const char *name, int64_t otherwise)
{
    int64_t n;

    return json_number(json_get(request, name), &n) ? n : otherwise;
}

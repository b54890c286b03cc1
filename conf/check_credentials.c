/* Credentials: what stands for their secrets, and handles that cannot be mistaken for
 * one another. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/suggest.h"

#include <stdlib.h>
#include <string.h>

/* What stands for a secret means nothing where there is none. */
static void
check_no_secret(const struct check *k, const struct conf_credential *c)
{
    static const char *const keys[] = { "handle", "header", "prefix" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (check_has_key(k, c, keys[i]))
            check_complain(k, c, keys[i],
                           "a source of kind \"%s\" yields no secret that it could "
                           "stand for: remove it",
                           conf_source_words[c->source.kind]);
}

static void
check_handle(const struct check *k, const struct conf_handle *h)
{
    if (h->shape != NULL)
        check_value(k, h, "shape", h->shape, pattern_shape_error(h->shape));
    if (h->value != NULL)
        check_value(k, h, "value", h->value, pattern_handle_error(h->value));
    if (check_has_key(k, h, "shape") && check_has_key(k, h, "value"))
        check_complain(k, h, "value",
                       "stands beside a shape, and a handle has one of the two: "
                       "remove one");
    if (h->env != NULL)
        check_value(k, h, "env", h->env, pattern_variable_error(h->env));
}

static void
check_field(const struct check *k, const struct conf_credential *c)
{
    if (c->header != NULL)
        check_value(k, c, "header", c->header, pattern_field_error(c->header));
    if (c->prefix != NULL)
        check_value(k, c, "prefix", c->prefix, pattern_prefix_error(c->prefix));
    if (c->source.kind == SOURCE_OAUTH && check_has_key(k, c, "header"))
        check_complain(k, c, "header",
                       "a token goes into Authorization and nowhere else: remove it");
    if (check_has_key(k, c, "prefix") && !check_has_key(k, c, "header"))
        check_complain(k, c, "prefix",
                       "stands before a secret in the credential's header: write "
                       "header = \"X-Api-Key\"; or remove it");
}

/* ---- one handle, one credential */

static char
variable_letter(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

/* As it is made of the name where none is written. */
static const char *
variable_of(const struct check *k, const struct conf_credential *c)
{
    struct buf out = { 0 };
    const char *z;

    if (c->handle.env != NULL)
        return c->handle.env;
    buf_add_z(&out, "HOLDFAST_");
    for (const char *at = c->name; *at != '\0'; at++)
        buf_add_byte(&out, variable_letter(*at));
    z = arena_copy_z(k->fill->scratch, buf_text(&out));
    buf_free(&out);
    return z;
}

struct claim {
    const char *text;
    const struct conf_credential *by;
};

static int
compare_claims(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int texts = strcmp(a->text, b->text);

    return texts != 0 ? texts : a->by < b->by ? -1 : a->by > b->by;
}

/* The key is the handle's, or the credential's where no handle is written. */
static void
check_claims(const struct check *k, struct claim *claims, size_t n, const char *key,
             const char *what)
{
    if (n > 1)
        qsort(claims, n, sizeof *claims, compare_claims);
    for (size_t i = 1; i < n; i++) {
        const struct conf_credential *c = claims[i].by;
        bool written = check_has_key(k, c, "handle");

        if (strcmp(claims[i - 1].text, claims[i].text) == 0)
            check_complain(k, written ? (const void *)&c->handle : c,
                           written ? key : "handle",
                           "\"%.80s\" is the %s of credential %.80s as well: write "
                           "another",
                           claims[i].text, what, claims[i - 1].by->name);
    }
}

static void
check_claimed(const struct check *k)
{
    const struct conf_credential *all = k->conf->credentials.at;
    size_t n = k->conf->credentials.n, n_values = 0, n_variables = 0;
    struct claim *values = arena_alloc(k->fill->scratch, n * sizeof *values);
    struct claim *variables = arena_alloc(k->fill->scratch, n * sizeof *variables);

    for (size_t i = 0; i < n; i++) {
        if (!conf_has_handle(&all[i]))
            continue;
        variables[n_variables++] = (struct claim){ variable_of(k, &all[i]), &all[i] };
        if (all[i].handle.value != NULL)
            values[n_values++] = (struct claim){ all[i].handle.value, &all[i] };
    }
    check_claims(k, values, n_values, "value", "handle");
    check_claims(k, variables, n_variables, "env", "variable");
}

void
check_credential_name(const struct check *k, const void *object, const char *key,
                      const char *name)
{
    const struct conf_credential *all = k->conf->credentials.at;
    struct suggestion near = { 0 };

    for (size_t i = 0; i < k->conf->credentials.n; i++)
        suggest(&near, name, all[i].name);
    if (near.word != NULL)
        check_complain(k, object, key,
                       "no credential is named \"%.80s\", did you mean \"%s\"?", name,
                       near.word);
    else
        check_complain(k, object, key,
                       "no credential is named \"%.80s\": write it under credentials",
                       name);
}

void
check_credentials(const struct check *k)
{
    const struct conf_credential *all = k->conf->credentials.at;

    for (size_t i = 0; i < k->conf->credentials.n; i++) {
        check_source(k, &all[i].source);
        if (check_has_key(k, &all[i].source, "kind") && (int)all[i].source.kind >= 0 &&
            !conf_has_handle(&all[i])) {
            check_no_secret(k, &all[i]);
            continue;
        }
        check_handle(k, &all[i].handle);
        check_field(k, &all[i]);
    }
    check_claimed(k);
}

/* What a handle is made like, whoever it is for: what a credential's config says. */
#include "tasks/handle.h"

#include <string.h>

const char *
handle_shape(const struct conf_credential *c)
{
    return c->handle.shape != NULL ? c->handle.shape : "hf_{32}";
}

/* Letters and digits without a bias: a byte beyond the last whole row is drawn again.
 */
static void
add_random(struct buf *out, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof letters - 1, WHOLE = 256 / LETTERS * LETTERS };
    unsigned char byte;

    while (n > 0) {
        random_bytes(&byte, 1);
        if (byte >= WHOLE)
            continue;
        buf_add_byte(out, letters[byte % LETTERS]);
        n--;
    }
}

bool
handle_make(const char *shape, struct buf *out)
{
    const char *open = strchr(shape, '{');
    const char *close = open != NULL ? strchr(open, '}') : NULL;
    uint64_t n;

    if (close == NULL ||
        !text_to_u64(text_of(open + 1, (size_t)(close - open - 1)), HANDLE_MAX, &n) ||
        strlen(shape) + n > HANDLE_MAX)
        return false;
    buf_add(out, text_of(shape, (size_t)(open - shape)));
    add_random(out, n);
    buf_add_z(out, close + 1);
    return true;
}

static char
variable_letter(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

void
handle_variable(const struct conf_credential *c, struct buf *out)
{
    if (c->handle.env != NULL) {
        buf_add_z(out, c->handle.env);
        return;
    }
    buf_add_z(out, "HOLDFAST_");
    for (const char *name = c->name; *name != '\0'; name++)
        buf_add_byte(out, variable_letter(*name));
}

const struct conf_credential *
handle_next_due(const struct conf *conf, const struct conf_grant *g, size_t *i)
{
    const struct conf_rule *rules = g->rules.at;

    while (*i < g->rules.n) {
        const char *last = *i > 0 ? rules[*i - 1].credential : NULL;
        const char *name = rules[(*i)++].credential;
        const struct conf_credential *c;

        /* Rules side by side often name the same one. */
        if (name == NULL || (last != NULL && strcmp(last, name) == 0))
            continue;
        c = conf_credential(conf, name);
        if (c != NULL && conf_has_handle(c))
            return c;
    }
    return NULL;
}

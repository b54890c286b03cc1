/* A secret as it is: what copies it has it, so a rule says why (`unbound_because`), and
 * the log tells the binding by its name.
 *
 * The field's value is a copy in the request's arena, which is wiped when the exchange
 * is over. */
#include "tokens/presenter.h"

#include <string.h>

bool
secret_may_be_put(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] < ' ' || t.at[i] > '~')
            return false;
    return t.n > 0 && t.at[0] != ' ' && t.at[t.n - 1] != ' ';
}

/* A stranger's of the same name must not leave beside ours: some service reads the
 * first. */
void
secret_put(struct headers *headers, struct text name, struct text prefix,
           struct text secret)
{
    char *value = arena_alloc(headers->arena, prefix.n + secret.n);

    if (prefix.n > 0)
        memcpy(value, prefix.at, prefix.n);
    memcpy(value + prefix.n, secret.at, secret.n);
    headers_remove(headers, name);
    headers_add_secret(headers, name, text_of(value, prefix.n + secret.n));
}

/* What was got for this task counts before what lies in a file; a token that is bound
 * is not shown unbound. */
static struct text
secret_of(const struct means *with)
{
    if (with->token != NULL)
        return token_form(with->token) == FORM_BEARER ? token_value(with->token)
                                                      : text_z(NULL);
    return with->secret != NULL ? secret_reveal(with->secret) : text_z(NULL);
}

enum reason
bearer_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    struct text secret = secret_of(with);

    (void)request;
    (void)now_s;
    if (text_is_empty(secret))
        return REASON_NO_BINDING;
    secret_put(headers, TEXT("Authorization"), TEXT("Bearer "), secret);
    *evidence = (struct evidence){ .binding = "bearer" };
    return REASON_OK;
}

enum reason
header_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    struct text secret = secret_of(with);

    (void)request;
    (void)now_s;
    if (text_is_empty(secret) || with->header == NULL)
        return REASON_NO_BINDING;
    secret_put(headers, text_z(with->header), text_z(with->prefix), secret);
    *evidence = (struct evidence){ .binding = "header" };
    return REASON_OK;
}
